/**
 * crl_learn: what a chain teaches of lists that were missed (trust.crl_learn). A CA names in each certificate where
 * its own list is to be had (RFC 5280 4.2.1.13), so the list that tells of a client's certificate is named there and
 * nowhere else.
 *
 *     core      a verdict is good up to an anchor but for a list that nobody has (verdict.crl_want): the rest of
 *               the path, from that certificate to the anchor, goes through the core's ring, once (crl_told_*)
 *     control   judges the path again, takes the URLs out of its first certificate, fetches, has the issuer's
 *               signature checked, publishes; until then trust.crl_missing decides (control/crls_learn.c)
 *
 * Who cannot show a chain with good signatures to an anchor teaches nothing: no stranger has us fetch anything. URLs
 * are bounded per trust set there, and what is told per second here.
 */
#ifndef SALLYPORT_CRYPTO_CRL_LEARN_H
#define SALLYPORT_CRYPTO_CRL_LEARN_H

#include "base/siphash.h"
#include "crypto/verdict.h"

/* --- a core: what has been told --- */

#define CRL_TOLD_SLOTS  256u
#define CRL_TOLD_S      600 /* it is told again after so long */
#define CRL_TOLD_PER_S  16u /* paths in one second, whatever they name */
#define CRL_TOLD_LOOK_S 10  /* how often one chain is looked at for it */

struct crl_told {
    struct sip_key key;
    struct {
        uint64_t what; /* hash of trust set, issuer and points */
        int64_t until_s;
    } slot[CRL_TOLD_SLOTS];
    int64_t second_s;
    uint32_t in_second;
};

/* May something be told in this second? */
bool crl_told_room(const struct crl_told *t, int64_t now_s);
/* Has it to be told now? *what is for crl_told_note, which is called when it has been. */
bool crl_told_due(const struct crl_told *t, const struct trust *trust, const struct cert *cert,
                  const struct cert *issuer, int64_t now_s, uint64_t *what);
void crl_told_note(struct crl_told *t, uint64_t what, int64_t now_s);

/* --- a path on its way --- */

#define CRL_REC_KIND 4 /* beside OCSP_REC_KIND */

struct crl_rec {
    uint8_t trust_id[32];
    uint32_t n; /* certificates */
    uint32_t der_b[VERDICT_PATH_MAX];
    uint8_t der[];
};

uint32_t crl_rec_b(const struct cert *const *path, uint32_t n);
void crl_rec_put(struct crl_rec *to, const uint8_t trust_id[32], const struct cert *const *path,
                 uint32_t n);
/* Views into the record. False: it is not whole. */
bool crl_rec_read(struct span record, uint8_t trust_id[32], struct span der[VERDICT_PATH_MAX],
                  uint32_t *n);

/* --- control (crl_judge.c) --- */

/**
 * Is this path, or what is left of it above some certificate, good up to an anchor of the set? What is not known of
 * revocation does not count; what is revoked is not good.
 */
bool crl_path_ok(const struct trust *t, const struct cert *path, uint32_t n, int64_t now_s,
                 struct memo *memo);

#endif
