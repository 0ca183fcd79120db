/**
 * SipHash (Aumasson, Bernstein 2012): a keyed hash that a peer cannot steer without the key.
 * 2-4 for what leaves the machine (ISN, cookies, time stamp offsets), 1-3 for our tables.
 */
#ifndef SALLYPORT_BASE_SIPHASH_H
#define SALLYPORT_BASE_SIPHASH_H

#include "base/span.h"

/* Secret: never logged, never dumped. */
struct sip_key {
    uint64_t k0, k1;
};

uint64_t siphash24(const struct sip_key *key, const void *p, size_t len);
uint64_t siphash13(const struct sip_key *key, const void *p, size_t len);

#endif
