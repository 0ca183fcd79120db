#include "base/ring.c" /* white box */
#include "base/rng.h"
#include "lib/t.h"

#include <pthread.h>

static _Alignas(8) uint8_t mem[4096];

static void what_goes_in_comes_out_in_order(void)
{
    struct ring r;
    uint16_t kind;
    struct span s;

    ring_init(&r, mem, sizeof(mem));
    T_OK(!ring_peek(&r, &kind, &s));
    for (int round = 0; round < 1000; round++) {
        uint32_t len = (uint32_t)(round * 7 % 900);
        uint8_t *p = (uint8_t *)ring_reserve(&r, (uint16_t)(round % 100), len + 10);

        T_NEED(p != NULL);
        memset(p, round, len);
        ring_commit(&r, len);
        T_NEED(ring_peek(&r, &kind, &s));
        T_EQ(kind, round % 100);
        T_EQ(s.len, len);
        for (uint32_t i = 0; i < len; i++)
            T_NEED(s.p[i] == (uint8_t)round);
        ring_next(&r);
    }
    T_EQ(ring_full(&r), 0);
}

static void a_full_ring_refuses_and_counts(void)
{
    struct ring r;
    uint16_t kind;
    struct span s;
    int in = 0, out = 0;

    ring_init(&r, mem, sizeof(mem));
    while (ring_reserve(&r, 1, 100)) {
        ring_commit(&r, 100);
        in++;
    }
    T_EQ(in, 4096 / 112);
    T_EQ(ring_full(&r), 1);
    for (; ring_peek(&r, &kind, &s); out++)
        ring_next(&r);
    T_EQ(out, in);
    T_OK(ring_reserve(&r, 1, 100) != NULL);
}

static void a_record_larger_than_half_the_ring_is_refused(void)
{
    struct ring r;

    ring_init(&r, mem, sizeof(mem));
    T_OK(!ring_reserve(&r, 1, sizeof(mem) / 2));
    T_OK(!ring_reserve(&r, 1, UINT32_MAX));
    T_EQ(ring_full(&r), 2);
}

struct pair {
    struct ring r;
    uint64_t sum_in, sum_out;
};

#define RECORDS 200000

static void *writer(void *arg)
{
    struct pair *p = (struct pair *)arg;
    struct rng rng;

    rng_init_u64(&rng, 5);
    for (int i = 0; i < RECORDS;) {
        uint32_t len = 8 + rng_below(&rng, 120);
        uint8_t *to = (uint8_t *)ring_reserve(&p->r, 3, len);
        uint64_t v = (uint64_t)i * 2654435761u;

        if (!to)
            continue;
        memcpy(to, &v, 8);
        ring_commit(&p->r, len);
        p->sum_in += v;
        i++;
    }
    return NULL;
}

static void two_threads_lose_nothing(void)
{
    static struct pair p;
    pthread_t t;
    uint16_t kind;
    struct span s;

    ring_init(&p.r, mem, sizeof(mem));
    T_NEED(pthread_create(&t, NULL, writer, &p) == 0);
    for (int i = 0; i < RECORDS;) {
        uint64_t v;

        if (!ring_peek(&p.r, &kind, &s))
            continue;
        memcpy(&v, s.p, 8);
        T_NEED(v == (uint64_t)i * 2654435761u);
        p.sum_out += v;
        ring_next(&p.r);
        i++;
    }
    pthread_join(t, NULL);
    T_EQ(p.sum_in, p.sum_out);
}

#define TESTS(X)                                     \
    X(what_goes_in_comes_out_in_order)               \
    X(a_full_ring_refuses_and_counts)                \
    X(a_record_larger_than_half_the_ring_is_refused) \
    X(two_threads_lose_nothing)
T_MAIN("ring", TESTS)
