/**
 * ca_names: the names of CAs that a CertificateRequest carries, so that a client with many certificates knows
 * which one is wanted (RFC 5246 7.4.4, RFC 8446 4.2.4). Each name once, bounded: the message has to fit a record.
 */
#ifndef SALLYPORT_CRYPTO_CA_NAMES_H
#define SALLYPORT_CRYPTO_CA_NAMES_H

#include "crypto/trust.h"

#define CA_NAMES_MAX_B 8192u

struct ca_names {
    uint8_t v[CA_NAMES_MAX_B]; /* each with its length, two bytes, in front */
    uint32_t len, count;
    bool full; /* one did not fit: what is there is not all */
};

void ca_names_add(struct ca_names *n, struct span name);
/* The subjects of its anchors. */
void ca_names_add_trust(struct ca_names *n, const struct trust *t);
/* The subjects of all certificates in these files. */
MUST_CHECK res ca_names_add_files(struct ca_names *n, const char *const *files, size_t count,
                                  struct report *report);

#endif
