#include "control/slots.h"

#include "base/must.h"

#include <stdlib.h>

struct slot {
    struct slot_key key;
    uint32_t refs;
    uint64_t put_at; /* when the last reference went; 0: never used */
};

struct slots {
    struct slot v[SNAP_SLOTS_MAX];
    uint64_t clock;
    uint32_t used;
};

res slots_new(struct slots **out)
{
    *out = (struct slots *)calloc(1, sizeof(**out));
    return *out ? OK : ERR(NOMEM);
}

void slots_free(struct slots *s)
{
    free(s);
}

static bool known(const struct slot *s)
{
    return s->refs || s->put_at;
}

uint32_t slots_get(struct slots *s, const struct slot_key *key)
{
    uint32_t oldest = SNAP_NONE;

    for (uint32_t i = 0; i < SNAP_SLOTS_MAX; i++) {
        struct slot *at = &s->v[i];

        if (known(at) && memcmp(&at->key, key, sizeof(*key)) == 0) {
            s->used += at->refs++ == 0;
            return i;
        }
        if (!at->refs && (oldest == SNAP_NONE || at->put_at < s->v[oldest].put_at))
            oldest = i;
    }
    if (oldest != SNAP_NONE) {
        memcpy(&s->v[oldest].key, key, sizeof(*key)); /* padding, too: compared as bytes */
        s->v[oldest].refs = 1;
        s->used++;
    }
    return oldest;
}

void slots_put(struct slots *s, uint32_t slot)
{
    MUST(slot < SNAP_SLOTS_MAX && s->v[slot].refs > 0);
    if (--s->v[slot].refs == 0) {
        s->v[slot].put_at = ++s->clock;
        s->used--;
    }
}

uint32_t slots_used(const struct slots *s)
{
    return s->used;
}
