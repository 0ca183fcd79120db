/* The session as a stream, once it is open. */
#include "tls/conn.h"

#include "base/must.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

/* Records without content that one turn takes from one session (KeyUpdate, empty records). */
#define QUIET_RECORDS_MAX 8

/* Decrypt until there is something to read. False: the session failed (the owner was told nothing). */
static bool fill(struct tls_conn *c)
{
    uint8_t one;

    for (int i = 0; !c->eof && i < QUIET_RECORDS_MAX; i++) {
        int r, error;

        if (tls_session_clear(c->ssl).len || !tls_record_ready(c->lower))
            break;
        r = wolfSSL_peek(c->ssl, &one, 1);
        if (!tls_late_look(c))
            return false;
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
        tls_conn_note_alerts(c);
        c->why = (uint8_t)tls_conn_why_of(c, error);
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
    tls_conn_set_state(c, TLS_ST_DEAD);
}

static uint32_t op_readable(struct stream *s)
{
    struct tls_conn *c = tls_conn_of(s);

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
    v[0] = tls_session_clear(tls_conn_of(s)->ssl);
    return 1;
}

static void op_consume(struct stream *s, uint32_t n)
{
    struct tls_conn *c = tls_conn_of(s);

    if (n && c->ssl)
        tls_session_take(c->ssl, n, tls_record_ready(c->lower));
}

static bool op_at_eof(const struct stream *s)
{
    const struct tls_conn *c = tls_conn_of(s);

    return c->eof && tls_session_clear(c->ssl).len == 0;
}

static uint32_t op_tx_space(struct stream *s)
{
    struct tls_conn *c = tls_conn_of(s);
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
    struct tls_conn *c = tls_conn_of(s);
    uint32_t space = op_tx_space(s);

    if (space == 0)
        return NULL;
    *got = (uint32_t)min_size(min_size(want, space), TLS_RECORD_MAX_B);
    return c->core->out;
}

static void op_commit(struct stream *s, uint32_t n)
{
    struct tls_conn *c = tls_conn_of(s);
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
    c->why = (uint8_t)tls_conn_why_of(c, c->library_error);
    break_up(c);
    stream_again(c->lower);
}

static uint32_t op_unsent(const struct stream *s)
{
    return stream_unsent(tls_conn_of(s)->lower);
}

static void op_again(struct stream *s)
{
    stream_again(tls_conn_of(s)->lower);
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
    struct tls_conn *c = tls_conn_of(s);

    send_notify(c);
    stream_shutdown(c->lower);
}

static void op_close(struct stream *s)
{
    struct tls_conn *c = tls_conn_of(s);
    struct stream *lower = c->lower;

    send_notify(c);
    tls_conn_free(c);
    stream_close(lower);
}

static void op_abort(struct stream *s)
{
    struct tls_conn *c = tls_conn_of(s);
    struct stream *lower = c->lower;

    tls_conn_free(c);
    stream_abort(lower);
}

static enum stream_why op_why(const struct stream *s)
{
    const struct tls_conn *c = tls_conn_of(s);

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
    case TLS_WHY_GROUP:
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

void tls_conn_on_open(struct tls_conn *c, uint32_t events)
{
    uint32_t up = events & STREAM_EV_WRITABLE;
    bool asked = c->late == TLS_LATE_ASKED;

    if (!fill(c)) {
        break_up(c);
        up = STREAM_EV_CLOSED;
    } else {
        if (tls_session_clear(c->ssl).len)
            up |= STREAM_EV_READABLE;
        if (c->eof)
            up |= STREAM_EV_EOF;
        if (asked && c->late == TLS_LATE_DONE)
            up |= STREAM_EV_OPEN;
    }
    if (up)
        c->s.owner_ops->on_event(c->s.owner, &c->s, up);
}
