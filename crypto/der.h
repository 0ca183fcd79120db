/**
 * der: strict DER (X.690 10) as far as X.509 needs it: definite lengths in their shortest form, tags of
 * one byte. A reader is a span that shrinks from the front; what is not DER is refused.
 */
#ifndef SALLYPORT_CRYPTO_DER_H
#define SALLYPORT_CRYPTO_DER_H

#include "base/res.h"
#include "base/span.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8 = 0x0c,
    DER_NUMERIC = 0x12,
    DER_PRINTABLE = 0x13,
    DER_T61 = 0x14,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERAL_TIME = 0x18,
    DER_VISIBLE = 0x1a,
    DER_UNIVERSAL = 0x1c,
    DER_BMP = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0x80,      /* [n], primitive */
    DER_CONTEXT_CONS = 0xa0, /* [n], constructed */
};

struct der {
    uint8_t tag;
    struct span body;  /* content */
    struct span whole; /* with tag and length */
};

/* The next element; false at the end and for what is not DER (then in->len is not 0). */
bool der_next(struct span *in, struct der *out);

/* The next element must have this tag. */
bool der_get(struct span *in, uint8_t tag, struct span *body);
/* Like der_get, when the next element has this tag; *there says whether. False: not DER. */
bool der_maybe(struct span *in, uint8_t tag, struct span *body, bool *there);

/* Contents. */
bool der_integer_ok(struct span body);           /* shortest form */
bool der_small(struct span body, uint32_t *out); /* a non-negative INTEGER below 2^31 */
bool der_boolean(struct span body, bool *out);   /* 00 or ff */
bool der_bits(struct span body, struct span *bytes, uint8_t *unused);
bool der_oid_ok(struct span body);
/* UTCTime (19xx from 50, 20xx below) or GeneralizedTime, both with seconds and Z (RFC 5280 4.1.2.5). */
bool der_time(uint8_t tag, struct span body, int64_t *out_s);

/* "1.2.840.113549" */
struct sb;
void der_oid_text(struct sb *s, struct span oid);

#endif
