#include "base/must.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void must_failed(const char *expr, const char *file, int line)
{
    void *frames[32];
    int n = backtrace(frames, 32);

    fprintf(stderr, "BUG %s:%d: MUST(%s) does not hold\n", file, line, expr);
    backtrace_symbols_fd(frames, n, STDERR_FILENO);
    abort();
}

/* Shared by all threads and written only on our own bugs: not a data-path global. */
static struct should_place *places;
static uint64_t total;

void should_failed(struct should_place *place)
{
    __atomic_fetch_add(&total, 1, __ATOMIC_RELAXED);
    if (__atomic_fetch_add(&place->hits, 1, __ATOMIC_RELAXED) != 0)
        return;
    fprintf(stderr, "BUG %s:%d: SHOULD(%s) does not hold\n", place->file, place->line, place->expr);
    place->next = __atomic_load_n(&places, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&places, &place->next, place, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
}

uint64_t should_total(void)
{
    return __atomic_load_n(&total, __ATOMIC_RELAXED);
}
