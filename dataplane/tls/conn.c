#include "tls/conn.h"

#include "base/must.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

/* Records without content that one turn takes from one session (KeyUpdate, empty records). */
#define QUIET_RECORDS_MAX 8

const struct ctr_desc tls_ctr_desc[] = {
#define CTR(sym, name, help) {name, help},
#include "tls/tls_ctr.def"
#undef CTR
};
const unsigned tls_ctr_count = TLS_CTR_COUNT;

const char *tls_why_name(enum tls_why why)
{
    static const char *const names[TLS_WHY_COUNT] = {
#define X(sym, text) text,
        TLS_WHYS(X)
#undef X
    };
    return names[why];
}

static struct tls_conn *conn_of(const struct stream *s)
{
    return CONTAINER_OF(s, struct tls_conn, s);
}

static void set_state(struct tls_conn *c, enum tls_state st)
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
        const struct tls_ctx_hooks hooks = {hook_recv, hook_send,        hook_verify,
                                            hook_sni,  tls_ticket_crypt, c->core};

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

static void conn_free(struct tls_conn *c)
{
    drop_snap(c);
    drop_session(c);
    if (c->peer)
        peer_put(c->core->args.peers, c->peer);
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
    set_state(c, TLS_ST_DEAD);
    drop_snap(c);
    c->s.owner_ops->on_event(c->s.owner, &c->s, STREAM_EV_CLOSED);
}

/* --- errors of the library --- */

static void note_alerts(struct tls_conn *c)
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

static enum tls_why why_of(const struct tls_conn *c, int error)
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
    note_alerts(c);
    why = why_of(c, error);
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
    set_state(c, TLS_ST_OPEN);
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
    if (c->cert_seen || wolfSSL_session_reused(c->ssl))
        return true;
    if (!c->server)
        return false; /* a server always shows a certificate in the suites we offer */
    return !(c->host->cert.mode == SNAP_CERT_REQUIRE &&
             c->host->cert.on_missing == SNAP_REFUSE_TLS);
}

static void shake(struct tls_conn *c)
{
    int r, error;

    if (!tls_record_ready(c->lower) && !c->want_write && !stream_at_eof(c->lower) &&
        (c->server || c->state == TLS_ST_HANDSHAKE))
        return;
    set_state(c, TLS_ST_HANDSHAKE);
    c->want_write = false;
    r = c->server ? wolfSSL_accept(c->ssl) : wolfSSL_connect(c->ssl);
    if (r == WOLFSSL_SUCCESS) {
        if (may_open(c)) {
            open_up(c);
        } else {
            tls_conn_send_alert(c, verdict_alert(VERDICT_NO_CERT));
            c->verdict = VERDICT_NO_CERT;
            tls_conn_fail(c, TLS_WHY_CERT);
        }
        return;
    }
    error = wolfSSL_get_error(c->ssl, r);
    if (error == WOLFSSL_ERROR_WANT_WRITE)
        c->want_write = true;
    else if (error != WOLFSSL_ERROR_WANT_READ)
        fail_by_library(c, error);
}

/* --- after the handshake --- */

/* Decrypt until there is something to read. False: the session failed (the owner was told nothing). */
static bool fill(struct tls_conn *c)
{
    uint8_t one;

    for (int i = 0; !c->eof && i < QUIET_RECORDS_MAX; i++) {
        int r, error;

        if (tls_session_clear(c->ssl).len || !tls_record_ready(c->lower))
            break;
        r = wolfSSL_peek(c->ssl, &one, 1);
        if (r > 0) {
            ctr_add(&c->core->ctr[TLS_CTR_BYTES_IN], tls_session_clear(c->ssl).len);
            return true;
        }
        error = wolfSSL_get_error(c->ssl, r);
        if (error == WOLFSSL_ERROR_WANT_READ)
            continue;
        if (error == WOLFSSL_ERROR_ZERO_RETURN) {
            c->eof = true;
            break;
        }
        c->library_error = error;
        note_alerts(c);
        c->why = (uint8_t)why_of(c, error);
        return false;
    }
    if (!c->eof && tls_session_clear(c->ssl).len == 0) {
        if (tls_record_ready(c->lower)) {
            stream_again(c->lower); /* only quiet records so far: go on in the next turn */
        } else if (stream_at_eof(c->lower) || (stream_readable(c->lower) && c->truncated)) {
            c->eof = true;
            c->truncated = true;
            tls_count(c->core, TLS_CTR_TRUNCATED);
        }
    }
    return true;
}

static void break_up(struct tls_conn *c)
{
    tls_count(c->core, TLS_CTR_BROKEN);
    if (c->why == TLS_WHY_PROTOCOL)
        tls_conn_send_alert(c, unexpected_message);
    set_state(c, TLS_ST_DEAD);
}

static uint32_t op_readable(struct stream *s)
{
    struct tls_conn *c = conn_of(s);

    if (c->state != TLS_ST_OPEN)
        return 0;
    if (!fill(c)) {
        /* The owner asked, so it hears of it by an event of its own, in the next turn. */
        break_up(c);
        stream_again(c->lower);
        return 0;
    }
    return (uint32_t)tls_session_clear(c->ssl).len;
}

static uint32_t op_peek(struct stream *s, struct span *v, uint32_t max)
{
    if (max == 0 || op_readable(s) == 0)
        return 0;
    v[0] = tls_session_clear(conn_of(s)->ssl);
    return 1;
}

static void op_consume(struct stream *s, uint32_t n)
{
    struct tls_conn *c = conn_of(s);

    if (n && c->ssl)
        tls_session_take(c->ssl, n, tls_record_ready(c->lower));
}

static bool op_at_eof(const struct stream *s)
{
    const struct tls_conn *c = conn_of(s);

    return c->eof && tls_session_clear(c->ssl).len == 0;
}

static uint32_t op_tx_space(struct stream *s)
{
    struct tls_conn *c = conn_of(s);
    uint32_t below, records;

    if (c->state != TLS_ST_OPEN || c->notify_sent || c->want_write)
        return 0;
    below = stream_tx_space(c->lower);
    if (below <= TLS_SPARE_B + TLS_RECORD_OVER_B)
        return 0;
    below -= TLS_SPARE_B;
    records = below / (TLS_RECORD_MAX_B + TLS_RECORD_OVER_B) + 1;
    return below - records * TLS_RECORD_OVER_B;
}

static void *op_reserve(struct stream *s, uint32_t want, uint32_t *got)
{
    struct tls_conn *c = conn_of(s);
    uint32_t space = op_tx_space(s);

    if (space == 0)
        return NULL;
    *got = (uint32_t)min_size(min_size(want, space), TLS_RECORD_MAX_B);
    return c->core->out;
}

static void op_commit(struct stream *s, uint32_t n)
{
    struct tls_conn *c = conn_of(s);
    int r;

    if (n == 0 || c->state != TLS_ST_OPEN)
        return;
    r = wolfSSL_write(c->ssl, c->core->out, (int)n);
    if (r == (int)n) {
        ctr_add(&c->core->ctr[TLS_CTR_BYTES_OUT], n);
        return;
    }
    /* Room was reserved, so it is the heap that is out, or the session that is gone. */
    c->library_error = wolfSSL_get_error(c->ssl, r);
    c->why = (uint8_t)why_of(c, c->library_error);
    break_up(c);
    stream_again(c->lower);
}

static uint32_t op_unsent(const struct stream *s)
{
    return stream_unsent(conn_of(s)->lower);
}

static void op_again(struct stream *s)
{
    stream_again(conn_of(s)->lower);
}

static void send_notify(struct tls_conn *c)
{
    if (c->state != TLS_ST_OPEN || c->notify_sent)
        return;
    c->notify_sent = true;
    (void)wolfSSL_shutdown(c->ssl); /* close_notify only: the peer's is not waited for */
}

static void op_shutdown(struct stream *s)
{
    struct tls_conn *c = conn_of(s);

    send_notify(c);
    stream_shutdown(c->lower);
}

static void op_close(struct stream *s)
{
    struct tls_conn *c = conn_of(s);
    struct stream *lower = c->lower;

    send_notify(c);
    conn_free(c);
    stream_close(lower);
}

static void op_abort(struct stream *s)
{
    struct tls_conn *c = conn_of(s);
    struct stream *lower = c->lower;

    conn_free(c);
    stream_abort(lower);
}

static enum stream_why op_why(const struct stream *s)
{
    const struct tls_conn *c = conn_of(s);

    switch ((enum tls_why)c->why) {
    case TLS_WHY_NONE:
    case TLS_WHY_TRANSPORT:
        return stream_why(c->lower);
    case TLS_WHY_CERT:
        return STREAM_WHY_UNTRUSTED;
    case TLS_WHY_NO_MEMORY:
        return STREAM_WHY_NO_MEMORY;
    case TLS_WHY_TRUNCATED:
        return STREAM_WHY_TRUNCATED;
    case TLS_WHY_PLAIN_HTTP:
    case TLS_WHY_BAD_HELLO:
    case TLS_WHY_HELLO_TOO_LARGE:
    case TLS_WHY_VERSION:
    case TLS_WHY_SNI_UNKNOWN:
    case TLS_WHY_SNI_MISSING:
    case TLS_WHY_ALPN:
    case TLS_WHY_ALERT:
    case TLS_WHY_PROTOCOL:
    case TLS_WHY_COUNT:
        break;
    }
    return STREAM_WHY_PROTOCOL;
}

const struct stream_ops tls_stream_ops = {
    .name = "tls",
    .readable = op_readable,
    .peek = op_peek,
    .consume = op_consume,
    .at_eof = op_at_eof,
    .tx_space = op_tx_space,
    .reserve = op_reserve,
    .commit = op_commit,
    .unsent = op_unsent,
    .again = op_again,
    .shutdown = op_shutdown,
    .close = op_close,
    .abort = op_abort,
    .why = op_why,
};

/* --- events from below --- */

static void on_open(struct tls_conn *c, uint32_t events)
{
    uint32_t up = events & STREAM_EV_WRITABLE;

    if (!fill(c)) {
        break_up(c);
        up = STREAM_EV_CLOSED;
    } else {
        if (tls_session_clear(c->ssl).len)
            up |= STREAM_EV_READABLE;
        if (c->eof)
            up |= STREAM_EV_EOF;
    }
    if (up)
        c->s.owner_ops->on_event(c->s.owner, &c->s, up);
}

/* The stream below is dead: nothing more comes, but what has been decrypted is still readable. */
static void on_lower_closed(struct tls_conn *c)
{
    if (c->state == TLS_ST_OPEN) {
        if (c->why == TLS_WHY_NONE)
            c->why = TLS_WHY_TRANSPORT;
        set_state(c, TLS_ST_DEAD);
        c->s.owner_ops->on_event(c->s.owner, &c->s, STREAM_EV_CLOSED);
        return;
    }
    tls_conn_fail(c, TLS_WHY_TRANSPORT);
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
        tls_server_hello(c);
        if (c->state != TLS_ST_HANDSHAKE)
            return;
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
        on_open(c, events);
        return;
    case TLS_ST_DEAD:
    case TLS_ST_COUNT:
        return;
    }
}

/* --- looking in --- */

bool tls_stream_is(const struct stream *s)
{
    return s->ops == &tls_stream_ops;
}

bool tls_stream_truncated(const struct stream *s)
{
    return conn_of(s)->truncated;
}

static struct span sni_of(const struct tls_conn *c)
{
    void *name = NULL;
    uint16_t len;

    if (!c->ssl || !c->server || !c->sni_hash)
        return SPAN_NONE;
    len = wolfSSL_SNI_GetRequest(c->ssl, WOLFSSL_SNI_HOST_NAME, &name);
    return span_of(name, len);
}

void tls_stream_info(const struct stream *s, struct tls_info *out)
{
    const struct tls_conn *c = conn_of(s);
    bool known = c->ssl && c->state >= TLS_ST_OPEN;

    *out = (struct tls_info){
        .version = known ? wolfSSL_get_version(c->ssl) : "",
        .cipher = known ? wolfSSL_get_cipher_name(c->ssl) : "",
        .sni = sni_of(c),
        .resumed = c->resumed,
        .asked = c->asked,
        .policy_id = c->policy_id,
        .peer = c->peer,
        .why = (enum tls_why)c->why,
        .verdict = (enum verdict_code)c->verdict,
        .verdict_len = c->verdict_len,
        .verdict_depth = c->verdict_depth,
        .alert_sent = c->alert_sent,
        .alert_got = c->alert_got,
        .library_error = c->library_error,
    };
}

/* --- the core's part --- */

res tls_core_new(const struct tls_core_args *args, struct tls_core **out)
{
    struct tls_core *tc = (struct tls_core *)calloc(1, sizeof(*tc));

    if (!tc)
        return ERR(NOMEM);
    tc->args = *args;
    if (!IS_OK(pool_init(&tc->conns, sizeof(struct tls_conn), args->conns_max))) {
        free(tc);
        return ERR(NOMEM);
    }
    *out = tc;
    return OK;
}

void tls_core_free(struct tls_core *tc)
{
    if (!tc)
        return;
    pool_fini(&tc->conns);
    free(tc);
}

void tls_core_begin(struct tls_core *tc, int64_t wall_s)
{
    tc->wall_s = wall_s;
    tickets_tick(tc->args.tickets, wall_s);
}

const uint64_t *tls_counters(const struct tls_core *tc)
{
    return tc->ctr;
}

uint32_t tls_sessions(const struct tls_core *tc)
{
    return tc->conns.used;
}
