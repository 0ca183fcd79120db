/**
 * trust: a set of trust anchors and helper intermediates, immutable once built, shared by all cores.
 *
 * Anchors decide; intermediates only help to find a path. Lookup by subject name and by key
 * identifier is O(1) in the size of the set.
 */
#ifndef SALLYPORT_CRYPTO_TRUST_H
#define SALLYPORT_CRYPTO_TRUST_H

#include "base/report.h"
#include "crypto/allow.h"
#include "crypto/cert.h"
#include "crypto/ocsp_table.h"
#include "crypto/revocation.h"

struct trust;

struct trust_entry {
    struct cert cert; /* spans into memory of the set */
    bool anchor;
    uint32_t index;     /* in its set, stable */
    uint8_t sha256[32]; /* of the DER */
    uint64_t name_hash; /* of the subject, normalised */
};

/* What a set is made of. Texts name files of PEM or DER, each with one or many certificates. */
struct trust_source {
    const char *name; /* of the set, for messages */
    const char *const *anchor_files;
    size_t anchor_count;
    const char *const *intermediate_files;
    size_t intermediate_count;
    bool partial_chain;           /* an anchor that is not self-issued may end a path */
    bool anchor_expiry;           /* an anchor outside its own validity does not count */
    const char *const *crl_files; /* without any, nothing is checked for revocation */
    size_t crl_count;
    bool crl_later; /* there will be lists (trust_with_lists): until then all are missing */
    struct revocation_rules crl_rules;
    struct ocsp_policy ocsp;
    struct allow_source narrow; /* a chain to an anchor is needed, and to be on this list */
    struct allow_source direct; /* to be on this list is enough: no chain is asked for */
};

/* Reads, parses, checks. All mistakes go into the report with file and position in it. */
MUST_CHECK res trust_load(const struct trust_source *src, struct report *report,
                          struct trust **out);

/* The same from memory: for tests and for what is pushed over the control socket. */
MUST_CHECK res trust_from_der(const char *name, const struct span *anchors, size_t anchor_count,
                              const struct span *intermediates, size_t intermediate_count,
                              bool partial_chain, struct report *report, struct trust **out);

/**
 * The same set with these lists besides those of its files, in the place of what it had of such before. Lists
 * that neither one of its CAs nor one of `cas` has signed are left out. Shares everything else with `t`.
 */
MUST_CHECK res trust_with_lists(struct trust *t, struct crl *const *lists, size_t count,
                                const struct cert *const *cas, size_t ca_count, struct trust **out);

struct trust *trust_ref(struct trust *t); /* control side only */
void trust_unref(struct trust *t);

const char *trust_name(const struct trust *t);
/* Hash over everything that can change a verdict: same id, same verdicts. */
const uint8_t *trust_id(const struct trust *t); /* 32 bytes */
bool trust_partial_chain(const struct trust *t);
bool trust_anchor_expiry(const struct trust *t);
/* NULL: no revocation lists. */
const struct revocation *trust_revocation(const struct trust *t);
/* Do chains teach it where lists are (crypto/crl_learn.h)? */
bool trust_learns(const struct trust *t);

/* Never NULL: OCSP_CHECK_OFF says that there is nothing to ask. */
const struct ocsp_policy *trust_ocsp(const struct trust *t);

/* NULL: there is no such list. */
const struct allow *trust_narrow(const struct trust *t);
const struct allow *trust_direct(const struct trust *t);

uint32_t trust_anchor_count(const struct trust *t);
uint32_t trust_entry_count(const struct trust *t);
const struct trust_entry *trust_entry_at(const struct trust *t, uint32_t index);

/* Entries whose subject is `name`: begin with *it = 0, NULL at the end. */
const struct trust_entry *trust_by_subject(const struct trust *t, struct span name, uint32_t *it);
/* The anchor with exactly this DER, or NULL. */
const struct trust_entry *trust_anchor_with(const struct trust *t, struct span der);

#endif
