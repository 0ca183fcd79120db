/**
 * view: the values of base/view.h that come from a certificate. Apache's are Apache's byte for byte
 * (tests/e2e/test_views.py); where Apache prints what OpenSSL does not know as "UNKNOWN", so do we.
 */
#ifndef SALLYPORT_CRYPTO_VIEW_H
#define SALLYPORT_CRYPTO_VIEW_H

#include "base/view.h"
#include "crypto/cert.h"

#define CERT_VIEW_MAX_B 24576u /* the PEM of the largest certificate that is read fits */

/**
 * Appends the value. `chain` is the leaf, then what came behind it.
 * Returns  false: the certificate has no such thing, it is empty or does not fit; nothing was appended
 * Bound    O(length of the certificate)
 */
bool cert_view(struct sb *s, const struct view *v, const struct cert *chain, uint32_t n,
               int64_t now_s);

/* Does the value depend on the time? Then it cannot be kept. */
static inline bool cert_view_fleeting(const struct view *v)
{
    return v->what == VIEW_V_REMAIN;
}

#endif
