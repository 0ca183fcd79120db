/**
 * wheel: timers of one core. Four levels of 256 slots, tick 2^17 ns (131 us), reach 2^31 ticks (78 h):
 * what is armed further away fires then and is expected to be armed again.
 *
 * Arming, disarming and re-arming are O(1). A node never fires early: deadlines are rounded up one
 * tick. The node is embedded in what it times and belongs to at most one wheel. Whoever has many
 * deadlines arms the earliest and re-arms when the node fires (lazy re-arm).
 */
#ifndef SALLYPORT_BASE_WHEEL_H
#define SALLYPORT_BASE_WHEEL_H

#include "base/res.h"

#include <stdint.h>

#define WHEEL_TICK_SHIFT 17
#define WHEEL_LEVELS     4
#define WHEEL_SLOTS      256
#define WHEEL_NEVER      UINT64_MAX /* "no deadline" everywhere in this program */

struct wheel_node {
    struct wheel_node *next, **pprev; /* pprev == NULL: not armed */
    uint32_t at;                      /* tick, lower half */
    uint32_t where;                   /* level << 8 | slot */
};

struct wheel {
    uint64_t now;                                 /* tick that was last processed */
    uint64_t base_ns;                             /* time of tick 0 */
    uint32_t armed;                               /* nodes in the wheel */
    uint64_t map[WHEEL_LEVELS][WHEEL_SLOTS / 64]; /* occupied slots */
    struct wheel_node *slot[WHEEL_LEVELS][WHEEL_SLOTS];
    struct wheel_node *due; /* expired, waiting for their turn */
};

typedef void wheel_fn(void *ctx, struct wheel_node *node, uint64_t now_ns);

void wheel_init(struct wheel *w, uint64_t now_ns);

/* Arm or move. A deadline in the past fires at the next advance. */
void wheel_arm(struct wheel *w, struct wheel_node *node, uint64_t at_ns);
void wheel_disarm(struct wheel *w, struct wheel_node *node);

static inline bool wheel_armed(const struct wheel_node *node)
{
    return node->pprev != NULL;
}

/* When the node is set to fire; not before what it was armed with. */
uint64_t wheel_at_ns(const struct wheel *w, const struct wheel_node *node);

/**
 * Fire what is due, at most `max` nodes; the rest is first next time. A node is disarmed before its
 * function runs, which may arm, disarm or free any node, its own included.
 * Returns  the number fired
 */
uint32_t wheel_advance(struct wheel *w, uint64_t now_ns, uint32_t max, wheel_fn *fn, void *ctx);

/* Not later than the earliest deadline, exact to a slot of its level. WHEEL_NEVER when empty. */
uint64_t wheel_next_deadline(const struct wheel *w);

#endif
