#include "control/cert_text.h"

#include "control/cmd.h"
#include "crypto/der.h"
#include "crypto/sig.h"

#include <time.h>

json_t *cert_json(const struct sb *s)
{
    return cmd_text(s->p, s->len);
}

json_t *cert_day(int64_t t)
{
    char text[32];
    time_t sec = (time_t)t;
    struct tm tm;

    gmtime_r(&sec, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

static json_t *san_list(const struct cert *c)
{
    static const char *const kinds[] = {"other", "email", "dns", "x400", "dir",
                                        "edi",   "uri",   "ip",  "rid"};
    struct span it = c->san, value;
    json_t *list = json_array();
    enum cert_san_kind kind;

    while (cert_san_next(&it, &kind, &value)) {
        char text[1024];
        struct sb s = sb_of(text, sizeof(text));

        sb_str(&s, (size_t)kind < ARRAY_LEN(kinds) ? kinds[kind] : "other");
        sb_char(&s, ':');
        if (kind == CERT_SAN_DIR)
            cert_name_text(&s, value);
        else if (kind == CERT_SAN_IP || kind == CERT_SAN_OTHER)
            sb_hex(&s, value);
        else
            sb_put(&s, value);
        json_array_append_new(list, cert_json(&s));
    }
    return list;
}

static json_t *words(uint32_t bits, const char *const *names, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        if (bits >> i & 1)
            json_array_append_new(list, json_string(names[i]));
    }
    return list;
}

void cert_put_text(json_t *o, const char *key, void (*write)(struct sb *, struct span),
                   struct span in)
{
    char text[4096];
    struct sb s = sb_of(text, sizeof(text));

    write(&s, in);
    json_object_set_new(o, key, cert_json(&s));
}

json_t *cert_describe(const struct cert *c)
{
    static const char *const keys[] = {"other", "RSA", "EC", "Ed25519"};
    static const char *const sigs[] = {"other", "RSA", "RSA-PSS", "ECDSA", "Ed25519"};
    static const char *const hashes[] = {"other",   "MD5",     "SHA-1",   "SHA-224",
                                         "SHA-256", "SHA-384", "SHA-512", "none"};
    static const char *const usages[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                         "dataEncipherment", "keyAgreement",   "keyCertSign",
                                         "cRLSign"};
    static const char *const ekus[] = {"any", "serverAuth", "clientAuth", "OCSPSigning"};
    json_t *o = json_object();
    uint8_t fp[32];

    cert_put_text(o, "subject", cert_name_text, c->subject);
    cert_put_text(o, "issuer", cert_name_text, c->issuer);
    cert_put_text(o, "serial", cert_serial_text, c->serial);
    json_object_set_new(o, "version", json_integer(c->version));
    json_object_set_new(o, "not_before", cert_day(c->not_before_s));
    json_object_set_new(o, "not_after", cert_day(c->not_after_s));
    json_object_set_new(o, "key", json_sprintf("%s %u", keys[c->key_type], c->key_bits));
    json_object_set_new(o, "signature",
                        json_sprintf("%s %s", sigs[c->sig_alg], hashes[c->sig_hash]));
    json_object_set_new(o, "ca", json_boolean(c->is_ca));
    if (c->path_len >= 0)
        json_object_set_new(o, "path_len", json_integer(c->path_len));
    if (c->ext & CERT_EXT_KEY_USAGE)
        json_object_set_new(o, "key_usage", words(c->key_usage, usages, ARRAY_LEN(usages)));
    if (c->ext & CERT_EXT_EKU)
        json_object_set_new(o, "extended_key_usage", words(c->eku, ekus, ARRAY_LEN(ekus)));
    if (c->san.len)
        json_object_set_new(o, "names", san_list(c));
    if (c->ext & CERT_EXT_UNKNOWN_CRITICAL)
        cert_put_text(o, "unknown_critical", der_oid_text, c->unknown_critical_oid);
    cert_put_text(o, "subject_key_id", sb_hex, c->ski);
    cert_put_text(o, "authority_key_id", sb_hex, c->aki);
    sha256(c->der, fp);
    cert_put_text(o, "sha256", sb_hex, span_of(fp, sizeof(fp)));
    sha256(c->spki, fp);
    cert_put_text(o, "spki_sha256", sb_hex, span_of(fp, sizeof(fp)));
    return o;
}
