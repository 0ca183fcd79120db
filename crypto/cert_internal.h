/**
 * cert_internal: what the files that parse a certificate say to each other. False: malformed.
 */
#ifndef SALLYPORT_CRYPTO_CERT_INTERNAL_H
#define SALLYPORT_CRYPTO_CERT_INTERNAL_H

#include "crypto/cert.h"

/* cert_ext.c: `outer` is the content of [3] EXPLICIT in the TBSCertificate. */
bool cert_take_extensions(struct span outer, struct cert *c);

#endif
