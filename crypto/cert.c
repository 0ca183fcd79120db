#include "crypto/cert_internal.h"

#include "crypto/der.h"
#include "crypto/oid.h"

#define NO(text)      \
    do {              \
        *why = text;  \
        return false; \
    } while (0)

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
    if (there && !cert_take_extensions(part, c))
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
