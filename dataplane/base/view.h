/**
 * view: what is known of a connection and of the certificates on it, by name. A name is read once, when the
 * configuration is; header rules, access log formats and location rules then hold the same struct view, and
 * one function finds the value for all three (proxy/view.c, crypto/view.c).
 *
 *     SSL_CLIENT_S_DN_OU_1   SSL_SERVER_M_SERIAL   client.san_uri   client.ext:1.3.6.1.4.1.311.25.2
 */
#ifndef SALLYPORT_BASE_VIEW_H
#define SALLYPORT_BASE_VIEW_H

#include "base/arena.h"
#include "base/res.h"

#include <stdio.h>

#define VIEW_OID_B      24 /* longest object identifier that can be asked for, as DER */
#define VIEW_ALL        0xffffu
#define VIEW_PARTS_MAX  64
#define VIEW_NAME_MAX_B 128
#define VIEW_LIST_MAX   64 /* elements of a list that a rule looks at */

enum view_what {
#define OF_CERT(sym, name, sides, arg, help) VIEW_##sym,
#define OF_CONN(sym, name, help)             VIEW_##sym,
#include "base/view.def"
#undef OF_CERT
#undef OF_CONN
    VIEW_COUNT,
};

enum view_side { VIEW_CONN, VIEW_CLIENT, VIEW_SERVER };

struct view {
    uint8_t what; /* enum view_what */
    uint8_t side; /* enum view_side */
    uint8_t oid_b;
    bool raw;
    uint16_t n; /* which of several, from 0; VIEW_ALL: all of a list */
    uint8_t oid[VIEW_OID_B];
    uint64_t key;     /* the same for equal views of a certificate, whichever side's */
    struct span name; /* as it was written; borrowed */
};

static inline struct span view_oid(const struct view *v)
{
    return span_of(v->oid, v->oid_b);
}

/* *why is a literal. Bound: O(length). */
MUST_CHECK bool view_compile(struct span name, struct view *out, const char **why);

/* After a change of `n`. */
void view_key(struct view *v);

/* Names as they may be written, for "did you mean": NULL at the end. */
const char *view_name_at(unsigned i);

/* Text with views in it: "%{SSL_CLIENT_S_DN}s", as in Apache's RequestHeader; "%%" is a '%'. */
struct view_part {
    struct span text; /* with view == NULL */
    const struct view *view;
};

struct view_text {
    struct view_part *parts;
    uint32_t count;
};

/* INVALID: *at and *why say where and what. Arena memory, VIEW_PARTS_MAX parts. */
MUST_CHECK res view_text_compile(struct arena *a, const char *text, struct view_text *out,
                                 size_t *at, const char **why);

/* The table for docs/configuration.md. */
void view_help(FILE *f);

#endif
