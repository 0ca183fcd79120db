/**
 * name: distinguished names, taken apart: RDNSequence -> RDN -> attribute type and value (RFC 5280 4.1.2.4).
 */
#ifndef SALLYPORT_CRYPTO_NAME_H
#define SALLYPORT_CRYPTO_NAME_H

#include "base/span.h"

struct name_ava {
    struct span oid;
    uint8_t tag;
    struct span value, whole; /* content, and with tag and length */
};

/* `name` is the DER with its header; false: not a name. */
bool name_first(struct span name, struct span *rdns);
bool name_next_rdn(struct span *rdns, struct span *set);
bool name_next_ava(struct span *set, struct name_ava *out);

const char *name_type(struct span oid); /* "CN"; NULL: not known by a name */

/* Does `name` begin with all of `base`? For constraints on directory names. */
bool name_within(struct span name, struct span base);

/* Names that cert_name_eq finds equal have equal hashes. Not keyed: for small tables of ours. */
uint64_t name_hash(struct span name);

#endif
