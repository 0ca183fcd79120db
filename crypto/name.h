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

/* The n-th (0 = first) attribute of this type; oid is the content of the OID's DER. */
bool name_find(struct span name, struct span oid, unsigned n, struct name_ava *out);

/**
 * A string of any type as UTF-8; control characters and backslashes are escaped ("\0A"), so the text is one
 * line. raw: not as UTF-8: characters above 255 as \Uxxxx, others as the byte they are (Apache's _RAW).
 */
struct sb;
void name_value_text(struct sb *s, uint8_t tag, struct span value, bool raw);

const char *name_type(struct span oid); /* "CN"; NULL: not known by a name */

/* Does `name` begin with all of `base`? For constraints on directory names. */
bool name_within(struct span name, struct span base);

/* Names that cert_name_eq finds equal have equal hashes. Not keyed: for small tables of ours. */
uint64_t name_hash(struct span name);

#endif
