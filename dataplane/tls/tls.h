/**
 * tls: sessions as long as connections. A TLS stream stands on another stream (TCP's) and is one itself.
 *
 * Server: the ClientHello is read first, without any memory of the library; it chooses virtual host and
 * certificate. Client: what the backend shows is judged before a byte is sent to it. Who the peer is
 * stays with the connection as a struct peer; whether that is enough is asked again for each request
 * (proxy/).
 *
 * Room is reserved before the library writes, so a write never has to be repeated; the library is only
 * asked to read when a whole record has arrived, so a slow sender costs no buffer.
 */
#ifndef SALLYPORT_TLS_TLS_H
#define SALLYPORT_TLS_TLS_H

#include "base/ctr.h"
#include "crypto/peer.h"
#include "crypto/ticket.h"
#include "snap/snap.h"
#include "stream/stream.h"

struct ja4;
struct tls_core; /* one core's part */
struct tls_conn; /* one session */

struct tls_core_args {
    unsigned core;
    uint32_t conns_max;
    struct peers *peers;
    struct tickets *tickets;
    struct rng *rng;
    /* A client has shown this chain's key and gets a ticket: other cores may want to know. May be NULL. */
    void (*met)(void *ctx, struct peer *peer);
    void *ctx;
};

MUST_CHECK res tls_core_new(const struct tls_core_args *args, struct tls_core **out);
void tls_core_free(struct tls_core *tc);

/* Once per turn: seconds since 1970, for validity periods and ticket keys. */
void tls_core_begin(struct tls_core *tc, int64_t wall_s);

/* Why a session did not come about or ended; names are stable (logs, counters). */
#define TLS_WHYS(X)                                                            \
    X(NONE, "none")                                                            \
    X(PLAIN_HTTP, "plain_http") /* HTTP on a TLS port: answered 400 */         \
    X(BAD_HELLO, "bad_hello")   /* decode_error */                             \
    X(HELLO_TOO_LARGE, "hello_too_large")                                      \
    X(VERSION, "protocol_version") /* neither 1.2 nor 1.3 as configured */     \
    X(SNI_UNKNOWN, "sni_unknown")  /* unrecognized_name */                     \
    X(SNI_MISSING, "sni_missing")                                              \
    X(GROUP, "no_common_group")                                                \
    X(ALPN, "no_application_protocol")                                         \
    X(NO_MEMORY, "no_memory")                                                  \
    X(CERT, "certificate_refused") /* ours of theirs: the verdict tells why */ \
    X(ALERT, "peer_alert")         /* the peer sent a fatal alert */           \
    X(PROTOCOL, "protocol_error")  /* the library refused what came */         \
    X(TRUNCATED, "truncated")      /* ended in the middle of the handshake */  \
    X(TRANSPORT, "transport")      /* the stream below died */

enum tls_why {
#define X(sym, text) TLS_WHY_##sym,
    TLS_WHYS(X)
#undef X
        TLS_WHY_COUNT,
};

const char *tls_why_name(enum tls_why why);

/**
 * Begin a server session on `lower`, which is taken over: its owner is the session from now on. The
 * virtual host comes from `snap`, which is held until the handshake is over.
 * Returns NULL when no session is left; `lower` is then still the caller's
 */
struct stream *tls_server(struct tls_core *tc, struct stream *lower, struct snap *snap,
                          const struct snap_listener *listener, const struct stream_owner *ops,
                          void *owner);

/* Begin a client session to a member of an upstream; `lower` is connected or connecting. */
struct stream *tls_client(struct tls_core *tc, struct stream *lower, struct snap *snap,
                          const struct snap_upstream *upstream, const struct snap_member *member,
                          const struct stream_owner *ops, void *owner);

/* What is known of a session; texts are literals or live as long as the session. */
struct tls_info {
    const char *version; /* "TLSv1.3"; "" before OPEN */
    const char *cipher;  /* "TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256" */
    struct span sni;     /* as sent, lower case; empty: none */
    bool resumed;
    bool asked;         /* a certificate was asked for */
    uint64_t policy_id; /* of the host that the handshake was for */
    struct peer *peer;  /* NULL: no certificate. Borrowed */
    enum tls_why why;
    enum verdict_code verdict; /* of the handshake */
    uint8_t verdict_len, verdict_depth;
    uint8_t alert_sent, alert_got; /* 0: none */
    int library_error;             /* of wolfSSL; 0: none */
};

/**
 * Certificates that are asked for when a request needs them, and not in the handshake: post-handshake
 * authentication (RFC 8446 4.6.2), of clients that offer it where the host wants it so. Once for each session.
 */
enum tls_late {
    TLS_LATE_NO,  /* asked in the handshake, or never */
    TLS_LATE_MAY, /* not yet asked */
    TLS_LATE_ASKED, /* the answer is not yet there; what the client has sent before it has to be read first */
    TLS_LATE_DONE, /* tls_info.peer says what it was */
};

enum tls_late tls_stream_late(const struct stream *s);
/* With MAY. False: nothing was asked, try again when there is room (WRITABLE). OPEN follows with the answer. */
bool tls_stream_ask(struct stream *s);

/* What only views ask for. */
struct tls_more {
    const struct cert *server_cert; /* ours, of this session; NULL: a client's session */
    uint16_t cipher_bits;
    bool secure_reneg;      /* the client knows RFC 5746 */
    struct span session_id; /* until the next call that reads or writes */
    /* By IANA's names; NULL: there was none. */
    const char *group, *client_sigalg, *own_sigalg;
    const struct ja4 *ja4; /* NULL: nobody asked */
};

bool tls_stream_is(const struct stream *s);
void tls_stream_more(const struct stream *s, struct tls_more *out);
void tls_stream_info(const struct stream *s, struct tls_info *out);
/* The stream ended without close_notify: its end is not authentic (RFC 8446 6.1). */
bool tls_stream_truncated(const struct stream *s);

const uint64_t *tls_counters(const struct tls_core *tc);
extern const struct ctr_desc tls_ctr_desc[];
extern const unsigned tls_ctr_count;
/* Memory of the sessions but for what is the library's: that is in the heap. */
uint64_t tls_mem_b(const struct tls_core *tc);
uint32_t tls_sessions(const struct tls_core *tc);

#endif
