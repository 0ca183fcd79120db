#include "tcp/flow.h"

#include "base/must.h"

#include <sys/mman.h>

static uint32_t tag_of(uint64_t hash)
{
    /* Bits of both halves that the bucket numbers leave over, never 0. */
    return (uint32_t)(hash >> 20) | 1u;
}

static struct flow_bucket *bucket(const struct flow *f, uint64_t hash, int which)
{
    return &f->buckets[(which ? hash >> 32 : hash) & f->mask];
}

res flow_init(struct flow *f, uint32_t entries)
{
    uint64_t n = 1;
    void *p;

    memset(f, 0, sizeof(*f));
    while (n * FLOW_WAYS * 6 / 10 < entries)
        n *= 2;
    p = mmap(NULL, n * sizeof(struct flow_bucket), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return ERR(NOMEM);
    (void)madvise(p, n * sizeof(struct flow_bucket), MADV_HUGEPAGE);
    f->buckets = (struct flow_bucket *)p;
    f->mask = n - 1;
    return OK;
}

void flow_fini(struct flow *f)
{
    if (f->buckets)
        munmap(f->buckets, (f->mask + 1) * sizeof(struct flow_bucket));
    memset(f, 0, sizeof(*f));
}

static int free_ways(const struct flow_bucket *b)
{
    int n = 0;

    for (int i = 0; i < FLOW_WAYS; i++)
        n += b->value[i] == FLOW_NONE;
    return n;
}

static void put_in(struct flow_bucket *b, uint32_t tag, uint32_t value)
{
    for (int i = 0; i < FLOW_WAYS; i++) {
        if (b->value[i] == FLOW_NONE) {
            b->tag[i] = tag;
            b->value[i] = value;
            return;
        }
    }
}

static bool stash_add(struct flow *f, uint64_t hash, uint32_t value)
{
    for (int i = 0; i < FLOW_STASH; i++) {
        if (f->stash[i].value == FLOW_NONE) {
            f->stash[i].hash = hash;
            f->stash[i].value = value;
            f->stashed++;
            return true;
        }
    }
    return false;
}

bool flow_add(struct flow *f, uint64_t hash, uint32_t value)
{
    struct flow_bucket *a = bucket(f, hash, 0), *b = bucket(f, hash, 1);
    int free_a = free_ways(a), free_b = free_ways(b);

    if (free_a == 0 && free_b == 0) {
        if (!stash_add(f, hash, value))
            return false;
    } else {
        put_in(free_a >= free_b ? a : b, tag_of(hash), value);
    }
    f->used++;
    return true;
}

/* Where the entry with this value is. */
static uint32_t *slot_of(struct flow *f, uint64_t hash, uint32_t value)
{
    for (int which = 0; which < 2; which++) {
        struct flow_bucket *b = bucket(f, hash, which);

        for (int i = 0; i < FLOW_WAYS; i++) {
            if (b->value[i] == value)
                return &b->value[i];
        }
    }
    for (int i = 0; f->stashed && i < FLOW_STASH; i++) {
        if (f->stash[i].value == value)
            return &f->stash[i].value;
    }
    return NULL;
}

static bool in_stash(const struct flow *f, const uint32_t *slot)
{
    return (const uint8_t *)slot >= (const uint8_t *)f->stash &&
           (const uint8_t *)slot < (const uint8_t *)(f->stash + FLOW_STASH);
}

void flow_remove(struct flow *f, uint64_t hash, uint32_t value)
{
    uint32_t *slot = slot_of(f, hash, value);

    if (!SHOULD(slot != NULL))
        return;
    *slot = FLOW_NONE;
    if (in_stash(f, slot))
        f->stashed--;
    f->used--;
}

bool flow_change(struct flow *f, uint64_t hash, uint32_t old, uint32_t value)
{
    uint32_t *slot = slot_of(f, hash, old);

    if (!SHOULD(slot != NULL))
        return false;
    *slot = value;
    return true;
}

uint32_t flow_next(const struct flow *f, uint64_t hash, struct flow_it *it)
{
    uint32_t tag = tag_of(hash);
    bool same = bucket(f, hash, 0) == bucket(f, hash, 1);

    while (it->at < 2 * FLOW_WAYS) {
        uint32_t at = it->at++;
        const struct flow_bucket *b = bucket(f, hash, at >= FLOW_WAYS);

        if (same && at >= FLOW_WAYS)
            continue;
        if (b->tag[at % FLOW_WAYS] == tag && b->value[at % FLOW_WAYS] != FLOW_NONE)
            return b->value[at % FLOW_WAYS];
    }
    while (f->stashed && it->at < 2 * FLOW_WAYS + FLOW_STASH) {
        uint32_t at = it->at++ - 2 * FLOW_WAYS;

        if (f->stash[at].value != FLOW_NONE && f->stash[at].hash == hash)
            return f->stash[at].value;
    }
    return FLOW_NONE;
}
