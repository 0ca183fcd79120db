#include "crypto/ocsp.h"

#include "base/bytes.h"
#include "crypto/der.h"
#include "crypto/oid.h"
#include "crypto/sig.h"

#define SERIAL_MAX_B 20u

/* Content of an element whose length is below 128. */
static void put(struct wr *w, uint8_t tag, struct span body)
{
    wr_u8(w, tag);
    wr_u8(w, (uint8_t)body.len);
    wr_bytes(w, body);
}

/* An element around what is in the buffer. */
static void wrap(uint8_t *buf, size_t *len, uint8_t tag)
{
    size_t head = *len < 0x80 ? 2 : 3;

    memmove(buf + head, buf, *len);
    buf[0] = tag;
    if (head == 3)
        buf[1] = 0x81;
    buf[head - 1] = (uint8_t)*len;
    *len += head;
}

static size_t cert_id(const struct cert *cert, const struct cert *issuer, uint8_t *out, size_t cap)
{
    static const uint8_t alg[] = {0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00};
    struct wr w = wr_of(out, cap);
    uint8_t name[20], key[20];

    sha1(cert->issuer, name);
    sha1(issuer->key, key);
    put(&w, DER_SEQUENCE, span_of(alg, sizeof(alg)));
    put(&w, DER_OCTET_STRING, span_of(name, sizeof(name)));
    put(&w, DER_OCTET_STRING, span_of(key, sizeof(key)));
    put(&w, DER_INTEGER, cert->serial);
    return w.bad ? 0 : wr_len(&w);
}

/* [2] Extensions with the nonce (RFC 8954 2.1): an OCTET STRING within the extension's OCTET STRING. */
static size_t nonce_extension(struct span nonce, uint8_t *out, size_t cap)
{
    uint8_t inner[OCSP_NONCE_B + 2];
    struct wr w = wr_of(inner, sizeof(inner));
    size_t n;

    put(&w, DER_OCTET_STRING, nonce);
    n = wr_len(&w);
    w = wr_of(out, cap);
    put(&w, DER_OID, OID_OCSP_NONCE);
    put(&w, DER_OCTET_STRING, span_of(inner, n));
    n = wr_len(&w);
    wrap(out, &n, DER_SEQUENCE);
    wrap(out, &n, DER_SEQUENCE);
    wrap(out, &n, DER_CONTEXT_CONS | 2);
    return n;
}

size_t ocsp_request(const struct cert *cert, const struct cert *issuer, struct span nonce,
                    uint8_t out[OCSP_REQUEST_MAX_B])
{
    size_t n, more = 0;

    if (cert->serial.len == 0 || cert->serial.len > SERIAL_MAX_B + 1 || nonce.len > OCSP_NONCE_B)
        return 0;
    n = cert_id(cert, issuer, out, OCSP_REQUEST_MAX_B - 32);
    if (n == 0)
        return 0;
    wrap(out, &n, DER_SEQUENCE); /* CertID */
    wrap(out, &n, DER_SEQUENCE); /* Request */
    wrap(out, &n, DER_SEQUENCE); /* requestList */
    if (nonce.len)
        more = nonce_extension(nonce, out + n, OCSP_REQUEST_MAX_B - 16 - n);
    n += more;
    wrap(out, &n, DER_SEQUENCE); /* TBSRequest */
    wrap(out, &n, DER_SEQUENCE); /* OCSPRequest */
    return n;
}

void ocsp_id(const struct cert *cert, const struct cert *issuer, uint8_t id[OCSP_ID_B])
{
    uint8_t all[96] = {0};
    struct span serial = cert->serial;

    while (serial.len > 1 && serial.p[0] == 0)
        serial = span_from(serial, 1);
    sha256(cert->issuer, all);
    sha256(issuer->key, all + 32);
    sha256(serial, all + 64);
    sha256(span_of(all, sizeof(all)), id);
}

/* AuthorityInfoAccessSyntax ::= SEQUENCE OF SEQUENCE { method OID, location GeneralName } */
bool ocsp_url(const struct cert *cert, struct span *url)
{
    struct span in = cert->aia, seq, one, oid;
    struct der where;

    if (!cert->aia.len || !der_get(&in, DER_SEQUENCE, &seq))
        return false;
    while (der_get(&seq, DER_SEQUENCE, &one)) {
        if (!der_get(&one, DER_OID, &oid) || !der_next(&one, &where) || one.len)
            return false;
        if (!span_eq(oid, OID_AD_OCSP) || where.tag != (DER_CONTEXT | 6))
            continue;
        if (span_ieq(span_first(where.body, 7), SPAN_LIT("http://")) ||
            span_ieq(span_first(where.body, 8), SPAN_LIT("https://"))) {
            *url = where.body;
            return true;
        }
    }
    return false;
}
