/**
 * hix: a hash index from 64-bit hashes to numbers, for building things out of many parts. The caller compares
 * what he finds; equal hashes may stand for different things.
 */
#ifndef SALLYPORT_CONTROL_HIX_H
#define SALLYPORT_CONTROL_HIX_H

#include "base/res.h"

#include <stdint.h>
#include <stdlib.h>

#define HIX_NONE UINT32_MAX

struct hix_slot {
    uint64_t hash;
    uint32_t value; /* + 1; 0: free */
};

struct hix {
    struct hix_slot *v;
    uint32_t mask;
};

/* For at most `count` entries. */
MUST_CHECK static inline res hix_init(struct hix *h, uint32_t count)
{
    uint32_t size = 8;

    while (size < 2 * count)
        size *= 2;
    h->mask = size - 1;
    h->v = (struct hix_slot *)calloc(size, sizeof(*h->v));
    return h->v ? OK : ERR(NOMEM);
}

static inline void hix_fini(struct hix *h)
{
    free(h->v);
    h->v = NULL;
}

static inline void hix_put(struct hix *h, uint64_t hash, uint32_t value)
{
    uint32_t i = (uint32_t)hash & h->mask;

    while (h->v[i].value)
        i = (i + 1) & h->mask;
    h->v[i] = (struct hix_slot){hash, value + 1};
}

/* The next value with this hash: begin with *step == 0. HIX_NONE: no more. */
static inline uint32_t hix_next(const struct hix *h, uint64_t hash, uint32_t *step)
{
    while (h->v) {
        const struct hix_slot *s = &h->v[((uint32_t)hash + (*step)++) & h->mask];

        if (!s->value)
            break;
        if (s->hash == hash)
            return s->value - 1;
    }
    return HIX_NONE;
}

#endif
