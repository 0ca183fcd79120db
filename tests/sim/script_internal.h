/* script_internal: what script.c (lines, and steps of the world), script_app.c (steps of the application),
 * script_seg.c (segments) and script_expr.c (values) share. */
#ifndef SALLYPORT_TESTS_SCRIPT_INTERNAL_H
#define SALLYPORT_TESTS_SCRIPT_INTERNAL_H

#include "sim/peer.h"
#include "sim/script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_WORDS 40

struct run {
    struct peer *p;
    char *w[SCRIPT_WORDS]; /* words of this line */
    unsigned n;
    unsigned line;
    uint64_t i;        /* of the loop */
    uint64_t base;     /* when the last step was */
    uint64_t from, to; /* "+A..B": when this step is due, after base */
    uint16_t win;      /* last one the peer announced */
    bool burst, peer_ts, turn_due;
    uint32_t peer_ts_base;
    char *error;
};

bool run_fail(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A number: + - * of literals, M, MSS, i. False: not one. */
bool expr(const struct run *r, const char *text, int64_t *out);
bool need(struct run *r, unsigned at, int64_t *out);

/* The peer's port of the connection in question. */
uint16_t script_port(const struct run *r);

bool step_put(struct run *r);    /* < */
bool step_expect(struct run *r); /* > */
bool step_var(struct run *r);    /* var NAME OP VALUE */
bool step_ctr(struct run *r);    /* ctr NAME OP VALUE */
bool step_set(struct run *r);    /* set KEY VALUE */

bool step_write(struct run *r);  /* write BYTES */
bool step_read(struct run *r);   /* read on|off|BYTES */
bool step_end(struct run *r);    /* shutdown, close, abort */
bool step_answer(struct run *r); /* answer BYTES */
bool step_refuse(struct run *r);
bool step_ev(struct run *r); /* ev NAME [WORD] */
bool step_noev(struct run *r);
bool step_got(struct run *r);   /* got BYTES */
bool step_state(struct run *r); /* state NAME */

#endif
