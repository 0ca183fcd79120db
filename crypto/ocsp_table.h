/**
 * ocsp_table: what is known by OCSP of other people's certificates. The control side writes, cores read, nobody
 * waits: each entry is a cache line of its own that says whether it was changed while it was read.
 *
 * Answers come one by one and all the time, so they are not part of a generation. The table's size is fixed; an
 * entry that finds its bucket full takes the place of the one whose time is over first, and is asked for anew
 * when somebody misses it.
 */
#ifndef SALLYPORT_CRYPTO_OCSP_TABLE_H
#define SALLYPORT_CRYPTO_OCSP_TABLE_H

#include "crypto/ocsp.h"

enum ocsp_what {
    OCSP_IS_NEW, /* nothing is known, or not any more: the control side has to be asked */
    OCSP_IS_GOOD,
    OCSP_IS_REVOKED,
    OCSP_IS_UNANSWERED /* asked: the responder is dead, or says that it does not know */
};

struct ocsp_entry {
    enum ocsp_what what;
    int64_t this_s, until_s;
};

struct ocsp_table;

/* Room for about so many. */
MUST_CHECK res ocsp_table_new(uint32_t entries, struct ocsp_table **out);
void ocsp_table_free(struct ocsp_table *t);

/* Control. */
void ocsp_table_put(struct ocsp_table *t, const uint8_t id[OCSP_ID_B], const struct ocsp_entry *e);
void ocsp_table_drop(struct ocsp_table *t, const uint8_t id[OCSP_ID_B]);
/* Has a core looked for it since this was last asked? */
bool ocsp_table_touched(struct ocsp_table *t, const uint8_t id[OCSP_ID_B]);

/* A core. Bound: one bucket. */
void ocsp_table_ask(struct ocsp_table *t, const uint8_t id[OCSP_ID_B], int64_t now_s,
                    struct ocsp_entry *out);
/* Moves with every change; and with those that may take something away from somebody. */
uint64_t ocsp_table_version(const struct ocsp_table *t);
uint64_t ocsp_table_worse(const struct ocsp_table *t);

/* --- what a trust set makes of it --- */

enum ocsp_check { OCSP_CHECK_OFF, OCSP_CHECK_LEAF, OCSP_CHECK_CHAIN };
/* A certificate that is seen for the first time. */
enum ocsp_first { OCSP_FIRST_DENY, OCSP_FIRST_ALLOW, OCSP_FIRST_HOLD };

struct ocsp_policy {
    enum ocsp_check check;
    enum ocsp_first first;
    bool fail_ok;        /* a responder that does not answer, or does not know it: accept */
    bool nonce;          /* ask with one */
    uint32_t timeout_ms; /* how long a request is held, and the responder has time */
    uint32_t refresh_s;  /* ask again after so long, or when half of an answer's time is over */
    const char *url;     /* NULL: the certificate says it */
};

/* --- a question on its way from a core, through its ring --- */

#define OCSP_REC_KIND 3 /* beside base/log.h's */

struct ocsp_rec {
    uint8_t trust_id[32];
    uint32_t cert_b, issuer_b;
    uint8_t der[]; /* of both */
};

#endif
