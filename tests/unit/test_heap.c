#include "base/rng.h"
#include "crypto/heap.c" /* white box */
#include "lib/t.h"

static void classes_are_in_order_and_waste_little(void)
{
    for (uint32_t c = 1; c < CLASSES; c++)
        T_OK(class_size(c) > class_size(c - 1));
    for (size_t n = 1; n <= HEAP_LARGEST_B; n++) {
        uint32_t c = class_of(n);

        T_NEED(c < CLASSES && class_size(c) >= n);
        T_NEED(c == 0 || class_size(c - 1) < n);
        T_NEED(n < 128 || class_size(c) <= n + n / 4 + 1);
    }
    t_pass("all sizes");
}

static void the_bound_is_kept_and_counted(void)
{
    struct heap *h;
    struct heap_stats st;
    void *first;
    int n = 1;

    T_NEED(IS_OK(heap_new(1 << 20, &h)));
    first = heap_get(h, 10000);
    T_NEED(first != NULL);
    while (heap_get(h, 10000))
        n++;
    heap_stats(h, &st);
    T_OK(n >= 80 && n <= 104);
    T_EQ(st.refused, 1);
    T_OK(st.used_b <= st.bound_b);
    T_OK(!heap_get(h, HEAP_LARGEST_B + 1));
    heap_put(h, first);
    T_OK(heap_get(h, 9999) == first);
    heap_free(h);
}

static void memory_is_apart_and_aligned(void)
{
    enum { N = 400 };
    static struct {
        uint8_t *p;
        size_t n;
    } o[N];
    struct heap *h;
    struct heap_stats st;
    struct rng r;

    memset(o, 0, sizeof(o));
    rng_init_u64(&r, T_SEED);
    T_NEED(IS_OK(heap_new(64 << 20, &h)));
    for (int step = 0; step < 100000; step++) {
        uint32_t i = rng_below(&r, N);

        if (o[i].p) {
            T_NEED(o[i].p[0] == (uint8_t)i && o[i].p[o[i].n - 1] == (uint8_t)i);
            heap_put(h, o[i].p);
            o[i].p = NULL;
            continue;
        }
        o[i].n = 1 + rng_below(&r, 1u << (4 + rng_below(&r, 12)));
        o[i].p = (uint8_t *)heap_get(h, o[i].n);
        T_NEED(o[i].p && ((uintptr_t)o[i].p & 15) == 0 && heap_owns(h, o[i].p));
        T_NEED(heap_size(h, o[i].p) >= o[i].n);
        memset(o[i].p, (int)i, o[i].n);
    }
    for (int i = 0; i < N; i++) {
        if (o[i].p)
            heap_put(h, o[i].p);
    }
    heap_stats(h, &st);
    T_EQ(st.used_b, 0);
    T_OK(!heap_owns(h, &st));
    heap_free(h);
}

#define TESTS(X)                             \
    X(classes_are_in_order_and_waste_little) \
    X(the_bound_is_kept_and_counted)         \
    X(memory_is_apart_and_aligned)
T_MAIN("heap", TESTS)
