#include "base/rng.h"

static inline uint32_t rotl32(uint32_t x, int b)
{
    return x << b | x >> (32 - b);
}

#define QUARTER(a, b, c, d)    \
    do {                       \
        a += b;                \
        d = rotl32(d ^ a, 16); \
        c += d;                \
        b = rotl32(b ^ c, 12); \
        a += b;                \
        d = rotl32(d ^ a, 8);  \
        c += d;                \
        b = rotl32(b ^ c, 7);  \
    } while (0)

void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                    uint8_t out[RNG_BLOCK_B])
{
    uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1],
                       key[2],     key[3],     key[4],     key[5],     key[6], key[7],
                       counter,    nonce[0],   nonce[1],   nonce[2]};
    uint32_t x[16];

    memcpy(x, in, sizeof(x));
    for (int i = 0; i < 10; i++) {
        QUARTER(x[0], x[4], x[8], x[12]);
        QUARTER(x[1], x[5], x[9], x[13]);
        QUARTER(x[2], x[6], x[10], x[14]);
        QUARTER(x[3], x[7], x[11], x[15]);
        QUARTER(x[0], x[5], x[10], x[15]);
        QUARTER(x[1], x[6], x[11], x[12]);
        QUARTER(x[2], x[7], x[8], x[13]);
        QUARTER(x[3], x[4], x[9], x[14]);
    }
    for (int i = 0; i < 16; i++)
        x[i] += in[i];
    memcpy(out, x, RNG_BLOCK_B); /* little endian: x86-64 */
}

static void refill(struct rng *r)
{
    static const uint32_t nonce[3];

    for (uint32_t i = 0; i < RNG_BLOCKS; i++)
        chacha20_block(r->key, i, nonce, r->out + (size_t)i * RNG_BLOCK_B);
    memcpy(r->key, r->out, sizeof(r->key));
    memset(r->out, 0, sizeof(r->key));
    r->pos = sizeof(r->key);
}

void rng_init(struct rng *r, const uint8_t seed[RNG_SEED_B])
{
    memcpy(r->key, seed, RNG_SEED_B);
    refill(r);
}

void rng_init_u64(struct rng *r, uint64_t seed)
{
    uint8_t bytes[RNG_SEED_B] = {0};

    memcpy(bytes, &seed, sizeof(seed));
    rng_init(r, bytes);
}

void rng_bytes(struct rng *r, void *out, size_t len)
{
    uint8_t *to = (uint8_t *)out;

    while (len) {
        size_t n = sizeof(r->out) - r->pos;

        if (n > len)
            n = len;
        memcpy(to, r->out + r->pos, n);
        memset(r->out + r->pos, 0, n);
        r->pos += (uint32_t)n;
        to += n;
        len -= n;
        if (r->pos == sizeof(r->out))
            refill(r);
    }
}

uint32_t rng_u32(struct rng *r)
{
    uint32_t v;

    rng_bytes(r, &v, sizeof(v));
    return v;
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t v;

    rng_bytes(r, &v, sizeof(v));
    return v;
}

/* Lemire's method: the product's upper half, with the few biased values drawn again. */
uint32_t rng_below(struct rng *r, uint32_t n)
{
    uint64_t m = (uint64_t)rng_u32(r) * n;

    if ((uint32_t)m < n) {
        uint32_t floor = (uint32_t)-n % n;

        while ((uint32_t)m < floor)
            m = (uint64_t)rng_u32(r) * n;
    }
    return (uint32_t)(m >> 32);
}

struct sip_key rng_sip_key(struct rng *r)
{
    struct sip_key k;

    k.k0 = rng_u64(r);
    k.k1 = rng_u64(r);
    return k;
}
