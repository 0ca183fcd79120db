#include "base/ring.h"

#include "base/must.h"

/* In front of each record. kind 0xffff fills the rest of the ring up to its end. */
struct ring_hdr {
    uint32_t len;
    uint16_t kind;
    uint16_t zero;
};

#define RING_HDR_B  8u
#define RING_FILLER 0xffffu

static uint32_t rounded(uint32_t len)
{
    return RING_HDR_B + ((len + 7u) & ~7u);
}

static struct ring_hdr *hdr_at(const struct ring *r, uint32_t pos)
{
    return (struct ring_hdr *)(void *)(r->mem + (pos & (r->size_b - 1)));
}

void ring_init(struct ring *r, void *mem, uint32_t size_b)
{
    MUST(size_b >= 64 && (size_b & (size_b - 1)) == 0 && ((uintptr_t)mem & 7) == 0);
    memset(r, 0, sizeof(*r));
    r->mem = (uint8_t *)mem;
    r->size_b = size_b;
}

/* Room for `need` bytes after `head`, looking at the reader's progress only when it seems full. */
static bool has_room(struct ring *r, uint32_t head, uint32_t need)
{
    if (r->size_b - (head - r->tail_seen) >= need)
        return true;
    r->tail_seen = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
    return r->size_b - (head - r->tail_seen) >= need;
}

void *ring_reserve(struct ring *r, uint16_t kind, uint32_t len)
{
    uint32_t head = r->head;
    uint32_t to_end = r->size_b - (head & (r->size_b - 1));
    uint32_t need, skip;
    struct ring_hdr *h;

    if (len > r->size_b / 2 - RING_HDR_B) {
        __atomic_store_n(&r->full, r->full + 1, __ATOMIC_RELAXED);
        return NULL;
    }
    need = rounded(len);
    skip = need > to_end ? to_end : 0;
    if (!has_room(r, head, need + skip)) {
        __atomic_store_n(&r->full, r->full + 1, __ATOMIC_RELAXED);
        return NULL;
    }
    if (skip) {
        *hdr_at(r, head) = (struct ring_hdr){skip - RING_HDR_B, RING_FILLER, 0};
        head += skip;
    }
    h = hdr_at(r, head);
    *h = (struct ring_hdr){len, kind, 0};
    r->pending = head;
    return h + 1;
}

void ring_commit(struct ring *r, uint32_t len)
{
    struct ring_hdr *h = hdr_at(r, r->pending);

    MUST_HOT(len <= h->len);
    h->len = len;
    __atomic_store_n(&r->head, r->pending + rounded(len), __ATOMIC_RELEASE);
}

bool ring_peek(struct ring *r, uint16_t *kind, struct span *record)
{
    uint32_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);

    while (r->tail != head) {
        const struct ring_hdr *h = hdr_at(r, r->tail);

        if (h->kind != RING_FILLER) {
            *kind = h->kind;
            *record = span_of(h + 1, h->len);
            return true;
        }
        __atomic_store_n(&r->tail, r->tail + rounded(h->len), __ATOMIC_RELEASE);
    }
    return false;
}

void ring_next(struct ring *r)
{
    const struct ring_hdr *h = hdr_at(r, r->tail);

    __atomic_store_n(&r->tail, r->tail + rounded(h->len), __ATOMIC_RELEASE);
}
