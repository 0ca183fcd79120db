/**
 * staples: OCSP responses for our own certificates: asked for ahead, kept until their time is over, put where the
 * cores find them (crypto/staple.h). What is no verified "good" is never sent to a client.
 *
 * Kept by the identity's hash, so a reload that brings the same certificate keeps its response.
 */
#ifndef SALLYPORT_CONTROL_STAPLES_H
#define SALLYPORT_CONTROL_STAPLES_H

#include "control/elog.h"
#include "control/gen.h"
#include "control/ocsp_ask.h"

struct staples;

MUST_CHECK res staples_new(struct fetch *f, struct elog *log, struct staples **out);
void staples_free(struct staples *s);

/* For an identity with this hash, in a generation that may come to be. NULL: no memory. Borrowed. */
struct staple *staples_box(struct staples *s, const uint8_t hash[32]);

/* This generation is in force: its identities are asked about, others no more. */
void staples_use(struct staples *s, const struct gen *g);

/* Ask whom it is time to ask. Cheap when there is nothing to do. */
void staples_tick(struct staples *s, int64_t now_s);

/* What is known of one; texts are good until the next call of anything here. */
struct staple_view {
    const char *name, *url; /* url: or file */
    const char *state;      /* "good", "none" */
    const char *why;        /* of the last failure; "" */
    bool must_staple;
    int64_t this_s, until_s, next_try_s; /* 0: none */
    uint64_t answers, failures;
    uint32_t len;
};

/* Begin with *it = 0; false: no more. */
bool staples_next(const struct staples *s, uint32_t *it, struct staple_view *out);

#endif
