#include "tls/conn.h"

#include "base/must.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

void tls_conn_set_state(struct tls_conn *c, enum tls_state st)
{
    c->state = (uint8_t)st;
}

/* --- between the library and the stream below --- */

/* The first `len` bytes of the stream below, without taking them. False: not so many there. */
static bool peek_copy(struct stream *lower, uint8_t *to, uint32_t len)
{
    struct span v[16];
    uint32_t n, have = 0;

    if (stream_readable(lower) < len)
        return false;
    n = stream_peek(lower, v, ARRAY_LEN(v));
    for (uint32_t i = 0; i < n && have < len; i++) {
        uint32_t part = (uint32_t)min_size(v[i].len, len - have);

        memcpy(to + have, v[i].p, part);
        have += part;
    }
    return have == len;
}

/* A whole record is there, or so much that the library can tell that it is none. */
bool tls_record_ready(struct stream *lower)
{
    uint8_t hdr[5];
    uint32_t len;

    if (!peek_copy(lower, hdr, sizeof(hdr)))
        return false;
    len = (uint32_t)hdr[3] << 8 | hdr[4];
    if (hdr[0] < 20 || hdr[0] > 24 || hdr[1] != 3 || len > TLS_RECORD_MAX_B + 256)
        return true;
    return stream_readable(lower) >= sizeof(hdr) + len;
}

static int hook_recv(struct WOLFSSL *ssl, char *buf, int len, void *io)
{
    struct tls_conn *c = (struct tls_conn *)io;
    int have = 0;

    (void)ssl;
    if (c->parked)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    while (have < len) {
        struct span v[8];
        uint32_t n = stream_peek(c->lower, v, ARRAY_LEN(v)), taken = 0;

        for (uint32_t i = 0; i < n && have < len; i++) {
            uint32_t part = (uint32_t)min_size(v[i].len, (size_t)(len - have));

            memcpy(buf + have, v[i].p, part);
            have += (int)part;
            taken += part;
        }
        if (taken == 0)
            break;
        stream_consume(c->lower, taken);
    }
    if (have)
        return have;
    return stream_at_eof(c->lower) ? WOLFSSL_CBIO_ERR_CONN_CLOSE : WOLFSSL_CBIO_ERR_WANT_READ;
}

static int hook_send(struct WOLFSSL *ssl, char *buf, int len, void *io)
{
    struct tls_conn *c = (struct tls_conn *)io;
    uint32_t done = 0;

    (void)ssl;
    while (done < (uint32_t)len) {
        uint32_t got;
        void *room = stream_reserve(c->lower, (uint32_t)len - done, &got);

        if (!room)
            break;
        memcpy(room, buf + done, got);
        stream_commit(c->lower, got);
        done += got;
    }
    return done ? (int)done : WOLFSSL_CBIO_ERR_WANT_WRITE;
}

static int hook_verify(int preverify, struct WOLFSSL_X509_STORE_CTX *store)
{
    struct tls_conn *c = (struct tls_conn *)store->userCtx;

    (void)preverify; /* says what a library without anchors thinks: nothing */
    c->cert_seen = true;
    if (c->state == TLS_ST_OPEN)
        return tls_late_verify(c, store);
    return c->server ? tls_server_verify(c, store) : tls_client_verify(c, store);
}

/* A second ClientHello (after HelloRetryRequest) must name the same host (RFC 8446 4.1.2). */
static int hook_sni(struct WOLFSSL *ssl, int *alert, void *user)
{
    struct tls_conn *c = (struct tls_conn *)wolfSSL_GetIOReadCtx(ssl);
    void *name = NULL;
    uint16_t len = wolfSSL_SNI_GetRequest(ssl, WOLFSSL_SNI_HOST_NAME, &name);
    char lower[HELLO_NAME_B + 1];
    uint64_t hash = 0;

    (void)user;
    if (len > HELLO_NAME_B)
        len = HELLO_NAME_B;
    for (uint16_t i = 0; i < len; i++)
        lower[i] = (char)ascii_lower(((const uint8_t *)name)[i]);
    if (len && lower[len - 1] == '.')
        len--;
    if (len)
        hash = snap_name_hash(span_of(lower, len));
    if (hash == c->sni_hash)
        return 0;
    *alert = illegal_parameter;
    return fatal_return;
}

bool tls_conn_begin(struct tls_conn *c, struct tls_core_ctx *ctx)
{
    const struct tls_settings *s =
        tls_profile_settings(c->server ? c->host->tls : c->upstream->tls);

    if (!ctx->armed) {
        const struct tls_ctx_hooks hooks = {hook_recv, hook_send,         hook_verify,

                                            hook_sni,  tls_server_status, tls_ticket_crypt,
                                            c->core};

        tls_core_ctx_arm(ctx, s, &hooks);
    }
    c->ssl = wolfSSL_new(ctx->wolf);
    if (!c->ssl)
        return false;
    tls_core_ctx_hold(ctx);
    c->ctx = ctx;
    wolfSSL_SetIOReadCtx(c->ssl, c);
    wolfSSL_SetIOWriteCtx(c->ssl, c);
    wolfSSL_SetCertCbCtx(c->ssl, c);
    return true;
}

/* --- life --- */

static void on_lower(void *owner, struct stream *s, uint32_t events);

static const struct stream_owner lower_owner = {"tls", on_lower};

struct tls_conn *tls_conn_new(struct tls_core *tc, struct stream *lower, struct snap *snap,
                              const struct stream_owner *ops, void *owner)
{
    struct tls_conn *c = (struct tls_conn *)pool_get(&tc->conns);

    if (!c)
        return NULL;
    memset(c, 0, sizeof(*c));
    c->s.ops = &tls_stream_ops;
    stream_set_owner(&c->s, ops, owner);
    c->lower = lower;
    c->core = tc;
    c->snap = snap;
    snap_hold(snap, tc->args.core);
    stream_set_owner(lower, &lower_owner, c);
    return c;
}

/* What only the handshake needs. */
static void drop_snap(struct tls_conn *c)
{
    if (!c->snap)
        return;
    tls_unpark(c);
    snap_drop(c->snap, c->core->args.core);
    c->snap = NULL;
    c->host = NULL;
    c->upstream = NULL;
    c->member = NULL;
    c->listener = NULL;
    if (c->ticket_peer)
        peer_put(c->core->args.peers, c->ticket_peer);
    c->ticket_peer = NULL;
}

static void drop_session(struct tls_conn *c)
{
    if (c->ssl)
        wolfSSL_free(c->ssl);
    c->ssl = NULL;
    if (c->ctx)
        tls_core_ctx_drop(c->ctx);
    c->ctx = NULL;
}

void tls_conn_free(struct tls_conn *c)
{
    drop_snap(c);
    drop_session(c);
    if (c->peer)
        peer_put(c->core->args.peers, c->peer);
    if (c->late_peer)
        peer_put(c->core->args.peers, c->late_peer);
    wolfSSL_Free(c->ja4);
    pool_put(&c->core->conns, c);
}

void tls_conn_send_alert(struct tls_conn *c, uint8_t alert)
{
    if (c->alert_sent)
        return;
    c->alert_sent = alert;
    if (c->ssl) {
        tls_session_alert(c->ssl, alert);
    } else {
        const uint8_t record[7] = {21, 3, 3, 0, 2, alert_fatal, alert}; /* RFC 8446 6, 5.1 */

        (void)stream_write(c->lower, span_of(record, sizeof(record)));
    }
}

static void count_failure(struct tls_conn *c, enum tls_why why)
{
    static const uint8_t counters[TLS_WHY_COUNT] = {
        [TLS_WHY_PLAIN_HTTP] = TLS_CTR_FAILED_PLAIN_HTTP,
        [TLS_WHY_BAD_HELLO] = TLS_CTR_FAILED_BAD_HELLO,
        [TLS_WHY_HELLO_TOO_LARGE] = TLS_CTR_FAILED_HELLO_TOO_LARGE,
        [TLS_WHY_VERSION] = TLS_CTR_FAILED_VERSION,
        [TLS_WHY_SNI_UNKNOWN] = TLS_CTR_FAILED_SNI_UNKNOWN,
        [TLS_WHY_SNI_MISSING] = TLS_CTR_FAILED_SNI_MISSING,
        [TLS_WHY_GROUP] = TLS_CTR_FAILED_GROUP,
        [TLS_WHY_ALPN] = TLS_CTR_FAILED_ALPN,
        [TLS_WHY_NO_MEMORY] = TLS_CTR_FAILED_NO_MEMORY,
        [TLS_WHY_CERT] = TLS_CTR_FAILED_CERT,
        [TLS_WHY_ALERT] = TLS_CTR_FAILED_ALERT,
        [TLS_WHY_PROTOCOL] = TLS_CTR_FAILED_PROTOCOL,
        [TLS_WHY_TRUNCATED] = TLS_CTR_FAILED_TRUNCATED,
        [TLS_WHY_TRANSPORT] = TLS_CTR_FAILED_TRANSPORT,
    };

    if (c->state == TLS_ST_OPEN)
        tls_count(c->core, TLS_CTR_BROKEN);
    else if (why != TLS_WHY_NONE)
        tls_count(c->core, (enum tls_counter)counters[why]);
}

/* The owner hears CLOSED; it may have closed the session when this returns. */
void tls_conn_fail(struct tls_conn *c, enum tls_why why)
{
    if (c->state == TLS_ST_DEAD)
        return;
    count_failure(c, why);
    if (c->why == TLS_WHY_NONE)
        c->why = (uint8_t)why;
    tls_conn_set_state(c, TLS_ST_DEAD);
    drop_snap(c);
    c->s.owner_ops->on_event(c->s.owner, &c->s, STREAM_EV_CLOSED);
}

/* --- errors of the library --- */

void tls_conn_note_alerts(struct tls_conn *c)
{
    WOLFSSL_ALERT_HISTORY h;

    memset(&h, 0, sizeof(h));
    if (wolfSSL_get_alert_history(c->ssl, &h) != WOLFSSL_SUCCESS)
        return;
    if (h.last_rx.level == alert_fatal)
        c->alert_got = (uint8_t)h.last_rx.code;
    if (h.last_tx.level == alert_fatal)
        c->alert_sent = (uint8_t)h.last_tx.code;
}

enum tls_why tls_conn_why_of(const struct tls_conn *c, int error)
{
    if (c->why != TLS_WHY_NONE)
        return (enum tls_why)c->why;
    if (c->alert_got)
        return TLS_WHY_ALERT;
    switch (error) {
    case MEMORY_E:
    case MEMORY_ERROR:
        return TLS_WHY_NO_MEMORY;
    case SOCKET_ERROR_E:
    case SOCKET_PEER_CLOSED_E:
        return TLS_WHY_TRUNCATED;
    case VERSION_ERROR:
        return TLS_WHY_VERSION;
    default:
        return TLS_WHY_PROTOCOL;
    }
}

static void fail_by_library(struct tls_conn *c, int error)
{
    enum tls_why why;

    c->library_error = error;
    tls_conn_note_alerts(c);
    why = tls_conn_why_of(c, error);
    if (why == TLS_WHY_PROTOCOL)
        tls_conn_send_alert(c, handshake_failure);
    tls_conn_fail(c, why);
}

/* --- handshake --- */

static void open_up(struct tls_conn *c)
{
    struct tls_core *tc = c->core;
    uint32_t events = STREAM_EV_OPEN | STREAM_EV_WRITABLE;

    c->resumed = c->server && wolfSSL_session_reused(c->ssl);
    if (c->resumed) {
        c->peer = TAKE(c->ticket_peer);
        tls_count(tc, TLS_CTR_SERVER_RESUMED);
    }
    tls_count(tc, c->server ? TLS_CTR_SERVER_DONE : TLS_CTR_CLIENT_DONE);
    tls_count(tc, wolfSSL_version(c->ssl) == TLS1_3_VERSION ? TLS_CTR_TLS13 : TLS_CTR_TLS12);
    if (c->server && c->peer)
        tls_count(tc, TLS_CTR_WITH_CERT);
    if (c->server)
        tls_session_forget_status(c->ssl);
    if (c->late && c->peer) { /* a ticket has told who it is */
        c->late = TLS_LATE_NO;
        tls_session_ask_no_more(c->ssl);
    }
    tls_conn_set_state(c, TLS_ST_OPEN);
    drop_snap(c);
    if (stream_readable(&c->s))
        events |= STREAM_EV_READABLE;
    if (c->state == TLS_ST_DEAD) /* what came along with the handshake broke the protocol */
        events = STREAM_EV_CLOSED;
    c->s.owner_ops->on_event(c->s.owner, &c->s, events);
}

/**
 * Whether what the handshake has proven is enough to go on. The callback has said so for every chain
 * it saw; this is for handshakes in which it was never called.
 */
static bool may_open(struct tls_conn *c)
{
    if (c->cert_seen || c->late || wolfSSL_session_reused(c->ssl))
        return true;
    if (!c->server)
        return false; /* a server always shows a certificate in the suites we offer */
    return !(c->host->cert.mode == SNAP_CERT_REQUIRE &&
             c->host->cert.on_missing == SNAP_REFUSE_TLS);
}

/* The handshake as far as it goes now. False: not done; the library's error may be 0 all the same. */
static bool handshake(struct tls_conn *c, int *error)
{
    int r = c->server ? wolfSSL_accept(c->ssl) : wolfSSL_connect(c->ssl);

    *error = r == WOLFSSL_SUCCESS ? 0 : wolfSSL_get_error(c->ssl, r);
    return r == WOLFSSL_SUCCESS;
}

static void shake(struct tls_conn *c)
{
    int error;

    if (c->parked && !tls_park_over(c))
        return;
    if (c->shaken) {
        open_up(c);
        return;
    }
    if (!tls_record_ready(c->lower) && !c->want_write && !stream_at_eof(c->lower) &&
        (c->server || c->state == TLS_ST_HANDSHAKE))
        return;
    tls_conn_set_state(c, TLS_ST_HANDSHAKE);
    c->want_write = false;
    if (handshake(c, &error)) {
        if (c->parked) { /* all was in one record */
            c->shaken = true;
        } else if (may_open(c)) {
            open_up(c);
        } else {
            tls_conn_send_alert(c, verdict_alert(VERDICT_NO_CERT));
            c->verdict = VERDICT_NO_CERT;
            tls_conn_fail(c, TLS_WHY_CERT);
        }
        return;
    }
    if (error == WOLFSSL_ERROR_WANT_WRITE)
        c->want_write = true;
    else if (error != WOLFSSL_ERROR_WANT_READ)
        fail_by_library(c, error);
}

/* --- events from below --- */

/* Who breaks a handshake off has often said why before the RST: by an alert. */
static enum tls_why last_words(struct tls_conn *c)
{
    int error;

    if (!c->ssl || c->state != TLS_ST_HANDSHAKE || c->parked || !tls_record_ready(c->lower))
        return TLS_WHY_TRANSPORT;
    if (handshake(c, &error) || error == 0 || error == WOLFSSL_ERROR_WANT_READ ||
        error == WOLFSSL_ERROR_WANT_WRITE)
        return TLS_WHY_TRANSPORT;
    c->library_error = error;
    tls_conn_note_alerts(c);
    return c->why != TLS_WHY_NONE || c->alert_got ? tls_conn_why_of(c, error) : TLS_WHY_TRANSPORT;
}

/* The stream below is dead: nothing more comes, but what has come is still readable. */
static void on_lower_closed(struct tls_conn *c)
{
    if (c->state == TLS_ST_OPEN) {
        if (c->why == TLS_WHY_NONE)
            c->why = TLS_WHY_TRANSPORT;
        c->s.owner_ops->on_event(c->s.owner, &c->s, STREAM_EV_CLOSED);
        return;
    }
    tls_conn_fail(c, last_words(c));
}

static void on_lower(void *owner, struct stream *s, uint32_t events)
{
    struct tls_conn *c = (struct tls_conn *)owner;

    (void)s;
    if (c->state == TLS_ST_DEAD) {
        c->s.owner_ops->on_event(c->s.owner, &c->s, STREAM_EV_CLOSED);
        return;
    }
    if (events & STREAM_EV_CLOSED) {
        on_lower_closed(c);
        return;
    }
    switch ((enum tls_state)c->state) {
    case TLS_ST_HELLO:
        if (tls_server_hello(c))
            shake(c);
        return;
    case TLS_ST_LOWER:
        if (!(events & STREAM_EV_OPEN))
            return;
        if (!tls_client_begin(c)) {
            tls_conn_fail(c, TLS_WHY_NO_MEMORY);
            return;
        }
        shake(c);
        return;
    case TLS_ST_HANDSHAKE:
        shake(c);
        return;
    case TLS_ST_OPEN:
        tls_conn_on_open(c, events);
        return;
    case TLS_ST_DEAD:
    case TLS_ST_COUNT:
        return;
    }
}
