/**
 * revocation: the lists of one trust set, and what follows from them. Built with the set, immutable, read by
 * cores.
 */
#ifndef SALLYPORT_CRYPTO_REVOCATION_H
#define SALLYPORT_CRYPTO_REVOCATION_H

#include "crypto/crl.h"

struct trust;
struct revocation;

struct revocation_rules {
    enum crl_check check; /* whose revocation counts: the leaf's, or that of all but the anchor */
    bool missing_ok;      /* no list for an issuer: accept */
    bool expired_ok;      /* a list whose time is over: accept what is not on it */
    bool learn; /* no list for an issuer: its certificates tell where it is (crl_learn.h) */
};

/**
 * Reads the files, checks each list's signature by a CA of `signers` (RFC 5280 6.3.3 (f), (g)), hangs deltas on
 * their complete lists. All mistakes go into the report with file and position. With `more`, lists come later
 * (revocation_with): a delta may wait for its complete list.
 */
MUST_CHECK res revocation_load(const struct trust *signers, const char *const *files, size_t count,
                               const struct revocation_rules *rules, bool more,
                               struct report *report, struct revocation **out);
/* The lists that `r` was loaded with, and these; deltas that go with none are left out. */
MUST_CHECK res revocation_with(const struct revocation *r, struct crl *const *lists, size_t count,
                               struct revocation **out);

/* Who may have signed a list: the CAs of sets, and some that are in none (of chains that were shown). */
struct revocation_signers {
    const struct trust *const *sets;
    size_t set_count;
    const struct cert *const *cas;
    size_t ca_count;
};

/**
 * Lists from anywhere, DER or PEM, each checked as those of files are, by one of the signers.
 * Returns  INVALID: one of them is not good, `why` says what is wrong with it; nothing is given out
 * Bound    `max` lists; pem_parse
 */
MUST_CHECK res revocation_read(const struct revocation_signers *signers, struct span text,
                               struct sb *why, struct crl **lists, size_t max, size_t *count);
void revocation_free(struct revocation *r);

const struct revocation_rules *revocation_rules(const struct revocation *r);
const uint8_t *revocation_id(const struct revocation *r); /* 32 bytes: same id, same answers */
uint32_t revocation_lists(const struct revocation *r);
uint64_t revocation_serials(const struct revocation *r);

struct revocation_answer {
    enum crl_answer what;
    int64_t this_s, next_s; /* of the list that said so */
};

/* Bound: O(lists of the set). */
void revocation_ask(const struct revocation *r, const struct cert *issuer, const struct cert *cert,
                    int64_t now_s, struct revocation_answer *out);

#endif
