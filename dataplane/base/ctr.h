/**
 * Counters. Each module lists its own in a .def file, one line each: CTR(NAME, "name", "help").
 *
 * A core owns its array and is the only writer; control reads with relaxed loads and adds the cores
 * up. A counter is never reset. Text: "name" as shown by `sallyctl stats`.
 */
#ifndef SALLYPORT_BASE_CTR_H
#define SALLYPORT_BASE_CTR_H

#include <stdint.h>

struct ctr_desc {
    const char *name;
    const char *help;
};

/* On the owner's core. */
static inline void ctr_add(uint64_t *c, uint64_t n)
{
    __atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
}

/* From anywhere. */
static inline uint64_t ctr_read(const uint64_t *c)
{
    return __atomic_load_n(c, __ATOMIC_RELAXED);
}

#endif
