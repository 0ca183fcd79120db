/**
 * sig: does `signer`'s key verify this signature? Arithmetic only: wolfCrypt does it, nothing is judged
 * (key sizes and hashes are the verdict's business).
 */
#ifndef SALLYPORT_CRYPTO_SIG_H
#define SALLYPORT_CRYPTO_SIG_H

#include "crypto/cert.h"
#include "crypto/memo.h"

enum sig_result { SIG_VALID, SIG_INVALID, SIG_UNSUPPORTED };

/* What was signed and how, apart from a certificate: CRLs and OCSP answers use it too. */
struct sig_input {
    struct span tbs, sig;
    enum cert_sig alg;
    enum cert_hash hash;
    uint8_t pss_salt_b;
};

/**
 * `memo` may be NULL. Bound: one public-key operation, or one SHA-256 over the input on a memo hit.
 * Fails closed: what cannot be checked is not SIG_VALID.
 */
enum sig_result sig_check(const struct cert *signer, const struct sig_input *in, struct memo *memo);
enum sig_result sig_check_cert(const struct cert *signer, const struct cert *subject,
                               struct memo *memo);

void sha256(struct span in, uint8_t out[32]);
void sha1(struct span in, uint8_t out[20]);

#endif
