/* Views' values as text: times, numbers, algorithms, encodings and hashes. */
#include "crypto/view_parts.h"

#include "crypto/der.h"
#include "crypto/name.h"
#include "crypto/oid.h"
#include "crypto/sig.h"

#include <time.h>

#define DAY_S 86400

/* OpenSSL's long names. */
static const struct {
    struct span oid;
    const char *name;
} algorithms[] = {
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

void view_put_time(struct sb *s, int64_t at_s)
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
void view_put_remain(struct sb *s, int64_t not_after_s, int64_t now_s)
{
    int64_t left = (not_after_s - now_s) / DAY_S;

    sb_u64(s, left > 0 ? (uint64_t)left : 0);
}

/* A whole number of up to 64 bytes, divided by ten until nothing is left. */
void view_put_decimal(struct sb *s, struct span serial)
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
void view_put_cea(struct sb *s, const struct cert *c)
{
    sb_str(s, "{ serialNumber ");
    view_put_decimal(s, c->serial);
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

void view_put_sig_algorithm(struct sb *s, const struct cert *c)
{
    struct span tbs = c->tbs, body, part;
    bool there;

    if (der_get(&tbs, DER_SEQUENCE, &body) &&
        der_maybe(&body, DER_CONTEXT_CONS | 0, &part, &there) &&
        der_get(&body, DER_INTEGER, &part) && der_get(&body, DER_SEQUENCE, &part))
        put_algorithm(s, part);
}

void view_put_key_algorithm(struct sb *s, const struct cert *c)
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

void view_put_cert(struct sb *s, const struct cert *c, bool pem)
{
    if (!pem) {
        put_base64(s, c->der, 0);
        return;
    }
    sb_str(s, "-----BEGIN CERTIFICATE-----\n");
    put_base64(s, c->der, 64);
    sb_str(s, "-----END CERTIFICATE-----\n");
}

void view_put_sha256(struct sb *s, struct span in)
{
    uint8_t hash[32];

    sha256(in, hash);
    sb_hex(s, span_of(hash, sizeof(hash)));
}

void view_put_sha1(struct sb *s, struct span in)
{
    uint8_t hash[20];

    sha1(in, hash);
    sb_hex(s, span_of(hash, sizeof(hash)));
}
