#include "crypto/wolf.h"

#include "base/must.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/cpuid.h>
#include <wolfssl/wolfcrypt/memory.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#if LIBWOLFSSL_VERSION_HEX < 0x05009002 || LIBWOLFSSL_VERSION_HEX >= 0x0500a000
#error "wolfSSL 5.9.2 or later of 5.9 is needed: its internals are looked at (crypto/tls_session.c)"
#endif
#ifndef WOLFSSL_ALWAYS_VERIFY_CB
#error "without WOLFSSL_ALWAYS_VERIFY_CB every client certificate would be accepted unseen"
#endif
#if defined(OPENSSL_EXTRA) || defined(SESSION_CERTS) || !defined(WOLFSSL_POST_HANDSHAKE_AUTH)
#error "build wolfSSL with deploy/setup.sh: these options cost memory and safety"
#endif
#if !defined(NO_OLD_TLS) || defined(HAVE_ANON) || defined(HAVE_NULL_CIPHER) || !defined(NO_RC4)
#error "build wolfSSL with deploy/setup.sh: old TLS, anonymous, NULL or RC4 suites are in this one"
#endif

/* The hooks have no argument to carry a context in: see wolf.h. */
static _Thread_local struct wolf_thread *bound;

void wolf_bind(struct wolf_thread *t)
{
    bound = t;
}

static void *hook_malloc(size_t n)
{
    return bound ? heap_get(bound->heap, n) : malloc(n);
}

static void hook_free(void *p)
{
    if (!p)
        return;
    if (!bound) {
        free(p);
        return;
    }
    /* What control made (a context's parts) is never freed on a core; if it were, leak it. */
    if (SHOULD(heap_owns(bound->heap, p)))
        heap_put(bound->heap, p);
}

static void *hook_realloc(void *p, size_t n)
{
    size_t old;
    void *q;

    if (!bound)
        return realloc(p, n);
    if (!p)
        return hook_malloc(n);
    old = heap_size(bound->heap, p);
    if (n <= old)
        return p;
    q = hook_malloc(n);
    if (!q)
        return NULL;
    memcpy(q, p, old);
    hook_free(p);
    return q;
}

int sallyport_random_block(unsigned char *out, unsigned int len)
{
    unsigned int done = 0;

    if (bound) {
        rng_bytes(bound->rng, out, len);
        return 0;
    }
    while (done < len) {
        ssize_t n = getrandom(out + done, len - done, 0);

        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            done += (unsigned int)n;
    }
    return 0;
}

res wolf_init(void)
{
    if (wolfSSL_lib_version_hex() != LIBWOLFSSL_VERSION_HEX)
        return ERR(INVALID);
    if (wolfSSL_SetAllocators(hook_malloc, hook_free, hook_realloc) != 0)
        return ERR(FAIL);
    return wolfSSL_Init() == WOLFSSL_SUCCESS ? OK : ERR(FAIL);
}

void wolf_text(struct sb *s, bool verbose)
{
    static const struct {
        uint32_t flag;
        const char *text;
    } paths[] = {
        {CPUID_AESNI, "AES-NI"},  {CPUID_AVX1, "AVX"},    {CPUID_AVX2, "AVX2"},
        {CPUID_BMI2, "BMI2"},     {CPUID_ADX, "ADX"},     {CPUID_SHA, "SHA-NI"},
        {CPUID_RDRAND, "RDRAND"}, {CPUID_MOVBE, "MOVBE"},
    };
    cpuid_flags_t have = cpuid_get_flags();

    sb_fmt(s, "wolfSSL %s", wolfSSL_lib_version());
    if (!verbose)
        return;
    sb_str(s, "\n  assembly for this CPU:");
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        sb_fmt(s, " %s=%s", paths[i].text, have & paths[i].flag ? "yes" : "no");
}
