/**
 * pool: objects of one size for one core. O(1), no heap after init, no locks.
 *
 * Memory that was never handed out is never touched, so a pool can be sized for a million objects
 * and costs only what is used (the storage comes zeroed from the kernel).
 * A handle {index, generation} outlives its object safely: pool_deref answers NULL once it was put.
 */
#ifndef SALLYPORT_BASE_POOL_H
#define SALLYPORT_BASE_POOL_H

#include "base/res.h"

#include <stdint.h>

struct pool {
    uint8_t *mem;
    uint32_t *gens; /* odd while the object is in use */
    uint32_t obj_b, cap;
    uint32_t touched;   /* objects [0, touched) were handed out at least once */
    uint32_t free_head; /* index + 1 of the first free one, 0 = none */
    uint32_t used, peak;
    uint64_t refused; /* pool_get that found nothing */
};

struct handle {
    uint32_t index, gen;
};

#define HANDLE_NONE ((struct handle){0, 0})

/* obj_b is at least 8 and rounded up to 8 by the pool. Memory is mapped, zeroed, given back by fini. */
MUST_CHECK res pool_init(struct pool *p, uint32_t obj_b, uint32_t cap);
void pool_fini(struct pool *p);

void *pool_get(struct pool *p); /* content is whatever was left there; NULL when full */
void pool_put(struct pool *p, void *obj);

/* Memory of the objects in use. */
static inline uint64_t pool_used_b(const struct pool *p)
{
    return (uint64_t)p->used * p->obj_b;
}

static inline uint32_t pool_index(const struct pool *p, const void *obj)
{
    return (uint32_t)((size_t)((const uint8_t *)obj - p->mem) / p->obj_b);
}

static inline void *pool_at(const struct pool *p, uint32_t index)
{
    return p->mem + (size_t)index * p->obj_b;
}

static inline struct handle pool_handle(const struct pool *p, const void *obj)
{
    uint32_t i = pool_index(p, obj);

    return (struct handle){i, p->gens[i]};
}

static inline void *pool_deref(const struct pool *p, struct handle h)
{
    return h.index < p->touched && (h.gen & 1) && p->gens[h.index] == h.gen ? pool_at(p, h.index)
                                                                            : NULL;
}

/* Is the object at `index` in use? For walks over all objects. */
static inline bool pool_live(const struct pool *p, uint32_t index)
{
    return index < p->touched && (p->gens[index] & 1);
}

#endif
