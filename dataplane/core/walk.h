/**
 * walk: control looks at a core's connections without stopping it. Control asks through one mailbox per core;
 * the core answers a few connections per turn, and the mailbox is whose turn it is by two words.
 */
#ifndef SALLYPORT_CORE_WALK_H
#define SALLYPORT_CORE_WALK_H

#include "dp.h"

struct tcp;

#define WALK_BATCH 64u /* connections per question */

struct walk {
    _Alignas(64)
        uint32_t asked; /* control: one more than `done` asks; the rest below is then the core's */
    struct dp_conn_filter filter;
    uint32_t from;
    _Alignas(64) uint32_t done; /* core: equal to `asked`, the rest is control's again */
    uint32_t cursor, n;
    bool begun;
    struct dp_conn out[WALK_BATCH];
};

/* Core: what one turn may do. Bound: 64 slots of the table of connections. */
void walk_turn(struct walk *w, const struct tcp *t);

/**
 * Control: one batch, from *cursor on (0: from the start), which becomes where to go on, or 0 at the end.
 * Returns  -1 when the core did not answer in time
 */
int walk_ask(struct walk *w, const struct dp_conn_filter *f, uint32_t *cursor, uint32_t timeout_ms,
             struct dp_conn out[WALK_BATCH]);

#endif
