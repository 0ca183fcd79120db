/**
 * Unit tests: one binary per source file, test names are sentences.
 *
 *     #define TESTS(X) X(first_sample) X(rto_bounds)
 *     T_MAIN("tcp_rtt", TESTS)
 *
 * A test that is written and not listed does not compile (static and unused). A failing row of a table
 * names itself. T_SEED is the seed of this run: printed when the run fails, T_SEED=n replays it.
 */
#ifndef SALLYPORT_TESTS_T_H
#define SALLYPORT_TESTS_T_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/res.h"
#include "base/span.h"

static inline void t_fail(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);

static inline void t_fail(const char *file, int line, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fprintf(stderr, "%s:%d: %s\n", file, line, text);
    CU_assertImplementation(CU_FALSE, (unsigned)line, text, file, "", CU_FALSE);
}

static inline void t_pass(const char *what)
{
    CU_assertImplementation(CU_TRUE, 0, what, "", "", CU_FALSE);
}

#define T_OK(cond)                                                  \
    do {                                                            \
        if (cond)                                                   \
            t_pass(#cond);                                          \
        else                                                        \
            t_fail(__FILE__, __LINE__, "does not hold: %s", #cond); \
    } while (0)

/* Stops this test: for preconditions only, since clean-ups do not run. */
#define T_NEED(cond)                                                                 \
    do {                                                                             \
        if (!(cond)) {                                                               \
            fprintf(stderr, "%s:%d: precondition: %s\n", __FILE__, __LINE__, #cond); \
            CU_ASSERT_FATAL(cond);                                                   \
        }                                                                            \
    } while (0)

#define T_EQ(got, want)                                                                        \
    do {                                                                                       \
        uint64_t t_g_ = (uint64_t)(got), t_w_ = (uint64_t)(want);                              \
        if (t_g_ == t_w_)                                                                      \
            t_pass(#got);                                                                      \
        else                                                                                   \
            t_fail(__FILE__, __LINE__,                                                         \
                   "%s is %" PRIu64 " (0x%" PRIx64 "), not %" PRIu64 " (0x%" PRIx64 ")", #got, \
                   t_g_, t_g_, t_w_, t_w_);                                                    \
    } while (0)

#define T_ROW_EQ(row, got, want)                                                               \
    do {                                                                                       \
        uint64_t t_g_ = (uint64_t)(got), t_w_ = (uint64_t)(want);                              \
        if (t_g_ == t_w_)                                                                      \
            t_pass(#got);                                                                      \
        else                                                                                   \
            t_fail(__FILE__, __LINE__, "row '%s': %s is %" PRIu64 ", not %" PRIu64, row, #got, \
                   t_g_, t_w_);                                                                \
    } while (0)

#define T_STR(got, want)                                                                         \
    do {                                                                                         \
        const char *t_g_ = (got), *t_w_ = (want);                                                \
        if (t_g_ && t_w_ && strcmp(t_g_, t_w_) == 0)                                             \
            t_pass(#got);                                                                        \
        else                                                                                     \
            t_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #got, t_g_ ? t_g_ : "(null)", \
                   t_w_ ? t_w_ : "(null)");                                                      \
    } while (0)

#define T_SPAN(got, want) /* want: a C string */                                          \
    do {                                                                                  \
        struct span t_g_ = (got), t_w_ = span_str(want);                                  \
        if (span_eq(t_g_, t_w_))                                                          \
            t_pass(#got);                                                                 \
        else                                                                              \
            t_fail(__FILE__, __LINE__, "%s is \"%.*s\", not \"%s\"", #got, (int)t_g_.len, \
                   (const char *)t_g_.p, (const char *)t_w_.p);                           \
    } while (0)

/* The seed of this run: T_SEED from the environment, else the clock's. */
static inline uint64_t t_seed(void)
{
    static uint64_t seed;
    const char *env = getenv("T_SEED");

    if (!seed) {
        seed = env ? strtoull(env, NULL, 0) : ((uint64_t)time(NULL) << 20 ^ (uint64_t)getpid());
        fprintf(stderr, "T_SEED=%" PRIu64 "\n", seed);
    }
    return seed;
}

#define T_SEED t_seed()

#define T_ADD_(name)                      \
    if (!CU_add_test(suite, #name, name)) \
        return 2;

#define T_MAIN(suite_name, TESTS)                     \
    int main(void)                                    \
    {                                                 \
        CU_pSuite suite;                              \
        unsigned failed;                              \
                                                      \
        if (CU_initialize_registry() != CUE_SUCCESS)  \
            return 2;                                 \
        suite = CU_add_suite(suite_name, NULL, NULL); \
        if (!suite)                                   \
            return 2;                                 \
        TESTS(T_ADD_)                                 \
        CU_basic_set_mode(CU_BRM_NORMAL);             \
        CU_basic_run_tests();                         \
        failed = CU_get_number_of_failures();         \
        CU_cleanup_registry();                        \
        return failed ? 1 : 0;                        \
    }

#endif
