#include "base/rng.c" /* white box */
#include "lib/t.h"

/* RFC 8439 2.3.2 */
static void the_block_is_the_one_of_rfc_8439(void)
{
    static const uint8_t want[64] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
        0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
        0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
        0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
        0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
    uint8_t key_bytes[32], out[64];
    uint32_t key[8], nonce[3] = {0x09000000, 0x4a000000, 0};

    for (int i = 0; i < 32; i++)
        key_bytes[i] = (uint8_t)i;
    memcpy(key, key_bytes, 32);
    chacha20_block(key, 1, nonce, out);
    T_OK(memcmp(out, want, 64) == 0);
}

static void the_same_seed_gives_the_same_bytes_in_any_portions(void)
{
    struct rng a, b;
    static uint8_t x[5000], y[5000];

    rng_init_u64(&a, 42);
    rng_init_u64(&b, 42);
    rng_bytes(&a, x, sizeof(x));
    for (size_t i = 0; i < sizeof(y);) {
        size_t n = i % 97 + 1;

        n = n > sizeof(y) - i ? sizeof(y) - i : n;
        rng_bytes(&b, y + i, n);
        i += n;
    }
    T_OK(memcmp(x, y, sizeof(x)) == 0);
    rng_init_u64(&b, 43);
    rng_bytes(&b, y, sizeof(y));
    T_OK(memcmp(x, y, sizeof(x)) != 0);
}

static void what_was_handed_out_is_not_kept(void)
{
    struct rng r;
    uint8_t x[100];

    rng_init_u64(&r, 1);
    rng_bytes(&r, x, sizeof(x));
    for (uint32_t i = 0; i < r.pos; i++)
        T_NEED(r.out[i] == 0);
    t_pass("erased");
}

static void below_stays_below_and_reaches_all(void)
{
    struct rng r;
    uint32_t seen[7] = {0};

    rng_init_u64(&r, T_SEED);
    for (int i = 0; i < 70000; i++)
        seen[rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        T_OK(seen[i] > 9000 && seen[i] < 11000);
    T_EQ(rng_below(&r, 1), 0);
}

#define TESTS(X)                                          \
    X(the_block_is_the_one_of_rfc_8439)                   \
    X(the_same_seed_gives_the_same_bytes_in_any_portions) \
    X(what_was_handed_out_is_not_kept)                    \
    X(below_stays_below_and_reaches_all)
T_MAIN("rng", TESTS)
