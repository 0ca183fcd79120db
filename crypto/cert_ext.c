/* The extensions of a certificate (RFC 5280 4.2). Which they are, and what those say that are known here. */
#include "crypto/cert_internal.h"
#include "crypto/der.h"
#include "crypto/oid.h"

#define EXTENSIONS_MAX 64

static bool ext_basic(struct span v, struct cert *c)
{
    struct span seq, b;
    uint32_t n;
    bool there;

    if (!der_get(&v, DER_SEQUENCE, &seq) || v.len || !der_maybe(&seq, DER_BOOLEAN, &b, &there))
        return false;
    if (there && (!der_boolean(b, &c->is_ca) || !c->is_ca)) /* DEFAULT FALSE is not written */
        return false;
    if (!der_maybe(&seq, DER_INTEGER, &b, &there) || seq.len)
        return false;
    c->path_len = -1;
    if (there) {
        if (!der_small(b, &n))
            return false;
        c->path_len = n > INT16_MAX ? INT16_MAX : (int16_t)n;
    }
    return true;
}

static bool ext_key_usage(struct span v, struct cert *c)
{
    struct span b, bytes;
    uint8_t unused;

    if (!der_get(&v, DER_BIT_STRING, &b) || v.len || !der_bits(b, &bytes, &unused) || bytes.len > 2)
        return false;
    for (size_t i = 0; i < bytes.len * 8; i++) {
        if (bytes.p[i / 8] & (0x80 >> i % 8))
            c->key_usage |= (uint16_t)(1u << i);
    }
    return true;
}

static bool ext_eku(struct span v, struct cert *c)
{
    struct span seq, oid;

    c->eku_der = v;
    if (!der_get(&v, DER_SEQUENCE, &seq) || v.len || seq.len == 0)
        return false;
    while (seq.len) {
        if (!der_get(&seq, DER_OID, &oid) || !der_oid_ok(oid))
            return false;
        if (span_eq(oid, OID_EKU_ANY))
            c->eku |= CERT_EKU_ANY;
        else if (span_eq(oid, OID_EKU_SERVER))
            c->eku |= CERT_EKU_SERVER_AUTH;
        else if (span_eq(oid, OID_EKU_CLIENT))
            c->eku |= CERT_EKU_CLIENT_AUTH;
        else if (span_eq(oid, OID_EKU_OCSP))
            c->eku |= CERT_EKU_OCSP_SIGNING;
        else
            c->eku_other++;
    }
    return true;
}

static bool ext_ski(struct span v, struct cert *c)
{
    return der_get(&v, DER_OCTET_STRING, &c->ski) && v.len == 0 && c->ski.len > 0;
}

static bool ext_aki(struct span v, struct cert *c)
{
    struct span seq, part;
    bool there;

    if (!der_get(&v, DER_SEQUENCE, &seq) || v.len ||
        !der_maybe(&seq, DER_CONTEXT | 0, &c->aki, &there) ||
        !der_maybe(&seq, DER_CONTEXT_CONS | 1, &part, &there) ||
        !der_maybe(&seq, DER_CONTEXT | 2, &part, &there))
        return false;
    return seq.len == 0;
}

/* GeneralNames, not empty, each well-formed as far as its kind is known. */
static bool ext_san(struct span v, struct cert *c)
{
    struct span seq, it;
    enum cert_san_kind kind;
    struct span value;
    struct der d;

    if (!der_get(&v, DER_SEQUENCE, &seq) || v.len || seq.len == 0)
        return false;
    c->san = seq;
    for (it = seq; it.len;) {
        if (!der_next(&it, &d))
            return false;
    }
    for (it = seq; cert_san_next(&it, &kind, &value);) {
        if (kind == CERT_SAN_IP && value.len != 4 && value.len != 16)
            return false;
    }
    return it.len == 0;
}

/* RFC 7633: TLS features; 5 = status_request. */
static bool ext_tls_feature(struct span v, struct cert *c)
{
    struct span seq, n;
    uint32_t feature;

    if (!der_get(&v, DER_SEQUENCE, &seq) || v.len)
        return false;
    while (seq.len) {
        if (!der_get(&seq, DER_INTEGER, &n) || !der_small(n, &feature))
            return false;
        if (feature == 5)
            c->ext |= CERT_EXT_MUST_STAPLE;
    }
    return true;
}

static bool whole_sequence(struct span v, struct span *out)
{
    *out = v;
    return der_get(&v, DER_SEQUENCE, &(struct span){0}) && v.len == 0;
}

static bool ext_inhibit(struct span v, struct cert *c)
{
    uint32_t n;
    struct span body;

    c->inhibit_any = v;
    return der_get(&v, DER_INTEGER, &body) && v.len == 0 && der_small(body, &n);
}

/* Which extension is it, and can its content be read? False: malformed. */
static bool take_known(struct span oid, struct span v, struct cert *c, uint32_t *bit)
{
    if (oid.len == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d) { /* 2.5.29.x */
        switch (oid.p[2]) {
        case 14:
            *bit = CERT_EXT_SKI;
            return ext_ski(v, c);
        case 15:
            *bit = CERT_EXT_KEY_USAGE;
            return ext_key_usage(v, c);
        case 17:
            *bit = CERT_EXT_SAN;
            return ext_san(v, c);
        case 18:
            *bit = CERT_EXT_ISSUER_ALT;
            return true;
        case 19:
            *bit = CERT_EXT_BASIC;
            return ext_basic(v, c);
        case 30:
            *bit = CERT_EXT_NAME_CONSTRAINTS;
            return whole_sequence(v, &c->name_constraints);
        case 31:
            *bit = CERT_EXT_CRL_DP;
            return whole_sequence(v, &c->crl_dp);
        case 32:
            *bit = CERT_EXT_POLICIES;
            return whole_sequence(v, &c->policies);
        case 33:
            *bit = CERT_EXT_POLICY_MAPPINGS;
            return whole_sequence(v, &c->policy_mappings);
        case 35:
            *bit = CERT_EXT_AKI;
            return ext_aki(v, c);
        case 36:
            *bit = CERT_EXT_POLICY_CONSTRAINTS;
            return whole_sequence(v, &c->policy_constraints);
        case 37:
            *bit = CERT_EXT_EKU;
            return ext_eku(v, c);
        case 46:
            *bit = CERT_EXT_FRESHEST_CRL;
            return whole_sequence(v, &c->freshest_crl);
        case 54:
            *bit = CERT_EXT_INHIBIT_ANY;
            return ext_inhibit(v, c);
        default:
            return true;
        }
    }
    if (span_eq(oid, OID_AIA)) {
        *bit = CERT_EXT_AIA;
        return whole_sequence(v, &c->aia);
    }
    if (span_eq(oid, OID_TLS_FEATURE)) {
        *bit = 1u << 31; /* known, and told by CERT_EXT_MUST_STAPLE */
        return ext_tls_feature(v, c);
    }
    if (span_eq(oid, OID_OCSP_NO_CHECK)) {
        *bit = CERT_EXT_OCSP_NO_CHECK;
        return true;
    }
    return true;
}

static bool take_extension(struct span seq, struct cert *c)
{
    struct span oid, b, v;
    bool there, critical = false;
    uint32_t bit = 0;

    if (!der_get(&seq, DER_OID, &oid) || !der_oid_ok(oid) ||
        !der_maybe(&seq, DER_BOOLEAN, &b, &there))
        return false;
    if (there && (!der_boolean(b, &critical) || !critical))
        return false;
    if (!der_get(&seq, DER_OCTET_STRING, &v) || seq.len || !take_known(oid, v, c, &bit))
        return false;
    if (bit == 0) {
        if (critical && !(c->ext & CERT_EXT_UNKNOWN_CRITICAL)) {
            c->ext |= CERT_EXT_UNKNOWN_CRITICAL;
            c->unknown_critical_oid = oid;
        }
        return true;
    }
    if (c->ext & bit & 0x7fffffffu)
        c->ext_twice = true;
    c->ext |= bit & 0x7fffffffu;
    if (critical)
        c->critical |= bit & 0x7fffffffu;
    return true;
}

/* Unknown ones may stand twice too: all OIDs against all that came before, bounded. */
bool cert_take_extensions(struct span outer, struct cert *c)
{
    struct span seq, one, seen[EXTENSIONS_MAX], oid, copy;
    unsigned n = 0;

    if (!der_get(&outer, DER_SEQUENCE, &seq) || outer.len || seq.len == 0)
        return false;
    c->extensions = seq;
    while (seq.len) {
        if (n == EXTENSIONS_MAX || !der_get(&seq, DER_SEQUENCE, &one))
            return false;
        copy = one;
        if (!der_get(&copy, DER_OID, &oid))
            return false;
        for (unsigned i = 0; i < n; i++) {
            if (span_eq(seen[i], oid))
                c->ext_twice = true;
        }
        seen[n++] = oid;
        if (!take_extension(one, c))
            return false;
    }
    return true;
}
