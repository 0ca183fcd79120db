/**
 * conn: what the files of tls/ share about one session. Not for others: they see tls.h.
 */
#ifndef SALLYPORT_TLS_CONN_H
#define SALLYPORT_TLS_CONN_H

#include "base/pool.h"
#include "base/rng.h"
#include "tls/ja4.h"
#include "tls/tls.h"

struct WOLFSSL;
struct WOLFSSL_X509_STORE_CTX;

#define TLS_RECORD_MAX_B  16384u
#define TLS_RECORD_OVER_B 64u  /* more than any record of ours adds to its content */
#define TLS_SPARE_B       512u /* kept free below, for alerts and KeyUpdate answers */

enum tls_counter {
#define CTR(sym, name, help) TLS_CTR_##sym,
#include "tls/tls_ctr.def"
#undef CTR
    TLS_CTR_COUNT,
};

#define TLS_STATES(X) X(HELLO) X(LOWER) X(HANDSHAKE) X(OPEN) X(DEAD)

enum tls_state {
#define X(name) TLS_ST_##name,
    TLS_STATES(X)
#undef X
        TLS_ST_COUNT,
};

struct tls_core {
    struct tls_core_args args;
    uint64_t now_ns;
    int64_t wall_s;
    struct pool conns;
    struct tls_conn *parked, *park_at; /* handshakes that wait; the next one to look at */
    uint64_t ctr[TLS_CTR_COUNT];
    uint8_t hello[HELLO_MAX_B + 2048]; /* a ClientHello's records, taken together */
    uint8_t hello_msg[HELLO_MAX_B];
    const struct tls_conn *hello_conn; /* whose ClientHello is being read just now */
    struct span hello_name;            /* the server name in it */
    uint8_t out[TLS_RECORD_MAX_B];     /* plaintext on its way into a record */
};

struct tls_conn {
    struct stream s; /* what the owner sees */
    struct stream *lower;
    struct tls_core *core;
    struct WOLFSSL *ssl;
    struct tls_core_ctx *ctx;             /* held */
    struct snap *snap;                    /* held during the handshake, then NULL */
    const struct snap_host *host;         /* server, during the handshake */
    const struct snap_upstream *upstream; /* client, during the handshake */
    const struct snap_member *member;
    const struct snap_listener *listener;
    struct peer *peer;
    uint64_t policy_id, ticket_id;
    uint64_t sni_hash;   /* of the name in the ClientHello; 0: none */
    uint64_t ticket_tag; /* the one ticket of this handshake that was opened; 0: none yet */
    struct peer *ticket_peer;
    struct peer *late_peer;          /* shown after the handshake; not yet proven */
    const struct identity *identity; /* server: ours; held by the context's profile */
    struct ja4 *ja4;                 /* server, where somebody asks; the library's memory */
    int library_error;
    uint8_t state, why, alert_sent, alert_got;
    uint8_t verdict, verdict_len, verdict_depth;
    uint8_t late; /* enum tls_late */
    struct tls_conn *next_parked, *prev_parked;
    uint64_t park_until_ns, park_version; /* of the table, when it was judged */
    bool server : 1, asked : 1, resumed : 1, eof : 1, truncated : 1, notify_sent : 1, cert_seen : 1,
        ticket_opened : 1, want_write : 1, secure_reneg : 1, parked : 1,
        shaken : 1; /* shaken: the library is done, and it is parked */
};

static inline void tls_count(struct tls_core *tc, enum tls_counter c)
{
    ctr_add(&tc->ctr[c], 1);
}

/* conn.c */
static inline struct tls_conn *tls_conn_of(const struct stream *s)
{
    return CONTAINER_OF(s, struct tls_conn, s);
}

struct tls_conn *tls_conn_new(struct tls_core *tc, struct stream *lower, struct snap *snap,
                              const struct stream_owner *ops, void *owner);
/* Make the library's session from a context; false: no memory. */
bool tls_conn_begin(struct tls_conn *c, struct tls_core_ctx *ctx);
void tls_conn_free(struct tls_conn *c);
void tls_conn_set_state(struct tls_conn *c, enum tls_state st);
/* End a session that never was, or no longer is: the alert is on its way or was sent. */
void tls_conn_fail(struct tls_conn *c, enum tls_why why);
void tls_conn_send_alert(struct tls_conn *c, uint8_t alert);
bool tls_record_ready(struct stream *lower);
/* What the library's error means, with the alerts that went to and fro noted first. */
void tls_conn_note_alerts(struct tls_conn *c);
enum tls_why tls_conn_why_of(const struct tls_conn *c, int error);

/* ops.c */
extern const struct stream_ops tls_stream_ops;
void tls_conn_on_open(struct tls_conn *c, uint32_t events);

/* server.c */
/* True: on with the handshake. False: more must come, or it was refused and may be gone. */
bool tls_server_hello(struct tls_conn *c);
/* For wolfSSL's status callback: the OCSP response of the certificate that is being shown. */
int tls_server_status(struct WOLFSSL *ssl, void *arg);
int tls_server_verify(struct tls_conn *c, struct WOLFSSL_X509_STORE_CTX *store);

/* late.c: certificates after the handshake */
int tls_late_verify(struct tls_conn *c, struct WOLFSSL_X509_STORE_CTX *store);
/* Something was read: is it the answer? False: the session must end, c->why is set. */
bool tls_late_look(struct tls_conn *c);

/* client.c */
bool tls_client_begin(struct tls_conn *c);
int tls_client_verify(struct tls_conn *c, struct WOLFSSL_X509_STORE_CTX *store);

/* The verdict anew; *refused: it ends the session. True: no answer yet. late: it is not waited for any more. */
bool tls_server_judge(struct tls_conn *c, bool late, bool *refused);
bool tls_client_judge(struct tls_conn *c, bool late, bool *refused);

/* park.c: handshakes that wait for an OCSP answer */
void tls_park(struct tls_conn *c, const struct trust *trust);
void tls_unpark(struct tls_conn *c);
/* True: on with it. False: it still waits, or it was refused and may be gone. */
bool tls_park_over(struct tls_conn *c);
void tls_park_turn(struct tls_core *tc);

/* verify.c: intern the chain that the peer has shown. NULL: none, or refused (*refused). */
struct peer *tls_peer_of(struct tls_conn *c, struct WOLFSSL_X509_STORE_CTX *store, bool *refused);
/* What the library's callback returns for a certificate that is refused; the alert is on its way. */
int tls_refuse_cert(struct tls_conn *c, uint8_t alert);
/* True: it is not decided, an answer by OCSP is waited for. late: but no longer. */
bool tls_judge(struct tls_conn *c, struct peer *peer, const struct trust *trust,
               enum verdict_purpose purpose, int max_depth, bool late);

/* session_ticket.c: for wolfSSL_CTX_set_TicketEncCb; user is the core. */
int tls_ticket_crypt(struct WOLFSSL *ssl, unsigned char *key_name, unsigned char *iv,
                     unsigned char *mac, int enc, unsigned char *ticket, int in_len, int *out_len,
                     void *user);

#endif
