#include "base/pool.c" /* white box */
#include "base/rng.h"
#include "lib/t.h"

static void a_pool_hands_out_all_and_no_more(void)
{
    struct pool p;
    void *o[10];

    T_NEED(IS_OK(pool_init(&p, 20, 10)));
    for (int i = 0; i < 10; i++) {
        o[i] = pool_get(&p);
        T_NEED(o[i] != NULL);
        T_EQ(pool_index(&p, o[i]), i);
        memset(o[i], 0xee, 20);
    }
    T_OK(!pool_get(&p));
    T_EQ(p.refused, 1);
    pool_put(&p, o[3]);
    T_OK(pool_get(&p) == o[3]);
    T_EQ(p.used, 10);
    T_EQ(p.peak, 10);
    pool_fini(&p);
}

static void a_stale_handle_resolves_to_nothing(void)
{
    struct pool p;
    struct handle h;
    void *o;

    T_NEED(IS_OK(pool_init(&p, 64, 4)));
    T_OK(!pool_deref(&p, HANDLE_NONE));
    o = pool_get(&p);
    h = pool_handle(&p, o);
    T_OK(pool_deref(&p, h) == o);
    pool_put(&p, o);
    T_OK(!pool_deref(&p, h));
    T_OK(pool_get(&p) == o);
    T_OK(!pool_deref(&p, h));
    h.index = 99;
    T_OK(!pool_deref(&p, h));
    pool_fini(&p);
}

static void random_use_keeps_objects_apart(void)
{
    enum { N = 300 };
    struct pool p;
    struct rng r;
    uint32_t *o[N] = {0};

    rng_init_u64(&r, T_SEED);
    T_NEED(IS_OK(pool_init(&p, 12, N)));
    for (int step = 0; step < 100000; step++) {
        uint32_t i = rng_below(&r, N);

        if (o[i]) {
            T_NEED(o[i][0] == i && o[i][2] == ~i);
            pool_put(&p, o[i]);
            o[i] = NULL;
        } else {
            o[i] = (uint32_t *)pool_get(&p);
            T_NEED(o[i] != NULL);
            o[i][0] = i;
            o[i][2] = ~i;
        }
    }
    t_pass("apart");
    pool_fini(&p);
}

#define TESTS(X)                          \
    X(a_pool_hands_out_all_and_no_more)   \
    X(a_stale_handle_resolves_to_nothing) \
    X(random_use_keeps_objects_apart)
T_MAIN("pool", TESTS)
