/**
 * ring: records of any size from one writer thread to one reader thread, without locks.
 *
 * The storage is the creator's; its size is a power of two. A record is contiguous in memory. The
 * writer reserves, fills and commits; a ring without room answers NULL and counts, it never blocks.
 * Bound: a record takes its length rounded up to 8, plus 8; at most half of the ring.
 */
#ifndef SALLYPORT_BASE_RING_H
#define SALLYPORT_BASE_RING_H

#include "base/span.h"

struct ring {
    uint8_t *mem;
    uint32_t size_b;
    uint32_t pending;           /* writer only: where the reserved record begins */
    _Alignas(64) uint32_t head; /* bytes written, wraps; writer stores */
    uint32_t tail_seen;         /* writer's last look at tail */
    uint64_t full;              /* records refused for want of room; writer stores */
    _Alignas(64) uint32_t tail; /* bytes read, wraps; reader stores */
};

/* `mem` is 8-byte aligned, size_b a power of two of at least 64. */
void ring_init(struct ring *r, void *mem, uint32_t size_b);

/* Writer. At most one reservation at a time; commit with len <= what was reserved. */
void *ring_reserve(struct ring *r, uint16_t kind, uint32_t len);
void ring_commit(struct ring *r, uint32_t len);

/* Reader. The span is valid until ring_next. False: nothing there. */
bool ring_peek(struct ring *r, uint16_t *kind, struct span *record);
void ring_next(struct ring *r);

/* Reader: records refused so far. */
static inline uint64_t ring_full(const struct ring *r)
{
    return __atomic_load_n(&r->full, __ATOMIC_RELAXED);
}

#endif
