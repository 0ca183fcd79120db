/**
 * ocsp_cache: what responders have said of other people's certificates. Cores ask for those that they miss in the
 * table (crypto/ocsp_table.h) through their rings; this asks the responders, verifies, keeps and puts the answers
 * into the table, and asks again in good time about certificates that cores still look for.
 */
#ifndef SALLYPORT_CONTROL_OCSP_CACHE_H
#define SALLYPORT_CONTROL_OCSP_CACHE_H

#include "control/elog.h"
#include "control/gen.h"
#include "control/ocsp_ask.h"
#include "crypto/ocsp_table.h"

#define OCSP_CACHE_MAX 32768u /* certificates; the table has room for twice as many */

struct ocsp_cache;

/* Borrows all three. */
MUST_CHECK res ocsp_cache_new(struct fetch *f, struct elog *log, struct ocsp_table *table,
                              struct ocsp_cache **out);
void ocsp_cache_free(struct ocsp_cache *c);

/* A core's question, by a generation in force or before. False: it is not whole. */
bool ocsp_cache_record(struct ocsp_cache *c, struct span record, const struct gen *now,
                       const struct gen *retired);

/* Ask again whom it is time to ask; once a second, whatever it is called. */
void ocsp_cache_tick(struct ocsp_cache *c, int64_t now_s, const struct gen *now);

struct ocsp_cache_stats {
    uint32_t entries, asking, good, revoked, unanswered;
    uint64_t questions; /* of cores */
    uint64_t requests;  /* to responders */
    uint64_t answers, failures;
    uint64_t overflow; /* questions for which there was no room */
};

void ocsp_cache_stats(const struct ocsp_cache *c, struct ocsp_cache_stats *out);

/* One entry, for people; texts are good until the next call of anything here. */
struct ocsp_cache_view {
    struct span serial, issuer; /* of the certificate */
    const char *state, *why;
    int64_t this_s, until_s, next_try_s;
};

/* Begin with *it = 0; false: no more. */
bool ocsp_cache_next(const struct ocsp_cache *c, uint32_t *it, struct ocsp_cache_view *out);

#endif
