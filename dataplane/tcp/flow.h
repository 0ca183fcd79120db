/**
 * flow: from four-tuple to connection, request or TIME_WAIT entry. Buckets of one cache line with eight
 * 32-bit tags and eight indices; two buckets to choose from by one keyed hash, and a small stash for
 * the rare pair that is full (below 0.001 % at the load we size for). The tuple itself is compared in
 * the object, by whoever asks.
 */
#ifndef SALLYPORT_TCP_FLOW_H
#define SALLYPORT_TCP_FLOW_H

#include "base/res.h"
#include "base/siphash.h"

#define FLOW_WAYS  8
#define FLOW_STASH 32

/* What an entry stands for: in the two top bits of its value. */
enum flow_kind { FLOW_CONN = 1, FLOW_REQ = 2, FLOW_TW = 3 };

#define FLOW_NONE      0u
#define FLOW_INDEX_MAX 0x3fffffffu

static inline uint32_t flow_value(enum flow_kind kind, uint32_t index)
{
    return (uint32_t)kind << 30 | index;
}

static inline enum flow_kind flow_kind_of(uint32_t value)
{
    return (enum flow_kind)(value >> 30);
}

static inline uint32_t flow_index_of(uint32_t value)
{
    return value & FLOW_INDEX_MAX;
}

struct flow_bucket {
    _Alignas(64) uint32_t tag[FLOW_WAYS];
    uint32_t value[FLOW_WAYS]; /* FLOW_NONE: free */
};

struct flow {
    struct flow_bucket *buckets;
    uint64_t mask; /* number of buckets - 1 */
    uint32_t used, stashed;
    struct {
        uint64_t hash;
        uint32_t value;
    } stash[FLOW_STASH];
};

/* Room for `entries`, at a load of at most 0.6. */
MUST_CHECK res flow_init(struct flow *f, uint32_t entries);
void flow_fini(struct flow *f);

/* False: both buckets and the stash are full. */
bool flow_add(struct flow *f, uint64_t hash, uint32_t value);
void flow_remove(struct flow *f, uint64_t hash, uint32_t value);
/* Make the entry of `old` stand for `value`: a request becomes a connection, a connection TIME_WAIT. */
bool flow_change(struct flow *f, uint64_t hash, uint32_t old, uint32_t value);

/* Candidates for a hash: begin with it == {0}; FLOW_NONE at the end. */
struct flow_it {
    uint32_t at;
};

uint32_t flow_next(const struct flow *f, uint64_t hash, struct flow_it *it);

static inline void flow_prefetch(const struct flow *f, uint64_t hash)
{
    __builtin_prefetch(&f->buckets[hash & f->mask]);
    __builtin_prefetch(&f->buckets[hash >> 32 & f->mask]);
}

#endif
