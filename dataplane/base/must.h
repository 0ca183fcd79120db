/**
 * Checks of our own invariants. Never used on anything a peer can choose.
 *
 * MUST(x)      stops the process with a trace.
 * SHOULD(x)    counts, prints once per place, evaluates to x: the caller mends what it can.
 * MUST_HOT(x)  MUST in builds for tests, simulation and fuzzing (SP_CHECKED), nothing elsewhere.
 */
#ifndef SALLYPORT_BASE_MUST_H
#define SALLYPORT_BASE_MUST_H

#include <stdbool.h>
#include <stdint.h>

_Noreturn void must_failed(const char *expr, const char *file, int line);

/* One per SHOULD in the source. The list of places that ever failed is read by control. */
struct should_place {
    const char *expr;
    const char *file;
    int line;
    uint64_t hits;
    struct should_place *next;
};

void should_failed(struct should_place *place);

/* Sum of all failed SHOULD in this process; 0 in a healthy one. */
uint64_t should_total(void);

#define MUST(x)                                  \
    do {                                         \
        if (__builtin_expect(!(x), 0))           \
            must_failed(#x, __FILE__, __LINE__); \
    } while (0)

#define SHOULD(x)                                                                      \
    __extension__({                                                                    \
        bool should_ok_ = (x);                                                         \
        if (__builtin_expect(!should_ok_, 0)) {                                        \
            static struct should_place should_place_ = {#x, __FILE__, __LINE__, 0, 0}; \
            should_failed(&should_place_);                                             \
        }                                                                              \
        should_ok_;                                                                    \
    })

#ifdef SP_CHECKED
#define MUST_HOT(x) MUST(x)
#else
#define MUST_HOT(x) ((void)sizeof(!(x)))
#endif

#endif
