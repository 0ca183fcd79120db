#include "crypto/identity.h"

#include "crypto/der.h"
#include "crypto/pem.h"
#include "crypto/secret.h"
#include "crypto/sig.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include <stdlib.h>

#define SOON_S (14 * 86400) /* "ends soon" */

struct identity {
    uint32_t refs; /* control side */
    struct arena arena;
    const char *name;
    struct cert chain[CERT_CHAIN_MAX];
    uint32_t count;
    uint8_t *key; /* secret memory */
    size_t key_b;
    uint8_t hash[32];
    struct staple *staple; /* a reference, or NULL */
};

struct load {
    const struct identity_source *src;
    struct report *report;
    struct identity *id;
    int64_t now_s;
};

static bool mistake(struct load *l, const char *file, int line, const char *hint, const char *what)
{
    report_add(l->report, REPORT_ERROR, file, line, hint, "identity '%s': %s", l->src->name, what);
    return false;
}

static void warn(struct load *l, const char *file, int line, const char *what)
{
    report_add(l->report, REPORT_WARN, file, line, NULL, "identity '%s': %s", l->src->name, what);
}

/* --- the chain --- */

static bool is_cert(struct span label)
{
    return label.len == 0 || span_eq(label, SPAN_LIT("CERTIFICATE")) ||
           span_eq(label, SPAN_LIT("X509 CERTIFICATE"));
}

static bool add_certs(struct load *l, const char *file)
{
    struct identity *id = l->id;
    struct pem_block *blocks;
    size_t n;

    if (!IS_OK(pem_load(&id->arena, file, l->report, &blocks, &n)))
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *why;

        if (!is_cert(blocks[i].label))
            continue; /* a key may stand in the same file */
        if (id->count == CERT_CHAIN_MAX)
            return mistake(l, file, blocks[i].line, NULL,
                           "more certificates than a chain may have");
        if (!IS_OK(cert_parse(blocks[i].der, &id->chain[id->count], &why)))
            return mistake(l, file, blocks[i].line, why, "not a certificate");
        id->count++;
    }
    return true;
}

/* Each certificate is signed by the next (RFC 8446 4.4.2): else clients may not find the path. */
static bool chain_in_order(struct load *l)
{
    const struct identity *id = l->id;

    for (uint32_t i = 0; i + 1 < id->count; i++) {
        const struct cert *c = &id->chain[i], *next = &id->chain[i + 1];

        if (!cert_name_eq(c->issuer, next->subject) || sig_check_cert(next, c, NULL) != SIG_VALID)
            return mistake(l, l->src->cert_file, 0,
                           "leaf first, then each certificate that has signed the one before",
                           "the chain is not in order");
    }
    if (id->count > 1 && cert_self_issued(&id->chain[id->count - 1]))
        warn(l, l->src->cert_file, 0,
             "the root is sent along: it costs bytes in every handshake and nobody needs it");
    if (id->count == 1 && !cert_self_issued(&id->chain[0]) && l->src->for_server)
        warn(l, l->src->cert_file, 0,
             "no intermediate is sent along: clients that know only the root cannot find the path");
    return true;
}

static bool purposes(struct load *l)
{
    const struct cert *leaf = &l->id->chain[0];

    if (!(leaf->ext & CERT_EXT_EKU) || leaf->eku & CERT_EKU_ANY)
        return true;
    if (l->src->for_server && !(leaf->eku & CERT_EKU_SERVER_AUTH))
        return mistake(l, l->src->cert_file, 0, "a certificate with extendedKeyUsage serverAuth",
                       "the certificate is not for servers");
    if (l->src->for_client && !(leaf->eku & CERT_EKU_CLIENT_AUTH))
        return mistake(l, l->src->cert_file, 0, "a certificate with extendedKeyUsage clientAuth",
                       "the certificate is not for clients");
    return true;
}

static void dates(struct load *l)
{
    const struct cert *leaf = &l->id->chain[0];

    if (l->now_s > leaf->not_after_s)
        warn(l, l->src->cert_file, 0, "the certificate has expired");
    else if (l->now_s < leaf->not_before_s)
        warn(l, l->src->cert_file, 0, "the certificate is not yet valid");
    else if (l->now_s > leaf->not_after_s - SOON_S)
        warn(l, l->src->cert_file, 0, "the certificate ends within 14 days");
}

/* --- the key --- */

static bool is_key(struct span label)
{
    return label.len == 0 || span_eq(label, SPAN_LIT("PRIVATE KEY")) ||
           span_eq(label, SPAN_LIT("RSA PRIVATE KEY")) ||
           span_eq(label, SPAN_LIT("EC PRIVATE KEY"));
}

static bool rsa_matches(struct span key, const struct cert *leaf)
{
    word32 at = 0, pub_at = 0, n_len, e_len, pn_len, pe_len;
    byte n[2048], e[16], pn[2048], pe[16];
    RsaKey priv, pub;
    bool ok = false;

    if (wc_InitRsaKey(&priv, NULL) != 0)
        return false;
    if (wc_InitRsaKey(&pub, NULL) != 0) {
        wc_FreeRsaKey(&priv);
        return false;
    }
    n_len = pn_len = sizeof(n);
    e_len = pe_len = sizeof(e);
    if (wc_RsaPrivateKeyDecode(key.p, &at, &priv, (word32)key.len) == 0 &&
        wc_RsaPublicKeyDecode(leaf->key.p, &pub_at, &pub, (word32)leaf->key.len) == 0 &&
        wc_RsaFlattenPublicKey(&priv, e, &e_len, n, &n_len) == 0 &&
        wc_RsaFlattenPublicKey(&pub, pe, &pe_len, pn, &pn_len) == 0)
        ok = n_len == pn_len && e_len == pe_len && memcmp(n, pn, n_len) == 0 &&
             memcmp(e, pe, e_len) == 0;
    wc_FreeRsaKey(&priv);
    wc_FreeRsaKey(&pub);
    return ok;
}

static bool ec_matches(struct span key, const struct cert *leaf)
{
    byte point[256];
    word32 at = 0, len = sizeof(point);
    ecc_key priv;
    bool ok = false;

    if (wc_ecc_init(&priv) != 0)
        return false;
    if (wc_EccPrivateKeyDecode(key.p, &at, &priv, (word32)key.len) == 0 &&
        wc_ecc_make_pub(&priv, NULL) == 0 && wc_ecc_export_x963(&priv, point, &len) == 0)
        ok = len == leaf->key.len && memcmp(point, leaf->key.p, len) == 0;
    wc_ecc_free(&priv);
    return ok;
}

static bool ed25519_matches(struct span key, const struct cert *leaf)
{
    byte pub[ED25519_PUB_KEY_SIZE];
    word32 at = 0;
    ed25519_key priv;
    bool ok = false;

    if (wc_ed25519_init(&priv) != 0)
        return false;
    if (wc_Ed25519PrivateKeyDecode(key.p, &at, &priv, (word32)key.len) == 0 &&
        wc_ed25519_make_public(&priv, pub, sizeof(pub)) == 0)
        ok = leaf->key.len == sizeof(pub) && memcmp(pub, leaf->key.p, sizeof(pub)) == 0;
    wc_ed25519_free(&priv);
    return ok;
}

static bool key_matches(struct span key, const struct cert *leaf)
{
    switch (leaf->key_type) {
    case CERT_KEY_RSA:
        return rsa_matches(key, leaf);
    case CERT_KEY_EC:
        return ec_matches(key, leaf);
    case CERT_KEY_ED25519:
        return ed25519_matches(key, leaf);
    case CERT_KEY_OTHER:
        break;
    }
    return false;
}

static bool keep_key(struct load *l, struct span der)
{
    struct identity *id = l->id;

    id->key = (uint8_t *)secret_get(der.len);
    if (!id->key)
        return mistake(l, l->src->key_file, 0, NULL, "out of memory for the key");
    memcpy(id->key, der.p, der.len);
    id->key_b = der.len;
    return true;
}

static bool load_key(struct load *l)
{
    const char *file = l->src->key_file;
    struct pem_block *blocks;
    bool encrypted = false, ok = false;
    struct arena a;
    size_t n;

    arena_init(&a);
    if (!IS_OK(pem_load(&a, file, l->report, &blocks, &n)))
        n = 0;
    for (size_t i = 0; i < n && !ok; i++) {
        encrypted |= span_eq(blocks[i].label, SPAN_LIT("ENCRYPTED PRIVATE KEY"));
        if (!is_key(blocks[i].label))
            continue;
        if (!key_matches(blocks[i].der, &l->id->chain[0])) {
            mistake(l, file, blocks[i].line, "the key that the certificate was made for",
                    "the private key does not belong to the certificate, or cannot be read");
            break;
        }
        ok = keep_key(l, blocks[i].der);
    }
    if (!ok && encrypted)
        mistake(l, file, 0, "openssl pkey -in FILE -out PLAIN", "the private key is encrypted");
    else if (!ok && n && l->report->errors == 0)
        mistake(l, file, 0, NULL, "no private key in this file");
    for (size_t i = 0; i < n; i++)
        secret_wipe((void *)(uintptr_t)blocks[i].der.p, blocks[i].der.len);
    arena_fini(&a);
    return ok;
}

/* --- life --- */

static void make_hash(struct identity *id)
{
    uint8_t part[64 * (CERT_CHAIN_MAX + 1)];
    size_t n = 0;

    for (uint32_t i = 0; i < id->count; i++, n += 32)
        sha256(id->chain[i].der, part + n);
    sha256(span_of(id->key, id->key_b), part + n);
    sha256(span_of(part, n + 32), id->hash);
    secret_wipe(part, sizeof(part));
}

static void destroy(struct identity *id)
{
    secret_put(id->key, id->key_b);
    staple_unref(id->staple);
    arena_fini(&id->arena);
    free(id);
}

res identity_load(const struct identity_source *src, int64_t now_s, struct report *report,
                  struct identity **out)
{
    struct identity *id = (struct identity *)calloc(1, sizeof(*id));
    struct load l = {src, report, id, now_s};
    bool ok;

    if (!id)
        return ERR(NOMEM);
    id->refs = 1;
    arena_init(&id->arena);
    id->name = arena_text(&id->arena, span_str(src->name));
    ok = add_certs(&l, src->cert_file);
    if (ok && src->chain_file)
        ok = add_certs(&l, src->chain_file);
    if (ok && id->count == 0)
        ok = mistake(&l, src->cert_file, 0, NULL, "no certificate in this file");
    if (ok) {
        ok = chain_in_order(&l);
        ok &= purposes(&l);
        dates(&l);
        ok &= load_key(&l);
    }
    if (!ok) {
        destroy(id);
        return ERR(FAIL);
    }
    make_hash(id);
    *out = id;
    return OK;
}

struct identity *identity_ref(struct identity *id)
{
    id->refs++;
    return id;
}

void identity_unref(struct identity *id)
{
    if (id && --id->refs == 0)
        destroy(id);
}

const char *identity_name(const struct identity *id)
{
    return id->name;
}

enum cert_key identity_key_type(const struct identity *id)
{
    return id->chain[0].key_type;
}

const struct cert *identity_leaf(const struct identity *id)
{
    return &id->chain[0];
}

uint32_t identity_chain(const struct identity *id, struct span *der, uint32_t max)
{
    uint32_t n = 0;

    for (; n < id->count && n < max; n++)
        der[n] = id->chain[n].der;
    return n;
}

const uint8_t *identity_hash(const struct identity *id)
{
    return id->hash;
}

void identity_set_staple(struct identity *id, struct staple *s)
{
    staple_unref(id->staple);
    id->staple = staple_ref(s);
}

struct staple *identity_staple(const struct identity *id)
{
    return id->staple;
}

struct span identity_key_der(const struct identity *id)
{
    return span_of(id->key, id->key_b);
}
