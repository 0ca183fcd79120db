#include "crypto/cert.h"

#include "crypto/der.h"
#include "crypto/oid.h"

#define NO(text)      \
    do {              \
        *why = text;  \
        return false; \
    } while (0)

/* --- algorithms --- */

static enum cert_hash hash_of_oid(struct span oid)
{
    static const struct {
        struct span oid;
        enum cert_hash hash;
    } known[] = {
        {OID_SHA1, CERT_HASH_SHA1},     {OID_SHA224, CERT_HASH_SHA224},
        {OID_SHA256, CERT_HASH_SHA256}, {OID_SHA384, CERT_HASH_SHA384},
        {OID_SHA512, CERT_HASH_SHA512},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (span_eq(oid, known[i].oid))
            return known[i].hash;
    }
    return CERT_HASH_OTHER;
}

/* AlgorithmIdentifier of a hash: parameters NULL or absent (RFC 4055 2.1). */
static bool hash_algorithm(struct span seq, enum cert_hash *out)
{
    struct span oid, null;
    bool there;

    if (!der_get(&seq, DER_OID, &oid) || !der_maybe(&seq, DER_NULL, &null, &there) || seq.len)
        return false;
    *out = hash_of_oid(oid);
    return true;
}

/* RSASSA-PSS-params (RFC 4055 3.1): only the same hash twice, and trailer 1. */
static bool pss_params(struct span alg, struct cert_alg *out)
{
    struct span seq, part, mgf, oid;
    enum cert_hash mgf_hash = CERT_HASH_SHA1;
    uint32_t salt = 20, trailer = 1;
    bool there;

    out->hash = CERT_HASH_SHA1;
    if (!der_get(&alg, DER_SEQUENCE, &seq) || alg.len)
        return false;
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 0, &part, &there))
        return false;
    if (there &&
        (!der_get(&part, DER_SEQUENCE, &mgf) || part.len || !hash_algorithm(mgf, &out->hash)))
        return false;
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 1, &part, &there))
        return false;
    if (there) {
        if (!der_get(&part, DER_SEQUENCE, &mgf) || part.len || !der_get(&mgf, DER_OID, &oid) ||
            !span_eq(oid, OID_MGF1) || !der_get(&mgf, DER_SEQUENCE, &part) || mgf.len ||
            !hash_algorithm(part, &mgf_hash))
            return false;
    }
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 2, &part, &there))
        return false;
    if (there && (!der_get(&part, DER_INTEGER, &oid) || part.len || !der_small(oid, &salt)))
        return false;
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 3, &part, &there))
        return false;
    if (there && (!der_get(&part, DER_INTEGER, &oid) || part.len || !der_small(oid, &trailer)))
        return false;
    if (seq.len || trailer != 1 || salt > 64)
        return false;
    out->salt_b = (uint8_t)salt;
    if (mgf_hash != out->hash)
        out->hash = CERT_HASH_OTHER;
    return true;
}

bool cert_alg_parse(struct span seq, struct cert_alg *out)
{
    static const struct {
        struct span oid;
        enum cert_sig sig;
        enum cert_hash hash;
    } known[] = {
        {OID_RSA_SHA256, CERT_SIG_RSA_PKCS1, CERT_HASH_SHA256},
        {OID_RSA_SHA384, CERT_SIG_RSA_PKCS1, CERT_HASH_SHA384},
        {OID_RSA_SHA512, CERT_SIG_RSA_PKCS1, CERT_HASH_SHA512},
        {OID_RSA_SHA224, CERT_SIG_RSA_PKCS1, CERT_HASH_SHA224},
        {OID_RSA_SHA1, CERT_SIG_RSA_PKCS1, CERT_HASH_SHA1},
        {OID_RSA_MD5, CERT_SIG_RSA_PKCS1, CERT_HASH_MD5},
        {OID_ECDSA_SHA256, CERT_SIG_ECDSA, CERT_HASH_SHA256},
        {OID_ECDSA_SHA384, CERT_SIG_ECDSA, CERT_HASH_SHA384},
        {OID_ECDSA_SHA512, CERT_SIG_ECDSA, CERT_HASH_SHA512},
        {OID_ECDSA_SHA224, CERT_SIG_ECDSA, CERT_HASH_SHA224},
        {OID_ECDSA_SHA1, CERT_SIG_ECDSA, CERT_HASH_SHA1},
        {OID_ED25519, CERT_SIG_ED25519, CERT_HASH_NONE},
    };
    struct span oid, null;
    bool there;

    *out = (struct cert_alg){CERT_SIG_OTHER, CERT_HASH_OTHER, 0};
    if (!der_get(&seq, DER_OID, &oid) || !der_oid_ok(oid))
        return false;
    if (span_eq(oid, OID_RSA_PSS)) {
        out->sig = CERT_SIG_RSA_PSS;
        return pss_params(seq, out);
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!span_eq(oid, known[i].oid))
            continue;
        out->sig = known[i].sig;
        out->hash = known[i].hash;
        /* RSA has NULL (RFC 4055 5; some leave it out), the others nothing (RFC 5758, RFC 8410). */
        if (!der_maybe(&seq, DER_NULL, &null, &there) || seq.len)
            return false;
        return !there || (null.len == 0 && out->sig == CERT_SIG_RSA_PKCS1);
    }
    return true; /* not known: the verdict refuses it by name */
}

/* --- the key --- */

/* RFC 8017 3.1: odd and at least 3. With 1 everybody can sign. A long one is not wrong but makes each
 * check dear, and nobody has one: beyond 64 bits it is refused. */
static bool exponent_ok(struct span e)
{
    while (e.len && e.p[0] == 0)
        e = span_from(e, 1);
    return e.len && e.len <= 8 && e.p[e.len - 1] & 1 && !(e.len == 1 && e.p[0] == 1);
}

static bool rsa_bits(struct span key, uint16_t *bits)
{
    struct span seq, n, e;
    size_t len;

    if (!der_get(&key, DER_SEQUENCE, &seq) || key.len || !der_get(&seq, DER_INTEGER, &n) ||
        !der_get(&seq, DER_INTEGER, &e) || seq.len || !der_integer_ok(n) || !der_integer_ok(e) ||
        n.p[0] & 0x80 || e.p[0] & 0x80)
        return false;
    while (n.len && n.p[0] == 0)
        n = span_from(n, 1);
    len = n.len * 8;
    for (uint8_t top = n.len ? n.p[0] : 0; top && !(top & 0x80); top = (uint8_t)(top << 1))
        len--;
    if (len > 16384)
        return false;
    *bits = (uint16_t)len;
    return exponent_ok(e);
}

static bool take_key(struct span seq, struct cert *c)
{
    struct span alg, bits, oid, curve;
    uint8_t unused;

    if (!der_get(&seq, DER_SEQUENCE, &alg) || !der_get(&seq, DER_BIT_STRING, &bits) || seq.len ||
        !der_bits(bits, &c->key, &unused) || unused || !der_get(&alg, DER_OID, &oid) ||
        !der_oid_ok(oid))
        return false;
    if (span_eq(oid, OID_RSA) || span_eq(oid, OID_RSA_PSS)) {
        c->key_type = CERT_KEY_RSA;
        c->key_pss_only = span_eq(oid, OID_RSA_PSS);
        return rsa_bits(c->key, &c->key_bits);
    }
    if (span_eq(oid, OID_ED25519)) {
        c->key_type = CERT_KEY_ED25519;
        c->key_bits = 256;
        return alg.len == 0 && c->key.len == 32;
    }
    if (!span_eq(oid, OID_EC))
        return true;
    c->key_type = CERT_KEY_EC;
    if (!der_get(&alg, DER_OID, &curve) || alg.len)
        return false; /* explicit parameters: RFC 5480 2.1.1 forbids them */
    if (span_eq(curve, OID_P256)) {
        c->curve = CERT_CURVE_P256;
        c->key_bits = 256;
    } else if (span_eq(curve, OID_P384)) {
        c->curve = CERT_CURVE_P384;
        c->key_bits = 384;
    } else if (span_eq(curve, OID_P521)) {
        c->curve = CERT_CURVE_P521;
        c->key_bits = 521;
    }
    return true;
}

/* --- names --- */

/* RDNSequence: sets of (type, value); nothing is judged but the form. */
static bool name_ok(struct span rdns)
{
    while (rdns.len) {
        struct span set, ava, oid;
        struct der value;

        if (!der_get(&rdns, DER_SET, &set) || set.len == 0)
            return false;
        while (set.len) {
            if (!der_get(&set, DER_SEQUENCE, &ava) || !der_get(&ava, DER_OID, &oid) ||
                !der_oid_ok(oid) || !der_next(&ava, &value) || ava.len)
                return false;
        }
    }
    return true;
}

static bool take_name(struct span *in, struct span *out)
{
    struct der d;

    if (!der_next(in, &d) || d.tag != DER_SEQUENCE || !name_ok(d.body))
        return false;
    *out = d.whole;
    return true;
}

/* --- extensions --- */

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
#define EXTENSIONS_MAX 64

static bool take_extensions(struct span outer, struct cert *c)
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

/* --- the certificate --- */

static bool take_version(struct span *tbs, struct cert *c)
{
    struct span outer, n;
    uint32_t v;
    bool there;

    c->version = 1;
    if (!der_maybe(tbs, DER_CONTEXT_CONS | 0, &outer, &there))
        return false;
    if (!there)
        return true;
    if (!der_get(&outer, DER_INTEGER, &n) || outer.len || !der_small(n, &v) || v == 0 || v > 2)
        return false; /* DEFAULT v1 is not written */
    c->version = (uint8_t)(v + 1);
    return true;
}

static bool take_validity(struct span seq, struct cert *c)
{
    struct der from, to;

    return der_next(&seq, &from) && der_next(&seq, &to) && seq.len == 0 &&
           der_time(from.tag, from.body, &c->not_before_s) &&
           der_time(to.tag, to.body, &c->not_after_s);
}

static bool take_tbs(struct span tbs, struct cert *c, struct span *inner_alg, const char **why)
{
    struct span body, part;
    struct der spki;
    bool there;

    if (!take_version(&tbs, c))
        NO("version");
    if (!der_get(&tbs, DER_INTEGER, &c->serial) || !der_integer_ok(c->serial))
        NO("serial number");
    if (!der_get(&tbs, DER_SEQUENCE, inner_alg))
        NO("signature algorithm");
    if (!take_name(&tbs, &c->issuer))
        NO("issuer");
    if (!der_get(&tbs, DER_SEQUENCE, &body) || !take_validity(body, c))
        NO("validity");
    if (!take_name(&tbs, &c->subject))
        NO("subject");
    if (!der_next(&tbs, &spki) || spki.tag != DER_SEQUENCE || !take_key(spki.body, c))
        NO("public key");
    c->spki = spki.whole;
    if (!der_maybe(&tbs, DER_CONTEXT | 1, &part, &there) ||
        !der_maybe(&tbs, DER_CONTEXT | 2, &part, &there) ||
        !der_maybe(&tbs, DER_CONTEXT_CONS | 3, &part, &there))
        NO("unique identifiers or extensions");
    if (there && c->version != 3)
        NO("extensions in a version 1 certificate");
    if (there && !take_extensions(part, c))
        NO("extensions");
    if (tbs.len)
        NO("something behind the extensions");
    return true;
}

static bool parse(struct span der, struct cert *c, const char **why)
{
    struct span outer, alg, inner, bits;
    struct cert_alg a;
    struct der tbs;
    uint8_t unused;

    if (der.len > CERT_DER_MAX)
        NO("larger than is accepted");
    c->der = der;
    c->path_len = -1;
    if (!der_get(&der, DER_SEQUENCE, &outer) || der.len)
        NO("not a DER sequence");
    if (!der_next(&outer, &tbs) || tbs.tag != DER_SEQUENCE)
        NO("no TBSCertificate");
    if (!der_get(&outer, DER_SEQUENCE, &alg) || !der_get(&outer, DER_BIT_STRING, &bits) ||
        outer.len)
        NO("no signature");
    if (!der_bits(bits, &c->sig, &unused) || unused)
        NO("signature");
    c->tbs = tbs.whole;
    if (!take_tbs(tbs.body, c, &inner, why))
        return false;
    c->sig_alg_differs = !span_eq(alg, inner);
    if (!cert_alg_parse(alg, &a))
        NO("signature algorithm");
    c->sig_alg = a.sig;
    c->sig_hash = a.hash;
    c->pss_salt_b = a.salt_b;
    return true;
}

res cert_parse(struct span der, struct cert *out, const char **why)
{
    memset(out, 0, sizeof(*out));
    *why = "";
    return parse(der, out, why) ? OK : ERR(INVALID);
}

bool cert_self_issued(const struct cert *c)
{
    return cert_name_eq(c->subject, c->issuer);
}

bool cert_san_next(struct span *it, enum cert_san_kind *kind, struct span *value)
{
    struct der d;

    if (it->len == 0 || !der_next(it, &d))
        return false;
    *value = d.body;
    switch (d.tag) {
    case DER_CONTEXT | 1:
        *kind = CERT_SAN_EMAIL;
        break;
    case DER_CONTEXT | 2:
        *kind = CERT_SAN_DNS;
        break;
    case DER_CONTEXT_CONS | 4:
        *kind = CERT_SAN_DIR;
        break;
    case DER_CONTEXT | 6:
        *kind = CERT_SAN_URI;
        break;
    case DER_CONTEXT | 7:
        *kind = CERT_SAN_IP;
        break;
    default:
        *kind = CERT_SAN_OTHER;
        *value = d.whole;
    }
    return true;
}

void cert_serial_text(struct sb *s, struct span serial)
{
    static const char hex[] = "0123456789ABCDEF";
    bool negative = serial.len && serial.p[0] & 0x80;
    unsigned carry = 1;
    uint8_t mag[64];
    size_t n = min_size(serial.len, sizeof(mag)), from = 0;

    if (n)
        memcpy(mag, serial.p, n);
    if (negative) {
        sb_char(s, '-');
        for (size_t i = n; i-- > 0;) {
            carry += (uint8_t)~mag[i];
            mag[i] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    while (from + 1 < n && mag[from] == 0)
        from++;
    for (; from < n; from++) {
        sb_char(s, hex[mag[from] >> 4]);
        sb_char(s, hex[mag[from] & 15]);
    }
}
