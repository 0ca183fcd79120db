/**
 * crl_internal: what of a list is common to reading it and keeping it.
 */
#ifndef SALLYPORT_CRYPTO_CRL_INTERNAL_H
#define SALLYPORT_CRYPTO_CRL_INTERNAL_H

#include "crypto/crl.h"

#define CRL_SERIAL_MAX_B 20u /* RFC 5280 4.1.2.2 */

/* A revoked certificate. len CRL_SERIAL_MAX_B + 1: its serial is longer, and is not here. */
struct crl_entry {
    uint8_t len, reason;
    uint8_t serial[CRL_SERIAL_MAX_B];
};

/* crl_read.c: the next one. False at the end, or with rest->len != 0: not to be read. */
bool crl_next_entry(struct span *rest, struct crl_entry *out);

#endif
