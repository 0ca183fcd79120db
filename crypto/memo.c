#include "crypto/memo.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Sets of four: a key may only be in its own set; the least recently used of it gives way. */
#define WAYS 4u

struct memo_entry {
    uint8_t key[32];
    uint32_t used; /* of the memo's clock; 0: free */
    uint32_t cost_cycles;
    bool valid;
};

struct memo {
    struct memo_entry *entries;
    size_t bytes;
    uint32_t sets;
    uint32_t clock;
    struct memo_stats st;
};

res memo_new(uint32_t entries, struct memo **out)
{
    struct memo *m = (struct memo *)calloc(1, sizeof(*m));
    uint32_t n = 64;

    if (!m)
        return ERR(NOMEM);
    while (n < entries && n < (1u << 28))
        n *= 2;
    m->sets = n / WAYS;
    m->bytes = n * sizeof(struct memo_entry);
    m->entries = (struct memo_entry *)mmap(NULL, m->bytes, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->entries == MAP_FAILED) {
        free(m);
        return ERR(NOMEM);
    }
    *out = m;
    return OK;
}

void memo_free(struct memo *m)
{
    if (!m)
        return;
    munmap(m->entries, m->bytes);
    free(m);
}

static struct memo_entry *set_of(struct memo *m, const uint8_t key[32])
{
    uint32_t h;

    memcpy(&h, key, sizeof(h)); /* the key is a SHA-256: any bytes of it will do */
    return &m->entries[(h & (m->sets - 1)) * WAYS];
}

static uint32_t tick(struct memo *m)
{
    if (++m->clock == 0)
        m->clock = 1;
    return m->clock;
}

bool memo_get(struct memo *m, const uint8_t key[32], bool *valid)
{
    struct memo_entry *e = set_of(m, key);

    for (uint32_t i = 0; i < WAYS; i++) {
        if (e[i].used && memcmp(e[i].key, key, 32) == 0) {
            e[i].used = tick(m);
            *valid = e[i].valid;
            m->st.hits++;
            m->st.saved_cycles += e[i].cost_cycles;
            return true;
        }
    }
    m->st.misses++;
    return false;
}

void memo_put(struct memo *m, const uint8_t key[32], bool valid, uint32_t cost_cycles)
{
    struct memo_entry *e = set_of(m, key), *to = &e[0];

    for (uint32_t i = 1; i < WAYS; i++) {
        if (e[i].used < to->used)
            to = &e[i];
    }
    if (to->used)
        m->st.evicted++;
    memcpy(to->key, key, 32);
    to->used = tick(m);
    to->cost_cycles = cost_cycles;
    to->valid = valid;
}

void memo_stats(const struct memo *m, struct memo_stats *out)
{
    *out = m->st;
}
