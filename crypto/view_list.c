/* Views that are lists: what a certificate's extensions hold. */
#include "crypto/view_parts.h"

#include "base/ip.h"
#include "crypto/der.h"
#include "crypto/name.h"
#include "crypto/oid.h"

struct named {
    struct span oid;
    const char *name;
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
bool view_extension(struct sb *s, const struct cert *c, struct span oid)
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

bool view_list(struct sb *s, const struct view *v, const struct cert *c)
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
