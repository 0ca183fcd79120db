/**
 * slots: the numbers under which the cores keep what they know about a backend: its idle connections, its
 * health. A number belongs to an address together with everything that makes a connection to it good for
 * one request and not for another. It stays the same over reloads, and is given to somebody else only when
 * no living snapshot names it, the longest unused first.
 */
#ifndef SALLYPORT_CONTROL_SLOTS_H
#define SALLYPORT_CONTROL_SLOTS_H

#include "snap/snap.h"

struct slot_key {
    struct endpoint remote;
    bool tls, verify, verify_name;
    uint16_t min_rsa_bits;
    uint8_t settings[32]; /* tls_settings_hash */
    uint8_t trust[32];    /* trust_id */
    char name[256];       /* SNI, and the name that the certificate must carry */
};

struct slots;

MUST_CHECK res slots_new(struct slots **out);
void slots_free(struct slots *s);

/* The slot of this key, with a reference; SNAP_NONE: all SNAP_SLOTS_MAX are in use. `key` is zeroed before
 * it is filled in, so that equal keys are equal bytes. */
uint32_t slots_get(struct slots *s, const struct slot_key *key);
void slots_put(struct slots *s, uint32_t slot);
uint32_t slots_used(const struct slots *s);

#endif
