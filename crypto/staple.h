/**
 * staple: the OCSP response that goes along with a certificate of ours (RFC 6066 8, RFC 8446 4.4.2.1), written by
 * the control side whenever there is a new one and copied by cores into handshakes.
 *
 * Responses come and go more often than generations, so it is not a part of one: a box that lives as long as
 * the identity, read without a lock. A reader that meets the writer at work looks again; the writer never
 * waits.
 */
#ifndef SALLYPORT_CRYPTO_STAPLE_H
#define SALLYPORT_CRYPTO_STAPLE_H

#include "base/res.h"
#include "base/span.h"

#define STAPLE_MAX_B 16384u

struct staple;

MUST_CHECK res staple_new(struct staple **out);
struct staple *staple_ref(struct staple *s); /* control side only */
void staple_unref(struct staple *s);

/* Control: from now on this one, until that time; empty: none. At most STAPLE_MAX_B bytes, else none. */
void staple_put(struct staple *s, struct span der, int64_t until_s);

/* A core: how long it is, 0: there is none, or it is too old. Another may have come when it is copied. */
uint32_t staple_len(const struct staple *s, int64_t now_s);
/* Returns its length in `out`; 0: none, too old, longer than `cap`, or the writer was always faster. */
uint32_t staple_copy(const struct staple *s, int64_t now_s, uint8_t *out, uint32_t cap);

#endif
