#include "base/wheel.h"

#include "base/must.h"

#include <string.h>

#define SLOT_MASK (WHEEL_SLOTS - 1u)
#define WHERE_DUE 0xffffffffu

void wheel_init(struct wheel *w, uint64_t now_ns)
{
    memset(w, 0, sizeof(*w));
    w->base_ns = now_ns;
}

static uint64_t tick_floor(const struct wheel *w, uint64_t ns)
{
    return ns <= w->base_ns ? 0 : (ns - w->base_ns) >> WHEEL_TICK_SHIFT;
}

static uint64_t tick_ns(const struct wheel *w, uint64_t tick)
{
    return w->base_ns + (tick << WHEEL_TICK_SHIFT);
}

/* Rounded up, so that nothing fires early. */
static uint64_t tick_ceil(const struct wheel *w, uint64_t ns)
{
    uint64_t up = (1ULL << WHEEL_TICK_SHIFT) - 1;
    uint64_t reach = (uint64_t)(UINT32_MAX / 2) << WHEEL_TICK_SHIFT;
    uint64_t now_ns = tick_ns(w, w->now);
    uint64_t left;

    if (ns <= now_ns)
        return w->now;
    left = ns - now_ns;
    if (left > reach)
        left = reach;
    return w->now + ((left + up) >> WHEEL_TICK_SHIFT);
}

static void attach(struct wheel_node **list, struct wheel_node *node)
{
    node->next = *list;
    if (node->next)
        node->next->pprev = &node->next;
    node->pprev = list;
    *list = node;
}

static void detach(struct wheel_node *node)
{
    *node->pprev = node->next;
    if (node->next)
        node->next->pprev = node->pprev;
    node->pprev = NULL;
    node->next = NULL;
}

/* Put the node where its distance from `now` says. */
static void place(struct wheel *w, struct wheel_node *node)
{
    uint32_t delta = node->at - (uint32_t)w->now;
    int level = delta < 1u << 8 ? 0 : delta < 1u << 16 ? 1 : delta < 1u << 24 ? 2 : 3;
    uint32_t slot = node->at >> (8 * level) & SLOT_MASK;

    if (delta == 0) {
        node->where = WHERE_DUE;
        attach(&w->due, node);
        return;
    }
    node->where = (uint32_t)level << 8 | slot;
    attach(&w->slot[level][slot], node);
    w->map[level][slot / 64] |= 1ULL << (slot % 64);
}

static void take_out(struct wheel *w, struct wheel_node *node)
{
    uint32_t level = node->where >> 8, slot = node->where & SLOT_MASK;

    detach(node);
    if (node->where != WHERE_DUE && !w->slot[level][slot])
        w->map[level][slot / 64] &= ~(1ULL << (slot % 64));
}

void wheel_arm(struct wheel *w, struct wheel_node *node, uint64_t at_ns)
{
    uint32_t at = (uint32_t)tick_ceil(w, at_ns);

    if (node->pprev) {
        if (node->at == at)
            return;
        take_out(w, node);
    } else {
        w->armed++;
    }
    node->at = at;
    place(w, node);
}

void wheel_disarm(struct wheel *w, struct wheel_node *node)
{
    if (!node->pprev)
        return;
    take_out(w, node);
    w->armed--;
}

uint64_t wheel_at_ns(const struct wheel *w, const struct wheel_node *node)
{
    int32_t ahead = (int32_t)(node->at - (uint32_t)w->now);

    return tick_ns(w, w->now + (uint64_t)(int64_t)ahead);
}

/* Distance from slot `from` (exclusive) to the next occupied one of this level, 1..256; 0 = none. */
static uint32_t next_occupied(const uint64_t map[WHEEL_SLOTS / 64], uint32_t from)
{
    for (uint32_t d = 1; d <= WHEEL_SLOTS;) {
        uint32_t s = (from + d) & SLOT_MASK;
        uint64_t bits = map[s / 64] >> (s % 64);

        if (bits) {
            d += (uint32_t)__builtin_ctzll(bits);
            return d <= WHEEL_SLOTS ? d : 0;
        }
        d += 64 - s % 64;
    }
    return 0;
}

/* The next tick at which anything has to be done: a slot of level 0, or a slot to be spread out. */
static uint64_t next_event(const struct wheel *w)
{
    uint64_t best = WHEEL_NEVER;

    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t pos = w->now >> (8 * level);
        uint32_t d = next_occupied(w->map[level], (uint32_t)pos & SLOT_MASK);
        uint64_t at = (pos + d) << (8 * level);

        if (d && at < best)
            best = at;
    }
    return best;
}

/* Move the nodes of a higher level's slot down, now that they are near. */
static void spread(struct wheel *w, int level)
{
    uint32_t slot = (uint32_t)(w->now >> (8 * level)) & SLOT_MASK;
    struct wheel_node *node = w->slot[level][slot];

    w->slot[level][slot] = NULL;
    w->map[level][slot / 64] &= ~(1ULL << (slot % 64));
    while (node) {
        struct wheel_node *next = node->next;

        place(w, node);
        node = next;
    }
}

static void become_due(struct wheel *w)
{
    uint32_t slot = (uint32_t)w->now & SLOT_MASK;
    struct wheel_node *node = w->slot[0][slot];

    w->slot[0][slot] = NULL;
    w->map[0][slot / 64] &= ~(1ULL << (slot % 64));
    while (node) {
        struct wheel_node *next = node->next;

        node->where = WHERE_DUE;
        attach(&w->due, node);
        node = next;
    }
}

/* Go to tick `at`, at which something is to be done. */
static void step_to(struct wheel *w, uint64_t at)
{
    w->now = at;
    for (int level = WHEEL_LEVELS - 1; level > 0; level--) {
        if ((at & ((1u << (8 * level)) - 1)) == 0)
            spread(w, level);
    }
    become_due(w);
}

static uint32_t fire(struct wheel *w, uint64_t now_ns, uint32_t max, wheel_fn *fn, void *ctx)
{
    uint32_t n = 0;

    while (w->due && n < max) {
        struct wheel_node *node = w->due;

        detach(node);
        w->armed--;
        n++;
        fn(ctx, node, now_ns);
    }
    return n;
}

uint32_t wheel_advance(struct wheel *w, uint64_t now_ns, uint32_t max, wheel_fn *fn, void *ctx)
{
    uint64_t target = tick_floor(w, now_ns);
    uint32_t n = fire(w, now_ns, max, fn, ctx);

    while (n < max && target > w->now) {
        uint64_t at = next_event(w);

        if (at > target) {
            w->now = target;
            break;
        }
        step_to(w, at);
        n += fire(w, now_ns, max - n, fn, ctx);
    }
    return n;
}

uint64_t wheel_next_deadline(const struct wheel *w)
{
    uint64_t at = w->due ? w->now : next_event(w);

    return at == WHEEL_NEVER ? WHEEL_NEVER : tick_ns(w, at);
}
