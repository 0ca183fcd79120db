/**
 * identity: a certificate chain and its private key, ours to show: to clients (server) or to backends
 * (client). Loaded, checked and kept by the control side; contexts are made from it.
 */
#ifndef SALLYPORT_CRYPTO_IDENTITY_H
#define SALLYPORT_CRYPTO_IDENTITY_H

#include "base/report.h"
#include "crypto/cert.h"
#include "crypto/staple.h"

struct identity;

struct identity_source {
    const char *name;            /* for messages */
    const char *cert_file;       /* leaf, then intermediates */
    const char *chain_file;      /* further intermediates; may be NULL */
    const char *key_file;        /* PKCS#8, PKCS#1 or SEC1; PEM or DER */
    bool for_server, for_client; /* which purposes are asked of it: EKU is checked */
};

/**
 * Checks that the key belongs to the leaf, that the chain is in order, that names, purposes and dates
 * make sense; what is merely odd (a root sent along, expiry near) becomes a warning.
 */
MUST_CHECK res identity_load(const struct identity_source *src, int64_t now_s,
                             struct report *report, struct identity **out);
struct identity *identity_ref(struct identity *id);
void identity_unref(struct identity *id);

const char *identity_name(const struct identity *id);
enum cert_key identity_key_type(const struct identity *id);
const struct cert *identity_leaf(const struct identity *id);
uint32_t identity_chain(const struct identity *id, struct span *der, uint32_t max);
/* SHA-256 over chain and key: same id, same identity. */
const uint8_t *identity_hash(const struct identity *id);

/* Control: what goes along with it, once and before contexts are made of it. Takes a reference. */
void identity_set_staple(struct identity *id, struct staple *s);
struct staple *identity_staple(const struct identity *id); /* NULL: nothing ever does */

/* PKCS#8 (or the algorithm's own) DER of the private key. Secret; only crypto/ may ask. */
struct span identity_key_der(const struct identity *id);

#endif
