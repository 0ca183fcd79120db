#include "tls/conn.h"

#include "base/must.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#define ALERT_DECODE_ERROR      50 /* RFC 8446 6 */
#define ALERT_PROTOCOL_VERSION  70
#define ALERT_INTERNAL_ERROR    80
#define ALERT_UNRECOGNIZED_NAME 112
#define ALERT_NO_ALPN           120
#define ALERT_HANDSHAKE_FAILURE 40

static void refuse(struct tls_conn *c, uint8_t alert, enum tls_why why)
{
    tls_conn_send_alert(c, alert);
    tls_conn_fail(c, why);
}

/* Somebody speaks HTTP to the TLS port: say so in the language they speak. */
static void answer_plain(struct tls_conn *c)
{
    static const char body[] =
        "This port speaks TLS, and plain HTTP was received. Use https:// in the URL.\r\n";
    char text[512];
    struct sb s = sb_of(text, sizeof(text));

    sb_str(&s, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
               "Content-Type: text/plain\r\nContent-Length: ");
    sb_u64(&s, sizeof(body) - 1);
    sb_str(&s, "\r\n\r\n");
    sb_str(&s, body);
    (void)stream_write(c->lower, sb_span(&s));
    tls_conn_fail(c, TLS_WHY_PLAIN_HTTP);
}

/* The virtual host for this ClientHello, or NULL and the session is refused. */
static const struct snap_host *choose_host(struct tls_conn *c, const struct hello *h)
{
    const struct snap_host *host;
    uint32_t i = SNAP_NONE;

    if (h->has_name)
        i = snap_host_by_name(c->snap, span_str(h->name));
    if (i == SNAP_NONE && c->listener->sni_required) {
        refuse(c, ALERT_UNRECOGNIZED_NAME, h->has_name ? TLS_WHY_SNI_UNKNOWN : TLS_WHY_SNI_MISSING);
        return NULL;
    }
    host = &c->snap->hosts[i == SNAP_NONE ? c->listener->default_host : i];
    if (!host->tls) { /* a host without certificate cannot be had over TLS */
        refuse(c, ALERT_UNRECOGNIZED_NAME, TLS_WHY_SNI_UNKNOWN);
        return NULL;
    }
    return host;
}

static bool usable(const struct hello *h, const struct identity *id)
{
    const struct cert *leaf = identity_leaf(id);

    switch (identity_key_type(id)) {
    case CERT_KEY_EC:
        return hello_takes_ecdsa(h, leaf->curve == CERT_CURVE_P521   ? 25
                                    : leaf->curve == CERT_CURVE_P384 ? 24
                                                                     : 23);
    case CERT_KEY_ED25519:
        return hello_takes_ed25519(h);
    case CERT_KEY_RSA:
        return hello_takes_rsa(h);
    case CERT_KEY_OTHER:
        break;
    }
    return false;
}

/* The first identity that the client can check; the first of all when it can check none. */
static uint32_t choose_identity(const struct tls_settings *s, const struct hello *h)
{
    for (uint32_t i = 0; i < s->identity_count; i++) {
        if (usable(h, s->identities[i]))
            return i;
    }
    return 0;
}

/* Our first protocol that the client offers; NULL: none in common. */
static const char *choose_alpn(const struct tls_settings *s, const struct hello *h)
{
    static const char *const only[] = {"http/1.1"};
    const char *const *ours = s->alpn_count ? s->alpn : only;
    uint32_t n = s->alpn_count ? s->alpn_count : 1;

    for (uint32_t i = 0; i < n; i++) {
        if (hello_offers_alpn(h, span_str(ours[i])))
            return ours[i];
    }
    return NULL;
}

static bool version_ok(const struct tls_settings *s, const struct hello *h)
{
    return (h->tls13 && s->max >= TLS_1_3) || (h->tls12 && s->min <= TLS_1_2);
}

/**
 * The library would ask a client again for a group that it has not offered. Without the extension a client
 * of TLS 1.2 leaves the choice to us (RFC 8422 4).
 */
static bool group_in_common(const struct tls_profile *p, const struct hello *h)
{
    uint32_t n;
    const uint16_t *ours = tls_profile_groups(p, &n);

    if (h->groups.len == 0)
        return !h->tls13;
    for (uint32_t i = 0; i < n; i++) {
        if (hello_offers_u16(h->groups, ours[i]))
            return true;
    }
    return false;
}

static bool start(struct tls_conn *c, const struct snap_host *host, const struct hello *h)
{
    const struct tls_settings *s = tls_profile_settings(host->tls);
    const char *alpn = h->has_alpn ? choose_alpn(s, h) : NULL;
    uint32_t identity = choose_identity(s, h);

    if (!version_ok(s, h)) {
        refuse(c, ALERT_PROTOCOL_VERSION, TLS_WHY_VERSION);
        return false;
    }
    if (!group_in_common(host->tls, h)) {
        refuse(c, ALERT_HANDSHAKE_FAILURE, TLS_WHY_GROUP);
        return false;
    }
    if (h->has_alpn && !alpn) {
        refuse(c, ALERT_NO_ALPN, TLS_WHY_ALPN);
        return false;
    }
    c->host = host;
    c->policy_id = host->policy_id;
    c->ticket_id = host->ticket_id;
    c->asked = s->ask_cert;
    c->identity = s->identity_count ? s->identities[identity] : NULL;
    c->secure_reneg = h->reneg;
    if (s->ask_late && h->post_auth && h->tls13 && s->max >= TLS_1_3)
        c->late = TLS_LATE_MAY;
    c->sni_hash = h->has_name ? snap_name_hash(span_str(h->name)) : 0;
    if (!tls_conn_begin(c, tls_profile_ctx(host->tls, c->core->args.core, identity)) ||
        (alpn && wolfSSL_UseALPN(c->ssl, (char *)(uintptr_t)alpn, (unsigned)strlen(alpn),
                                 WOLFSSL_ALPN_FAILED_ON_MISMATCH) != WOLFSSL_SUCCESS)) {
        refuse(c, ALERT_INTERNAL_ERROR, TLS_WHY_NO_MEMORY);
        return false;
    }
    if (c->late)
        tls_session_ask_late(c->ssl);
    c->state = TLS_ST_HANDSHAKE;
    return true;
}

/* Without memory there is none. */
static void note_ja4(struct tls_conn *c, const struct hello *h)
{
    c->ja4 = (struct ja4 *)wolfSSL_Malloc(sizeof(*c->ja4));
    if (c->ja4)
        ja4_of(h, c->ja4);
}

/* False: refused, and the session may be gone. */
static bool greet(struct tls_conn *c, const struct hello *h)
{
    struct tls_core *tc = c->core;
    const struct snap_host *host;
    bool begun;

    if (c->snap->ja4)
        note_ja4(c, h);
    tc->hello_conn = c;
    tc->hello_name = h->has_name ? span_str(h->name) : SPAN_NONE;
    host = choose_host(c, h);
    begun = host && start(c, host, h);
    tc->hello_conn = NULL;
    return begun;
}

/* The beginning of the connection in one piece. */
static struct span gather(struct tls_conn *c)
{
    struct span v[16];
    uint32_t n = stream_peek(c->lower, v, ARRAY_LEN(v));
    size_t have = 0;

    if (n == 1)
        return v[0];
    for (uint32_t i = 0; i < n && have < sizeof(c->core->hello); i++) {
        size_t part = min_size(v[i].len, sizeof(c->core->hello) - have);

        memcpy(c->core->hello + have, v[i].p, part);
        have += part;
    }
    return span_of(c->core->hello, have);
}

bool tls_server_hello(struct tls_conn *c)
{
    struct span in = gather(c);
    struct hello h;

    if (in.len == 0 && !stream_at_eof(c->lower))
        return false;
    switch (hello_parse(in, c->core->hello_msg, &h)) {
    case HELLO_DONE:
        return greet(c, &h);
    case HELLO_MORE:
        if (stream_at_eof(c->lower) || stream_readable(c->lower) > in.len + 16 ||
            in.len >= sizeof(c->core->hello))
            tls_conn_fail(c, TLS_WHY_TRUNCATED);
        return false;
    case HELLO_PLAIN:
        answer_plain(c);
        return false;
    case HELLO_TOO_LARGE:
        refuse(c, ALERT_DECODE_ERROR, TLS_WHY_HELLO_TOO_LARGE);
        return false;
    case HELLO_BAD:
        refuse(c, ALERT_DECODE_ERROR, TLS_WHY_BAD_HELLO);
        return false;
    }
    return false;
}

struct stream *tls_server(struct tls_core *tc, struct stream *lower, struct snap *snap,
                          const struct snap_listener *listener, const struct stream_owner *ops,
                          void *owner)
{
    struct tls_conn *c = tls_conn_new(tc, lower, snap, ops, owner);

    if (!c)
        return NULL;
    c->server = true;
    c->listener = listener;
    c->state = TLS_ST_HELLO;
    tls_count(tc, TLS_CTR_SERVER_STARTED);
    return &c->s;
}

/* Asked only when the client wants it, and in full handshakes only. The library frees what it is given. */
int tls_server_status(struct WOLFSSL *ssl, void *arg)
{
    struct tls_conn *c = (struct tls_conn *)wolfSSL_GetIOReadCtx(ssl);
    const struct staple *staple = c->identity ? identity_staple(c->identity) : NULL;
    uint32_t room = staple ? staple_len(staple, c->core->wall_s) : 0, len;
    uint8_t *der = room ? (uint8_t *)wolfSSL_Malloc(room) : NULL;

    (void)arg;
    len = der ? staple_copy(staple, c->core->wall_s, der, room) : 0;
    if (len == 0 || wolfSSL_set_tlsext_status_ocsp_resp(ssl, der, (int)len) != WOLFSSL_SUCCESS) {
        wolfSSL_Free(der);
        tls_count(c->core, TLS_CTR_STAPLE_MISSING);
        return WOLFSSL_OCSP_STATUS_CB_NOACK;
    }
    tls_count(c->core, TLS_CTR_STAPLED);
    return WOLFSSL_OCSP_STATUS_CB_OK;
}

/* TLS 1.2 has no alert for a missing certificate but this one (RFC 5246 7.4.6). */
static uint8_t missing_alert(const struct tls_conn *c)
{
    return wolfSSL_version(c->ssl) == TLS1_3_VERSION ? verdict_alert(VERDICT_NO_CERT)
                                                     : ALERT_HANDSHAKE_FAILURE;
}

bool tls_server_judge(struct tls_conn *c, bool late, bool *refused)
{
    const struct snap_client_cert *want = &c->host->cert;
    bool waits = tls_judge(c, c->peer, snap_trust_at(c->snap, want->trust), VERDICT_FOR_CLIENT,
                           want->max_depth, late);

    *refused = c->verdict != VERDICT_OK && want->on_bad == SNAP_REFUSE_TLS;
    return waits;
}

int tls_server_verify(struct tls_conn *c, struct WOLFSSL_X509_STORE_CTX *store)
{
    const struct snap_client_cert *want = &c->host->cert;
    bool refused;
    struct peer *peer = tls_peer_of(c, store, &refused);

    if (refused)
        return tls_refuse_cert(c, verdict_alert(VERDICT_MALFORMED));
    if (!peer) {
        c->verdict = VERDICT_NO_CERT;
        if (want->mode == SNAP_CERT_REQUIRE && want->on_missing == SNAP_REFUSE_TLS)
            return tls_refuse_cert(c, missing_alert(c));
        return 1;
    }
    c->peer = peer;
    if (want->mode == SNAP_CERT_REQUEST) {
        c->verdict = VERDICT_UNVERIFIED;
        return 1;
    }
    if (!tls_server_judge(c, false, &refused) && refused)
        return tls_refuse_cert(c, verdict_alert((enum verdict_code)c->verdict));
    if (refused) /* for the moment; where it would not be, the first request waits (proxy/) */
        tls_park(c, snap_trust_at(c->snap, want->trust));
    return 1;
}
