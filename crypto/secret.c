#include "crypto/secret.h"

#include <sys/mman.h>
#include <unistd.h>

static size_t rounded(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (len + page - 1) & ~(page - 1);
}

void *secret_get(size_t len)
{
    size_t n = rounded(len ? len : 1);
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    /* Both are best effort: without the privilege keys are still wiped. */
    (void)mlock(p, n);
    (void)madvise(p, n, MADV_DONTDUMP);
    return p;
}

void secret_put(void *p, size_t len)
{
    if (!p)
        return;
    secret_wipe(p, len);
    munmap(p, rounded(len ? len : 1));
}

void secret_wipe(void *p, size_t len)
{
    memset(p, 0, len);
    __asm__ __volatile__("" : : "r"(p) : "memory"); /* somebody might look: the stores stay */
}

bool secret_eq(const void *a, const void *b, size_t len)
{
    const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
    uint8_t diff = 0;

    for (size_t i = 0; i < len; i++)
        diff |= x[i] ^ y[i];
    return diff == 0;
}
