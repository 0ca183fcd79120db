/**
 * allow: a list of identities by what cannot be chosen: SHA-256 of the certificate, or of its
 * SubjectPublicKeyInfo, which outlives a renewal with the same key. Immutable once read.
 */
#ifndef SALLYPORT_CRYPTO_ALLOW_H
#define SALLYPORT_CRYPTO_ALLOW_H

#include "base/report.h"
#include "crypto/cert.h"

#define ALLOW_MAX 4000000u /* entries, 33 bytes each */

struct allow;

struct allow_source {
    const char *const *certs; /* in hex, with or without colons */
    size_t cert_count;
    const char *const *spkis;
    size_t spki_count;
    /* Lines "cert HEX", "spki HEX", '#' begins a comment; or PEM: the certificates in it. */
    const char *const *files;
    size_t file_count;
};

/* *out is NULL when the source names nothing at all. A file without entries is a list that lets nobody in. */
MUST_CHECK res allow_load(const char *name, const struct allow_source *src, struct report *report,
                          struct allow **out);
void allow_free(struct allow *a);

/* Bound: two SHA-256 and O(log n) comparisons. */
bool allow_has(const struct allow *a, const struct cert *leaf);
uint32_t allow_count(const struct allow *a);
const uint8_t *allow_id(const struct allow *a); /* 32 bytes: the same lists, the same id */

#endif
