/* Certificates after the handshake (RFC 8446 4.6.2). */
#include "base/must.h"
#include "tls/conn.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#define REQUEST_OVER_B 1024u /* of a CertificateRequest, besides the names of CAs */

enum tls_late tls_stream_late(const struct stream *s)
{
    return (enum tls_late)tls_conn_of(s)->late;
}

bool tls_stream_ask(struct stream *s)
{
    struct tls_conn *c = tls_conn_of(s);

    if (!SHOULD(c->late == TLS_LATE_MAY) || c->state != TLS_ST_OPEN || c->notify_sent)
        return false;
    if (stream_tx_space(c->lower) < c->ctx->ca_names.len + REQUEST_OVER_B)
        return false;
    if (!tls_session_ask(c->ssl))
        return false;
    c->late = TLS_LATE_ASKED;
    tls_count(c->core, TLS_CTR_LATE_ASKED);
    return true;
}

/* Whether it is good is judged for the request that waits for it, as for any other. */
int tls_late_verify(struct tls_conn *c, struct WOLFSSL_X509_STORE_CTX *store)
{
    bool refused = c->late != TLS_LATE_ASKED || c->late_peer;

    if (!refused)
        c->late_peer = tls_peer_of(c, store, &refused);
    if (!refused)
        return 1;
    c->verdict = VERDICT_MALFORMED;
    return tls_refuse_cert(c, verdict_alert(VERDICT_MALFORMED));
}

static void answered(struct tls_conn *c, enum tls_counter what)
{
    c->late = TLS_LATE_DONE;
    c->peer = TAKE(c->late_peer);
    tls_count(c->core, what);
    tls_session_ask_no_more(c->ssl);
}

bool tls_late_look(struct tls_conn *c)
{
    if (c->late != TLS_LATE_ASKED)
        return true;
    switch (tls_session_answer(c->ssl)) {
    case TLS_ANSWER_NONE_YET:
        return true;
    case TLS_ANSWER_CERT:
        if (!c->late_peer)
            break;
        answered(c, TLS_CTR_LATE_CERTS);
        return true;
    case TLS_ANSWER_NO_CERT:
        if (c->late_peer)
            break;
        answered(c, TLS_CTR_LATE_NONE);
        return true;
    case TLS_ANSWER_UNPROVEN:
        break;
    }
    c->why = TLS_WHY_PROTOCOL;
    return false;
}
