#include "crypto/staple.h"

#include "lib/t.h"

#include <pthread.h>
#include <sched.h>

static void what_is_put_is_copied_until_its_time_is_over(void)
{
    static uint8_t big[STAPLE_MAX_B + 1];
    struct staple *s = NULL;
    uint8_t out[32];

    T_NEED(IS_OK(staple_new(&s)));
    T_EQ(staple_len(s, 0), 0);
    T_EQ(staple_copy(s, 0, out, sizeof(out)), 0);
    staple_put(s, SPAN_LIT("thirteen byte"), 100);
    T_EQ(staple_len(s, 100), 13);
    T_EQ(staple_copy(s, 100, out, sizeof(out)), 13);
    T_OK(memcmp(out, "thirteen byte", 13) == 0);
    T_EQ(staple_copy(s, 101, out, sizeof(out)), 0);
    T_EQ(staple_copy(s, 100, out, 12), 0);
    staple_put(s, span_of(big, STAPLE_MAX_B), 100);
    T_EQ(staple_len(s, 1), STAPLE_MAX_B);
    staple_put(s, span_of(big, sizeof(big)), 100);
    T_EQ(staple_len(s, 1), 0);
    staple_put(s, SPAN_LIT("x"), 100);
    staple_put(s, SPAN_NONE, 0);
    T_EQ(staple_len(s, 0), 0);
    T_OK(staple_ref(s) == s);
    staple_unref(s);
    staple_unref(s);
}

static int stop;

/* Each one is a run of one letter; its length tells which. */
static void *writer(void *arg)
{
    struct staple *s = (struct staple *)arg;
    uint8_t text[1024];

    for (uint32_t n = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++) {
        uint32_t len = 500 + n % 500;

        memset(text, (int)(len & 0xff), len);
        staple_put(s, span_of(text, len), 100);
        if (n % 8 == 0) /* else nobody would ever come through */
            sched_yield();
    }
    return NULL;
}

static void a_reader_never_gets_a_mixture(void)
{
    struct staple *s = NULL;
    uint8_t out[1024];
    uint32_t whole = 0, mixed = 0;
    pthread_t t;

    T_NEED(IS_OK(staple_new(&s)));
    staple_put(s, SPAN_LIT("x"), 100);
    T_NEED(pthread_create(&t, NULL, writer, s) == 0);
    for (uint32_t i = 0; i < 200000 || (whole < 100 && i < 20000000); i++) {
        uint32_t len = staple_copy(s, 1, out, sizeof(out));

        for (uint32_t k = 0; len > 1 && k < len; k++)
            mixed += out[k] != (uint8_t)(len & 0xff);
        whole += len > 1;
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(t, NULL);
    T_EQ(mixed, 0);
    T_OK(whole > 0);
    staple_unref(s);
}

#define TESTS(X) X(what_is_put_is_copied_until_its_time_is_over) X(a_reader_never_gets_a_mixture)
T_MAIN("staple", TESTS)
