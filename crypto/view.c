#include "crypto/view.h"

#include "base/ip.h"
#include "crypto/der.h"
#include "crypto/name.h"
#include "crypto/oid.h"
#include "crypto/sig.h"

#include <time.h>

#define DAY_S 86400

struct named {
    struct span oid;
    const char *name;
};

/* OpenSSL's long names. */
static const struct named algorithms[] = {
    {OID_("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), "rsaEncryption"},
    {OID_("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"), "md5WithRSAEncryption"},
    {OID_("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"), "sha1WithRSAEncryption"},
    {OID_("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), "rsassaPss"},
    {OID_("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), "sha256WithRSAEncryption"},
    {OID_("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), "sha384WithRSAEncryption"},
    {OID_("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), "sha512WithRSAEncryption"},
    {OID_("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e"), "sha224WithRSAEncryption"},
    {OID_("\x2a\x86\x48\xce\x3d\x02\x01"), "id-ecPublicKey"},
    {OID_("\x2a\x86\x48\xce\x3d\x04\x01"), "ecdsa-with-SHA1"},
    {OID_("\x2a\x86\x48\xce\x3d\x04\x03\x01"), "ecdsa-with-SHA224"},
    {OID_("\x2a\x86\x48\xce\x3d\x04\x03\x02"), "ecdsa-with-SHA256"},
    {OID_("\x2a\x86\x48\xce\x3d\x04\x03\x03"), "ecdsa-with-SHA384"},
    {OID_("\x2a\x86\x48\xce\x3d\x04\x03\x04"), "ecdsa-with-SHA512"},
    {OID_("\x2b\x65\x6e"), "X25519"},
    {OID_("\x2b\x65\x6f"), "X448"},
    {OID_("\x2b\x65\x70"), "ED25519"},
    {OID_("\x2b\x65\x71"), "ED448"},
    {OID_("\x2a\x86\x48\xce\x38\x04\x01"), "dsaEncryption"},
    {OID_("\x60\x86\x48\x01\x65\x03\x04\x03\x02"), "dsa_with_SHA256"},
};

static const struct named purposes[] = {
    {OID_("\x55\x1d\x25\x00"), "anyExtendedKeyUsage"},
    {OID_("\x2b\x06\x01\x05\x05\x07\x03\x01"), "serverAuth"},
    {OID_("\x2b\x06\x01\x05\x05\x07\x03\x02"), "clientAuth"},
    {OID_("\x2b\x06\x01\x05\x05\x07\x03\x03"), "codeSigning"},
    {OID_("\x2b\x06\x01\x05\x05\x07\x03\x04"), "emailProtection"},
    {OID_("\x2b\x06\x01\x05\x05\x07\x03\x08"), "timeStamping"},
    {OID_("\x2b\x06\x01\x05\x05\x07\x03\x09"), "OCSPSigning"},
};

/* ETSI EN 319 412-5, 4.2.3 */
static const struct named qc_types[] = {
    {OID_("\x04\x00\x8e\x46\x01\x06\x01"), "esign"},
    {OID_("\x04\x00\x8e\x46\x01\x06\x02"), "eseal"},
    {OID_("\x04\x00\x8e\x46\x01\x06\x03"), "web"},
};

#define OID_ORG_ID        OID("\x55\x04\x61")                             /* 2.5.4.97 */
#define OID_POLICIES      OID("\x55\x1d\x20")                             /* 2.5.29.32 */
#define OID_EXT_EKU       OID("\x55\x1d\x25")                             /* 2.5.29.37 */
#define OID_QC            OID("\x2b\x06\x01\x05\x05\x07\x01\x03")         /* RFC 3739 3.2.6 */
#define OID_QC_TYPE       OID("\x04\x00\x8e\x46\x01\x06")                 /* 0.4.0.1862.1.6 */
#define OID_QC_PSD2       OID("\x04\x00\x81\x98\x27\x02")                 /* 0.4.0.19495.2 */
#define OID_OTHER_UPN     OID("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03") /* msUPN */
#define OID_OTHER_DNS_SRV OID("\x2b\x06\x01\x05\x05\x07\x08\x07")         /* RFC 4985 */

static void put_oid(struct sb *s, struct span oid, const struct named *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq(oid, known[i].oid)) {
            sb_str(s, known[i].name);
            return;
        }
    }
    der_oid_text(s, oid);
}

/* Content of an extension's OCTET STRING. */
static bool extension(const struct cert *c, struct span oid, struct span *out)
{
    struct span all = c->extensions, one, type, b;
    bool there;

    while (all.len && der_get(&all, DER_SEQUENCE, &one)) {
        if (der_get(&one, DER_OID, &type) && span_eq(type, oid))
            return der_maybe(&one, DER_BOOLEAN, &b, &there) && der_get(&one, DER_OCTET_STRING, out);
    }
    return false;
}

/* --- lists: one element, or all of them with commas between --- */

struct list {
    struct sb *s;
    uint16_t n; /* VIEW_ALL, or which one */
    uint32_t seen;
    bool put;
};

/* True: this element is wanted, and what belongs in front of it is there. */
static bool wanted(struct list *l)
{
    bool mine = l->n == VIEW_ALL || l->seen == l->n;

    l->seen++;
    if (mine && l->put)
        sb_char(l->s, ',');
    l->put |= mine;
    return mine;
}

/* --- subjectAltName --- */

static void put_ip(struct sb *s, struct span value)
{
    struct ip_addr a;

    if (value.len == 4) {
        a = ip_v4_wire(value.p);
    } else if (value.len == 16) {
        memcpy(a.b, value.p, 16);
    } else {
        sb_hex(s, value);
        return;
    }
    ip_text(s, &a);
}

static bool san(struct list *l, const struct cert *c, enum cert_san_kind want)
{
    struct span it = c->san, value;
    enum cert_san_kind kind;

    while (cert_san_next(&it, &kind, &value)) {
        if (kind != want || !wanted(l))
            continue;
        if (kind == CERT_SAN_IP)
            put_ip(l->s, value);
        else
            name_value_text(l->s, DER_IA5, value, false);
    }
    return l->put;
}

/* OtherName ::= [0] SEQUENCE { type-id, value [0] } (RFC 5280 4.2.1.6). Any other string type counts, too,
 * but is not shown: so does Apache. */
static bool other_name(struct list *l, const struct cert *c, struct span oid, uint8_t tag)
{
    struct span it = c->san, value, body, type, inner;
    enum cert_san_kind kind;
    struct der d;

    while (cert_san_next(&it, &kind, &value)) {
        if (kind != CERT_SAN_OTHER || !der_get(&value, DER_CONTEXT_CONS | 0, &body) ||
            !der_get(&body, DER_OID, &type) || !span_eq(type, oid) ||
            !der_get(&body, DER_CONTEXT_CONS | 0, &inner) || !der_next(&inner, &d))
            continue;
        if (l->seen++ != l->n || d.tag != tag)
            continue;
        name_value_text(l->s, d.tag, d.body, false);
        l->put = true;
    }
    return l->put;
}

/* --- extensions --- */

/* SEQUENCE OF, whose elements are OIDs or sequences that begin with one. */
static bool oids(struct list *l, const struct cert *c, struct span ext, const struct named *known,
                 size_t count)
{
    struct span v, seq;
    struct der d;

    if (!extension(c, ext, &v) || !der_get(&v, DER_SEQUENCE, &seq))
        return false;
    while (der_next(&seq, &d)) {
        struct span oid = d.body;

        if ((d.tag == DER_OID || (d.tag == DER_SEQUENCE && der_get(&d.body, DER_OID, &oid))) &&
            wanted(l))
            put_oid(l->s, oid, known, count);
    }
    return l->put;
}

/* What stands behind the OID in a qcStatement. */
static bool qc_info(const struct cert *c, struct span oid, struct span *info)
{
    struct span v, seq, one, type;

    if (!extension(c, OID_QC, &v) || !der_get(&v, DER_SEQUENCE, &seq))
        return false;
    while (der_get(&seq, DER_SEQUENCE, &one)) {
        if (der_get(&one, DER_OID, &type) && span_eq(type, oid))
            return der_get(&one, DER_SEQUENCE, info);
    }
    return false;
}

static bool qc_type(struct list *l, const struct cert *c)
{
    struct span info, oid;

    if (!qc_info(c, OID_QC_TYPE, &info))
        return false;
    while (der_get(&info, DER_OID, &oid)) {
        if (wanted(l))
            put_oid(l->s, oid, qc_types, ARRAY_LEN(qc_types));
    }
    return l->put;
}

/* PSD2QcType ::= SEQUENCE { roles SEQUENCE OF SEQUENCE { oid, name }, nCAName, nCAId } (ETSI TS 119 495, 5.1) */
static bool psd2(struct list *l, const struct cert *c, uint8_t what)
{
    struct span info, roles, one, oid, name, id;

    if (!qc_info(c, OID_QC_PSD2, &info) || !der_get(&info, DER_SEQUENCE, &roles) ||
        !der_get(&info, DER_UTF8, &name) || !der_get(&info, DER_UTF8, &id))
        return false;
    if (what != VIEW_PSD2_ROLES) {
        name_value_text(l->s, DER_UTF8, what == VIEW_PSD2_NCA_NAME ? name : id, false);
        return true;
    }
    while (der_get(&roles, DER_SEQUENCE, &one)) {
        if (der_get(&one, DER_OID, &oid) && der_get(&one, DER_UTF8, &name) && wanted(l))
            name_value_text(l->s, DER_UTF8, name, false);
    }
    return l->put;
}

/* As Apache's PeerExtList for what OpenSSL has no printer for; what is no string is hex here. */
static bool any_extension(struct sb *s, const struct cert *c, struct span oid)
{
    struct span v, rest;
    struct der d;

    if (!extension(c, oid, &v))
        return false;
    rest = v;
    if (der_next(&rest, &d) && rest.len == 0 &&
        (d.tag == DER_UTF8 || d.tag == DER_IA5 || d.tag == DER_VISIBLE || d.tag == DER_PRINTABLE ||
         d.tag == DER_BMP))
        name_value_text(s, d.tag, d.body, false);
    else
        sb_hex(s, v);
    return true;
}

/* --- names, numbers, times --- */

static bool attribute(struct sb *s, struct span name, struct span oid, const struct view *v)
{
    struct name_ava ava;

    if (!name_find(name, oid, v->n, &ava))
        return false;
    name_value_text(s, ava.tag, ava.value, v->raw);
    return true;
}

static void put_time(struct sb *s, int64_t at_s)
{
    char text[64];
    time_t t = (time_t)at_s;
    struct tm tm;
    size_t n;

    gmtime_r(&t, &tm);
    n = strftime(text, sizeof(text), "%b %e %H:%M:%S ", &tm);
    sb_put(s, span_of(text, n));
    sb_u64(s, (uint64_t)tm.tm_year + 1900);
    sb_str(s, " GMT");
}

/* Whole days until notAfter. */
static void put_remain(struct sb *s, int64_t not_after_s, int64_t now_s)
{
    int64_t left = (not_after_s - now_s) / DAY_S;

    sb_u64(s, left > 0 ? (uint64_t)left : 0);
}

/* A whole number of up to 64 bytes, divided by ten until nothing is left. */
static void put_decimal(struct sb *s, struct span serial)
{
    uint8_t mag[64];
    char digits[160];
    size_t n = min_size(serial.len, sizeof(mag)), from = 0, at = sizeof(digits);
    unsigned carry = 1;

    if (n)
        memcpy(mag, serial.p, n);
    if (n && mag[0] & 0x80) {
        sb_char(s, '-');
        for (size_t i = n; i-- > 0;) {
            carry += (uint8_t)~mag[i];
            mag[i] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    do {
        unsigned rest = 0;

        for (size_t i = from; i < n; i++) {
            rest = rest << 8 | mag[i];
            mag[i] = (uint8_t)(rest / 10);
            rest %= 10;
        }
        digits[--at] = (char)('0' + rest);
        while (from < n && mag[from] == 0)
            from++;
    } while (from < n);
    sb_put(s, span_of(digits + at, sizeof(digits) - at));
}

/* { serialNumber 4711, issuer rdnSequence:"CN=ca,O=Bank" } (RFC 4523 appendix A) */
static void put_cea(struct sb *s, const struct cert *c)
{
    sb_str(s, "{ serialNumber ");
    put_decimal(s, c->serial);
    sb_str(s, ", issuer rdnSequence:\"");
    cert_name_text(s, c->issuer);
    sb_str(s, "\" }");
}

static void put_algorithm(struct sb *s, struct span alg)
{
    struct span oid;

    if (der_get(&alg, DER_OID, &oid)) {
        for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
            if (span_eq(oid, algorithms[i].oid)) {
                sb_str(s, algorithms[i].name);
                return;
            }
        }
    }
    sb_str(s, "UNKNOWN");
}

static void put_sig_algorithm(struct sb *s, const struct cert *c)
{
    struct span tbs = c->tbs, body, part;
    bool there;

    if (der_get(&tbs, DER_SEQUENCE, &body) &&
        der_maybe(&body, DER_CONTEXT_CONS | 0, &part, &there) &&
        der_get(&body, DER_INTEGER, &part) && der_get(&body, DER_SEQUENCE, &part))
        put_algorithm(s, part);
}

static void put_key_algorithm(struct sb *s, const struct cert *c)
{
    struct span spki = c->spki, body, part;

    if (der_get(&spki, DER_SEQUENCE, &body) && der_get(&body, DER_SEQUENCE, &part))
        put_algorithm(s, part);
}

/* --- encodings --- */

/* line_b: characters of a line, 0: all in one. */
static void put_base64(struct sb *s, struct span in, size_t line_b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t in_line = 0;

    for (size_t i = 0; i < in.len; i += 3) {
        size_t have = min_size(3, in.len - i);
        uint32_t v = (uint32_t)in.p[i] << 16 | (have > 1 ? (uint32_t)in.p[i + 1] << 8 : 0) |
                     (have > 2 ? in.p[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], have > 1 ? digits[v >> 6 & 63] : '=',
                        have > 2 ? digits[v & 63] : '='};

        sb_put(s, span_of(four, 4));
        in_line += 4;
        if (line_b && in_line == line_b) {
            sb_char(s, '\n');
            in_line = 0;
        }
    }
    if (line_b && in_line)
        sb_char(s, '\n');
}

static void put_cert(struct sb *s, const struct cert *c, bool pem)
{
    if (!pem) {
        put_base64(s, c->der, 0);
        return;
    }
    sb_str(s, "-----BEGIN CERTIFICATE-----\n");
    put_base64(s, c->der, 64);
    sb_str(s, "-----END CERTIFICATE-----\n");
}

static void put_sha256(struct sb *s, struct span in)
{
    uint8_t hash[32];

    sha256(in, hash);
    sb_hex(s, span_of(hash, sizeof(hash)));
}

static void put_sha1(struct sb *s, struct span in)
{
    uint8_t hash[20];

    sha1(in, hash);
    sb_hex(s, span_of(hash, sizeof(hash)));
}

static bool put_id(struct sb *s, struct span id)
{
    sb_hex(s, id);
    return id.len > 0;
}

/* --- all of them --- */

static bool of_list(struct sb *s, const struct view *v, const struct cert *c)
{
    struct list l = {s, v->n, 0, false};

    switch (v->what) {
    case VIEW_SAN_EMAIL:
        return san(&l, c, CERT_SAN_EMAIL);
    case VIEW_SAN_DNS:
        return san(&l, c, CERT_SAN_DNS);
    case VIEW_SAN_URI:
        return san(&l, c, CERT_SAN_URI);
    case VIEW_SAN_IP:
        return san(&l, c, CERT_SAN_IP);
    case VIEW_SAN_UPN:
        return other_name(&l, c, OID_OTHER_UPN, DER_UTF8);
    case VIEW_SAN_SRV:
        return other_name(&l, c, OID_OTHER_DNS_SRV, DER_IA5);
    case VIEW_EKU:
        return oids(&l, c, OID_EXT_EKU, purposes, ARRAY_LEN(purposes));
    case VIEW_POLICIES:
        return oids(&l, c, OID_POLICIES, NULL, 0);
    case VIEW_QC_STATEMENTS:
        return oids(&l, c, OID_QC, NULL, 0);
    case VIEW_QC_TYPES:
        return qc_type(&l, c);
    default: /* PSD2_* */
        return psd2(&l, c, v->what);
    }
}

static bool value(struct sb *s, const struct view *v, const struct cert *chain, uint32_t n,
                  int64_t now_s)
{
    const struct cert *c = &chain[0];

    switch (v->what) {
    case VIEW_M_VERSION:
        sb_u64(s, c->version);
        return true;
    case VIEW_M_SERIAL:
        cert_serial_text(s, c->serial);
        return true;
    case VIEW_S_DN:
        cert_name_text_utf8(s, c->subject);
        return true;
    case VIEW_I_DN:
        cert_name_text_utf8(s, c->issuer);
        return true;
    case VIEW_S_DN_ATTR:
    case VIEW_S_DN_TYPE:
        return attribute(s, c->subject, view_oid(v), v);
    case VIEW_I_DN_ATTR:
    case VIEW_I_DN_TYPE:
        return attribute(s, c->issuer, view_oid(v), v);
    case VIEW_ORG_ID:
        return attribute(s, c->subject, OID_ORG_ID, v);
    case VIEW_S_DN_LEGACY:
        cert_name_text_legacy(s, c->subject);
        return true;
    case VIEW_I_DN_LEGACY:
        cert_name_text_legacy(s, c->issuer);
        return true;
    case VIEW_V_START:
        put_time(s, c->not_before_s);
        return true;
    case VIEW_V_END:
        put_time(s, c->not_after_s);
        return true;
    case VIEW_V_REMAIN:
        put_remain(s, c->not_after_s, now_s);
        return true;
    case VIEW_A_SIG:
        put_sig_algorithm(s, c);
        return true;
    case VIEW_A_KEY:
        put_key_algorithm(s, c);
        return true;
    case VIEW_CERT:
    case VIEW_B64CERT:
        put_cert(s, c, v->what == VIEW_CERT);
        return true;
    case VIEW_CHAIN_CERT:
    case VIEW_CHAIN_B64CERT:
        if (1u + v->n >= n)
            return false;
        put_cert(s, &chain[1 + v->n], v->what == VIEW_CHAIN_CERT);
        return true;
    case VIEW_RFC4523_CEA:
        put_cea(s, c);
        return true;
    case VIEW_EXT:
        return any_extension(s, c, view_oid(v));
    case VIEW_SERIAL_DEC:
        put_decimal(s, c->serial);
        return true;
    case VIEW_FP_SHA1:
        put_sha1(s, c->der);
        return true;
    case VIEW_FP_SHA256:
        put_sha256(s, c->der);
        return true;
    case VIEW_SPKI_SHA256:
        put_sha256(s, c->spki);
        return true;
    case VIEW_KEY_BITS:
        sb_u64(s, c->key_bits);
        return c->key_bits > 0;
    case VIEW_AKI:
        return put_id(s, c->aki);
    case VIEW_SKI:
        return put_id(s, c->ski);
    case VIEW_SAN_EMAIL:
    case VIEW_SAN_DNS:
    case VIEW_SAN_UPN:
    case VIEW_SAN_SRV:
    case VIEW_SAN_URI:
    case VIEW_SAN_IP:
    case VIEW_EKU:
    case VIEW_POLICIES:
    case VIEW_QC_STATEMENTS:
    case VIEW_QC_TYPES:
    case VIEW_PSD2_ROLES:
    case VIEW_PSD2_NCA_NAME:
    case VIEW_PSD2_NCA_ID:
        return of_list(s, v, c);
    default:
        return false; /* of the connection */
    }
}

bool cert_view(struct sb *s, const struct view *v, const struct cert *chain, uint32_t n,
               int64_t now_s)
{
    size_t len = s->len;

    if (n && value(s, v, chain, n, now_s) && !s->cut && s->len > len)
        return true;
    sb_back(s, len);
    return false;
}
