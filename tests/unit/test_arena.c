#include "base/arena.c" /* white box */
#include "lib/t.h"

static void memory_is_zeroed_aligned_and_apart(void)
{
    struct arena a;
    uint8_t *last = NULL;

    arena_init(&a);
    for (size_t n = 1; n < 5000; n += 37) {
        uint8_t *p = (uint8_t *)arena_get(&a, n, 1);

        T_NEED(p != NULL && ((uintptr_t)p & 15) == 0 && p != last);
        for (size_t i = 0; i < n; i++)
            T_NEED(p[i] == 0);
        memset(p, 0xaa, n);
        last = p;
    }
    T_OK(arena_get(&a, 1, 300000) != NULL);
    T_STR(arena_text(&a, SPAN_LIT("text")), "text");
    arena_fini(&a);
    T_EQ(a.used_b, 0);
}

static void absurd_sizes_are_refused(void)
{
    struct arena a;

    arena_init(&a);
    T_OK(!arena_get(&a, SIZE_MAX, 2));
    T_OK(!arena_get(&a, SIZE_MAX, 1));
    arena_fini(&a);
}

#define TESTS(X) X(memory_is_zeroed_aligned_and_apart) X(absurd_sizes_are_refused)
T_MAIN("arena", TESTS)
