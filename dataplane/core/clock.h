/**
 * clock: the TSC as nanoseconds. Read once per turn; no system call.
 */
#ifndef SALLYPORT_CORE_CLOCK_H
#define SALLYPORT_CORE_CLOCK_H

#include <stdint.h>
#include <x86intrin.h>

struct clock {
    uint64_t tsc0;
    uint64_t base_ns;
    uint64_t mult; /* ns per cycle, 32.32 */
};

/* From the TSC's frequency. Time begins at some seconds, so that 0 is never now. */
static inline void clock_init(struct clock *c, uint64_t tsc_hz)
{
    c->tsc0 = __rdtsc();
    c->base_ns = 10ULL * 1000000000;
    c->mult = (uint64_t)(((unsigned __int128)1000000000 << 32) / tsc_hz);
}

static inline uint64_t clock_now(const struct clock *c)
{
    unsigned __int128 cycles = __rdtsc() - c->tsc0;

    return c->base_ns + (uint64_t)(cycles * c->mult >> 32);
}

#endif
