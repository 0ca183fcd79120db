#include "crypto/tls_ctx.h"

#include "base/must.h"
#include "base/sb.h"
#include "crypto/sig.h"
#include "crypto/ticket.h"

#include <wolfssl/internal.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <stdlib.h>

#define LIST_B 1024 /* a colon-separated list handed to wolfSSL */

struct tls_profile {
    uint32_t refs; /* control side */
    struct tls_profile *next_dead;
    uint8_t hash[32];
    struct tls_settings settings; /* texts and identities are this profile's own */
    char *texts[3 + 1 + TLS_ALPN_MAX];
    uint8_t *ca_names;
    uint32_t text_count;
    unsigned cores;
    uint32_t per_core; /* contexts of a core: one per identity, at least one */
    struct tls_core_ctx *ctx;
    uint16_t groups[16];
    uint32_t group_count;
};

/* Retired profiles whose sessions live on. Control thread only. */
static struct tls_profile *dead;

struct named {
    const char *name; /* OpenSSL's, which everybody knows */
    const char *iana;
    const char *wolf;
};

static const struct named suites12[] = {
    {"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", NULL},
    {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", NULL},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", NULL},
    {"ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", NULL},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", NULL},
    {"ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", NULL},
};

static const struct named suites13[] = {
    {"TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256", "TLS13-AES128-GCM-SHA256"},
    {"TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384", "TLS13-AES256-GCM-SHA384"},
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS13-CHACHA20-POLY1305-SHA256",
     "TLS13-CHACHA20-POLY1305-SHA256"},
};

static const struct {
    const char *name, *alias;
    int id;
} groups[] = {
    {"X25519MLKEM768", "x25519mlkem768", WOLFSSL_X25519MLKEM768},
    {"X25519", "x25519", WOLFSSL_ECC_X25519},
    {"P-256", "secp256r1", WOLFSSL_ECC_SECP256R1},
    {"P-384", "secp384r1", WOLFSSL_ECC_SECP384R1},
    {"P-521", "secp521r1", WOLFSSL_ECC_SECP521R1},
};

const char *tls_default_ciphers(bool tls13)
{
    return tls13 ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
                 : "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                   "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                   "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
}

const char *tls_default_groups(void)
{
    return "X25519MLKEM768:X25519:P-256:P-384:P-521";
}

/* The next name of a list; false at its end. */
static bool next_name(struct span *list, struct span *name)
{
    size_t colon;

    if (list->len == 0)
        return false;
    colon = span_find(*list, ':');
    *name = span_trim(span_first(*list, colon));
    *list = span_from(*list, colon + 1);
    return true;
}

static void unknown(struct report *report, const char *who, const char *what, struct span name,
                    const struct named *known, size_t count)
{
    char text[LIST_B];
    struct sb s = sb_of(text, sizeof(text));

    for (size_t i = 0; i < count; i++)
        sb_fmt(&s, "%s%s", i ? ", " : "one of ", known[i].name);
    report_add(report, REPORT_ERROR, NULL, 0, text, "tls of '%s': %s: '%.*s' is not known", who,
               what, (int)name.len, (const char *)name.p);
}

/* Appends the names of `list` in wolfSSL's spelling; false when one is not known. */
static bool add_suites(struct sb *out, const char *who, const char *list, const struct named *known,
                       size_t count, const char *what, struct report *report)
{
    struct span left = span_str(list), name;
    bool ok = true;

    while (next_name(&left, &name)) {
        const struct named *hit = NULL;

        for (size_t i = 0; i < count && !hit; i++) {
            if (span_ieq(name, span_str(known[i].name)) || span_ieq(name, span_str(known[i].iana)))
                hit = &known[i];
        }
        if (!hit) {
            unknown(report, who, what, name, known, count);
            ok = false;
            continue;
        }
        if (out->len)
            sb_char(out, ':');
        sb_str(out, hit->wolf ? hit->wolf : hit->name);
    }
    return ok;
}

/* All suites of both versions in one list, as wolfSSL takes them. */
static bool suite_list(struct sb *out, const struct tls_settings *s, struct report *report)
{
    const char *c13 = s->ciphers13 ? s->ciphers13 : tls_default_ciphers(true);
    const char *c12 = s->ciphers12 ? s->ciphers12 : tls_default_ciphers(false);
    bool ok = true;

    if (s->max >= TLS_1_3)
        ok &= add_suites(out, s->name, c13, suites13, ARRAY_LEN(suites13), "ciphers13", report);
    if (s->min <= TLS_1_2)
        ok &= add_suites(out, s->name, c12, suites12, ARRAY_LEN(suites12), "ciphers12", report);
    if (ok && (out->len == 0 || out->cut)) {
        report_add(report, REPORT_ERROR, NULL, 0, NULL, "tls of '%s': no cipher suite is left",
                   s->name);
        ok = false;
    }
    return ok;
}

static bool group_list(int ids[16], int *count, const struct tls_settings *s, struct report *report)
{
    struct span left = span_str(s->groups ? s->groups : tls_default_groups()), name;
    bool ok = true;

    *count = 0;
    while (next_name(&left, &name)) {
        size_t i = 0;

        while (i < ARRAY_LEN(groups) && !span_ieq(name, span_str(groups[i].name)) &&
               !span_ieq(name, span_str(groups[i].alias)))
            i++;
        if (i == ARRAY_LEN(groups) || *count == 16) {
            report_add(report, REPORT_ERROR, NULL, 0,
                       "one of X25519MLKEM768, X25519, P-256, P-384, P-521",
                       "tls of '%s': groups: '%.*s' is not known", s->name, (int)name.len,
                       (const char *)name.p);
            ok = false;
            continue;
        }
        ids[(*count)++] = groups[i].id;
    }
    if (ok && *count == 0) {
        report_add(report, REPORT_ERROR, NULL, 0, NULL, "tls of '%s': groups: the list is empty",
                   s->name);
        ok = false;
    }
    return ok;
}

static WOLFSSL_METHOD *method_for(const struct tls_settings *s)
{
    if (s->max == TLS_1_2)
        return s->server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method();
    if (s->min == TLS_1_3)
        return s->server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method();
    return s->server ? wolfSSLv23_server_method() : wolfSSLv23_client_method();
}

/* The chain as one run of DER and the key. */
static bool load_identity(WOLFSSL_CTX *ctx, const struct identity *id)
{
    struct span der[CERT_CHAIN_MAX], key = identity_key_der(id);
    uint32_t n = identity_chain(id, der, CERT_CHAIN_MAX);
    size_t len = 0;
    uint8_t *all;
    int r;

    for (uint32_t i = 0; i < n; i++)
        len += der[i].len;
    all = (uint8_t *)malloc(len ? len : 1);
    if (!all)
        return false;
    len = 0;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(all + len, der[i].p, der[i].len);
        len += der[i].len;
    }
    r = wolfSSL_CTX_use_certificate_chain_buffer_format(ctx, all, (long)len, WOLFSSL_FILETYPE_ASN1);
    free(all);
    if (r != WOLFSSL_SUCCESS)
        return false;
    return wolfSSL_CTX_use_PrivateKey_buffer(ctx, key.p, (long)key.len, WOLFSSL_FILETYPE_ASN1) ==
           WOLFSSL_SUCCESS;
}

/* Until tls/ has put its own callback in, nobody is accepted. */
static int refuse_all(int preverify, WOLFSSL_X509_STORE_CTX *store)
{
    (void)preverify;
    (void)store;
    return 0;
}

/**
 * Parse-only: the certificate is asked for and parsed and possession of its key is checked; no store is
 * searched and none grows. With wolfSSL's ordinary mode an intermediate that one client sends becomes
 * an anchor for all later ones. Both flags together are not to be had through the public interface.
 */
static void parse_only(WOLFSSL_CTX *ctx, bool ask, VerifyCallback verify)
{
    if (!ask) {
        wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
        return;
    }
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, verify);
    ctx->verifyPeer = 1;
    ctx->verifyNone = 1;
}

/* Until tls/ has put its own in: no response. Without any the library would ask the responder in the handshake. */
static int no_status(WOLFSSL *ssl, void *arg)
{
    (void)ssl, (void)arg;
    return WOLFSSL_OCSP_STATUS_CB_NOACK;
}

static bool staples(const WOLFSSL_CTX *ctx)
{
    return ctx->cm && ctx->cm->ocsp_stapling;
}

static WOLFSSL_CTX *context_new(const struct tls_settings *s, const struct identity *id,
                                const char *suites, int *ids, int id_count)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method_for(s));

    if (!ctx)
        return NULL;
    if ((s->min == TLS_1_2 && wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS) ||
        wolfSSL_CTX_set_cipher_list(ctx, suites) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_set_groups(ctx, ids, id_count) != WOLFSSL_SUCCESS ||
        (id && !load_identity(ctx, id)) ||
        (s->server && id && identity_staple(id) &&
         wolfSSL_CTX_set_tlsext_status_cb(ctx, no_status) != WOLFSSL_SUCCESS)) {
        wolfSSL_CTX_free(ctx);
        return NULL;
    }
    parse_only(ctx, s->ask_cert || !s->server, refuse_all);
    wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
    wolfSSL_CTX_set_group_messages(ctx);
    if (!s->tickets && s->server) {
        wolfSSL_CTX_NoTicketTLSv12(ctx);
        wolfSSL_CTX_no_ticket_TLSv13(ctx);
    }
    return ctx;
}

static const char *keep_text(struct tls_profile *p, const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    if (copy)
        p->texts[p->text_count++] = copy;
    return copy;
}

static void keep_settings(struct tls_profile *p, const struct tls_settings *s)
{
    p->settings = *s;
    p->settings.name = keep_text(p, s->name);
    p->settings.ciphers12 = keep_text(p, s->ciphers12);
    p->settings.ciphers13 = keep_text(p, s->ciphers13);
    p->settings.groups = keep_text(p, s->groups);
    for (uint32_t i = 0; i < s->alpn_count; i++)
        p->settings.alpn[i] = keep_text(p, s->alpn[i]);
    for (uint32_t i = 0; i < s->identity_count; i++)
        p->settings.identities[i] = identity_ref(s->identities[i]);
    p->settings.ca_names = SPAN_NONE;
    if (s->ca_names.len && (p->ca_names = (uint8_t *)malloc(s->ca_names.len))) {
        memcpy(p->ca_names, s->ca_names.p, s->ca_names.len);
        p->settings.ca_names = span_of(p->ca_names, s->ca_names.len);
    }
}

static void profile_free(struct tls_profile *p)
{
    for (uint32_t i = 0; p->ctx && i < p->cores * p->per_core; i++)
        wolfSSL_CTX_free(p->ctx[i].wolf);
    for (uint32_t i = 0; i < p->settings.identity_count; i++)
        identity_unref(p->settings.identities[i]);
    for (uint32_t i = 0; i < p->text_count; i++)
        free(p->texts[i]);
    free(p->ca_names);
    free(p->ctx);
    free(p);
}

static bool make_contexts(struct tls_profile *p, struct report *report)
{
    const struct tls_settings *s = &p->settings;
    char list[LIST_B];
    struct sb suites = sb_of(list, sizeof(list));
    int ids[16], id_count;
    bool ok = suite_list(&suites, s, report);

    ok &= group_list(ids, &id_count, s, report);
    p->group_count = (uint32_t)id_count;
    for (int i = 0; i < id_count; i++)
        p->groups[i] = (uint16_t)ids[i]; /* the library numbers them as TLS does */
    for (uint32_t i = 0; ok && i < p->cores * p->per_core; i++) {
        struct identity *id = s->identity_count ? s->identities[i % p->per_core] : NULL;

        p->ctx[i].ca_names = s->ca_names;
        p->ctx[i].wolf = context_new(s, id, list, ids, id_count);
        if (!p->ctx[i].wolf) {
            report_add(report, REPORT_ERROR, NULL, 0, NULL,
                       "tls of '%s': wolfSSL does not accept identity '%s' with these settings",
                       s->name, id ? identity_name(id) : "none");
            ok = false;
        }
    }
    return ok;
}

res tls_profile_new(const struct tls_settings *s, unsigned cores, struct report *report,
                    struct tls_profile **out)
{
    struct tls_profile *p;

    if (s->min > s->max || (s->server && s->identity_count == 0) || cores == 0) {
        report_add(report, REPORT_ERROR, NULL, 0, NULL,
                   "tls of '%s': needs an identity and min not above max", s->name);
        return ERR(INVALID);
    }
    p = (struct tls_profile *)calloc(1, sizeof(*p));
    if (!p)
        return ERR(NOMEM);
    keep_settings(p, s);
    p->refs = 1;
    p->cores = cores;
    p->per_core = s->identity_count ? s->identity_count : 1;
    p->ctx = (struct tls_core_ctx *)calloc((size_t)cores * p->per_core, sizeof(*p->ctx));
    if (!p->ctx || !IS_OK(tls_settings_hash(s, p->hash)) || !make_contexts(p, report)) {
        profile_free(p);
        return ERR(FAIL);
    }
    *out = p;
    return OK;
}

struct tls_profile *tls_profile_ref(struct tls_profile *p)
{
    p->refs++;
    return p;
}

void tls_profile_unref(struct tls_profile *p)
{
    if (!p || --p->refs)
        return;
    p->next_dead = dead;
    dead = p;
}

static bool in_use(const struct tls_profile *p)
{
    for (uint32_t i = 0; i < p->cores * p->per_core; i++) {
        if (__atomic_load_n(&p->ctx[i].sessions, __ATOMIC_ACQUIRE))
            return true;
    }
    return false;
}

uint32_t tls_profile_reap(void)
{
    struct tls_profile **at = &dead;
    uint32_t left = 0;

    while (*at) {
        struct tls_profile *p = *at;

        if (in_use(p)) {
            at = &p->next_dead;
            left++;
        } else {
            *at = p->next_dead;
            profile_free(p);
        }
    }
    return left;
}

const uint8_t *tls_profile_hash(const struct tls_profile *p)
{
    return p->hash;
}

res tls_settings_hash(const struct tls_settings *s, uint8_t out[32])
{
    char text[4 * LIST_B];
    struct sb b = sb_of(text, sizeof(text));
    uint8_t names[32];

    sb_fmt(&b, "%d|%d|%d|%d|%d|%d", s->server, s->min, s->max, s->ask_cert, s->ask_late,
           s->tickets);
    sb_fmt(&b, "|%s|%s|%s", s->ciphers12 ? s->ciphers12 : "-", s->ciphers13 ? s->ciphers13 : "-",
           s->groups ? s->groups : "-");
    for (uint32_t i = 0; i < s->alpn_count; i++)
        sb_fmt(&b, "|%s", s->alpn[i]);
    for (uint32_t i = 0; i < s->identity_count; i++) {
        sb_char(&b, '|');
        sb_hex(&b, span_of(identity_hash(s->identities[i]), 32));
        sb_char(&b, identity_staple(s->identities[i]) ? 's' : '-');
    }
    sha256(s->ca_names, names);
    sb_char(&b, '|');
    sb_hex(&b, span_of(names, sizeof(names)));
    if (b.cut)
        return ERR(INVALID);
    sha256(sb_span(&b), out);
    return OK;
}

const uint16_t *tls_profile_groups(const struct tls_profile *p, uint32_t *count)
{
    *count = p->group_count;
    return p->groups;
}

const struct tls_settings *tls_profile_settings(const struct tls_profile *p)
{
    return &p->settings;
}

struct tls_core_ctx *tls_profile_ctx(struct tls_profile *p, unsigned core, uint32_t identity)
{
    return &p->ctx[core * p->per_core + identity];
}

void tls_core_ctx_arm(struct tls_core_ctx *c, const struct tls_settings *s,
                      const struct tls_ctx_hooks *hooks)
{
    WOLFSSL_CTX *ctx = c->wolf;

    wolfSSL_CTX_SetIORecv(ctx, hooks->recv);
    wolfSSL_CTX_SetIOSend(ctx, hooks->send);
    parse_only(ctx, s->ask_cert || !s->server, hooks->verify);
    if (s->server) {
        wolfSSL_CTX_set_servername_callback(ctx, hooks->sni);
        /* The one pointer of a context that nobody but us looks at: sallyport_ca_names() does. */
        wolfSSL_CTX_set_servername_arg(ctx, c);
        if (staples(ctx))
            ctx->cm->ocsp_stapling->statusCb = hooks->status;
        if (s->tickets) {
            wolfSSL_CTX_set_TicketEncCb(ctx, hooks->ticket);
            wolfSSL_CTX_set_TicketEncCtx(ctx, hooks->user);
            wolfSSL_CTX_set_TicketHint(ctx, TICKET_EPOCH_S);
        }
    }
    c->armed = true;
}

const unsigned char *sallyport_ca_names(struct WOLFSSL *ssl, unsigned short *len)
{
    const struct tls_core_ctx *c = (const struct tls_core_ctx *)ssl->ctx->sniRecvCbArg;

    *len = c ? (unsigned short)c->ca_names.len : 0;
    return c ? c->ca_names.p : NULL;
}
