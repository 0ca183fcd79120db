#include "base/siphash.c" /* white box */
#include "lib/t.h"

static struct sip_key key_of_the_paper(void)
{
    struct sip_key k;
    uint8_t b[16];

    for (int i = 0; i < 16; i++)
        b[i] = (uint8_t)i;
    memcpy(&k, b, 16);
    return k;
}

/* The reference vectors: input 00 01 02 ..., key 00..0f (paper, appendix A, and vectors.h). */
static void vectors_of_siphash_2_4(void)
{
    struct sip_key k = key_of_the_paper();
    uint8_t in[64];

    for (int i = 0; i < 64; i++)
        in[i] = (uint8_t)i;
    T_EQ(siphash24(&k, in, 0), 0x726fdb47dd0e0e31ULL);
    T_EQ(siphash24(&k, in, 1), 0x74f839c593dc67fdULL);
    T_EQ(siphash24(&k, in, 8), 0x93f5f5799a932462ULL);
    T_EQ(siphash24(&k, in, 15), 0xa129ca6149be45e5ULL);
}

static void one_three_differs_and_depends_on_the_key(void)
{
    struct sip_key k = key_of_the_paper(), other = k;

    other.k1 ^= 1;
    T_OK(siphash13(&k, "abc", 3) != siphash24(&k, "abc", 3));
    T_OK(siphash13(&k, "abc", 3) != siphash13(&other, "abc", 3));
    T_OK(siphash13(&k, "abc", 3) != siphash13(&k, "abd", 3));
}

#define TESTS(X) X(vectors_of_siphash_2_4) X(one_three_differs_and_depends_on_the_key)
T_MAIN("siphash", TESTS)
