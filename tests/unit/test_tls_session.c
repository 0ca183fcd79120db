/* Post-handshake authentication (RFC 8446 4.6.2): which answers are believed. Two of the library's sessions over memory. */
#include "crypto/tls_ctx.h"
#include "crypto/wolf.h"

#include "lib/t.h"
#include "lib/tmp.h"

#include <wolfssl/internal.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#define PIPE_B 65536

struct bytes {
    uint8_t p[PIPE_B];
    int from, to;
};

/* How the client answers. */
enum how {
    HONEST,
    SILENT, /* a certificate without CertificateVerify: somebody else's */
    BARE,   /* nothing but Finished */
};

struct end {
    WOLFSSL *ssl;
    struct bytes *in, *out;
    enum how how;
    bool asked; /* client: CertificateRequest has come, after the handshake */
};

static struct tmp tmp;
static struct bytes up, down;
static struct end client, server;
static WOLFSSL_CTX *cc, *sc;
static bool keeps; /* the handshake's state, also where nobody is asked late */
static int shown;  /* certificates in the server's hook; -1: not called */

static int recv_hook(WOLFSSL *ssl, char *buf, int len, void *io)
{
    struct end *e = (struct end *)io;
    int n = e->in->to - e->in->from < len ? e->in->to - e->in->from : len;

    (void)ssl;
    if (n == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    memcpy(buf, e->in->p + e->in->from, (size_t)n);
    e->in->from += n;
    if (e->in->from == e->in->to)
        e->in->from = e->in->to = 0;
    return n;
}

/* Each message goes out by itself: when the certificate has, a thief skips the proof. */
static int send_hook(WOLFSSL *ssl, char *buf, int len, void *io)
{
    struct end *e = (struct end *)io;

    if (len > PIPE_B - e->out->to)
        return WOLFSSL_CBIO_ERR_GENERAL;
    memcpy(e->out->p + e->out->to, buf, (size_t)len);
    e->out->to += len;
    if (e == &client && e->how == SILENT && e->asked)
        ssl->options.sendVerify = 0;
    return len;
}

static int verify_hook(int preverify, WOLFSSL_X509_STORE_CTX *store)
{
    (void)preverify;
    shown = store->totalCerts;
    return 1;
}

static int believe(int preverify, WOLFSSL_X509_STORE_CTX *store)
{
    (void)preverify, (void)store;
    return 1;
}

static int ticket_hook(WOLFSSL *ssl, unsigned char *name, unsigned char *iv, unsigned char *mac,
                       int enc, unsigned char *ticket, int len, int *out_len, void *user)
{
    (void)ssl, (void)user;
    if (enc) {
        memset(name, 1, WOLFSSL_TICKET_NAME_SZ);
        memset(iv, 2, WOLFSSL_TICKET_IV_SZ);
        memset(mac, 3, WOLFSSL_TICKET_MAC_SZ);
    }
    for (int i = 0; i < len; i++) /* the library wants to see a difference */
        ticket[i] ^= 0x55;
    *out_len = len;
    return WOLFSSL_TICKET_RET_OK;
}

static void begin_end(struct end *e, WOLFSSL_CTX *ctx, struct bytes *in, struct bytes *out)
{
    *e = (struct end){.ssl = wolfSSL_new(ctx), .in = in, .out = out};
    T_NEED(e->ssl != NULL);
    wolfSSL_SetIOReadCtx(e->ssl, e);
    wolfSSL_SetIOWriteCtx(e->ssl, e);
}

static void drop(void)
{
    wolfSSL_free(client.ssl);
    wolfSSL_free(server.ssl);
    memset(&up, 0, sizeof(up));
    memset(&down, 0, sizeof(down));
}

static void set_up(void)
{
    char command[512];

    if (sc)
        return;
    tmp_begin(&tmp);
    snprintf(
        command, sizeof(command),
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=x "
        "-keyout %s -out %s 2>/dev/null",
        tmp_path(&tmp, "key"), tmp_path(&tmp, "crt"));
    T_NEED(IS_OK(wolf_init()) && system(command) == 0);
    cc = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    sc = wolfSSL_CTX_new(wolfTLSv1_3_server_method());
    for (int i = 0; i < 2; i++) {
        WOLFSSL_CTX *ctx = i ? cc : sc;

        T_NEED(wolfSSL_CTX_use_certificate_file(ctx, tmp_path(&tmp, "crt"), WOLFSSL_FILETYPE_PEM) ==
                   1 &&
               wolfSSL_CTX_use_PrivateKey_file(ctx, tmp_path(&tmp, "key"), WOLFSSL_FILETYPE_PEM) ==
                   1);
        wolfSSL_CTX_SetIORecv(ctx, recv_hook);
        wolfSSL_CTX_SetIOSend(ctx, send_hook);
        wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, i ? believe : verify_hook);
        ctx->verifyPeer = ctx->verifyNone = 1; /* as tls_ctx.c has it */
    }
    wolfSSL_CTX_set_group_messages(sc);
    wolfSSL_CTX_set_TicketEncCb(sc, ticket_hook);
    tmp_end(&tmp);
}

/* Both ends, with the handshake done and the ticket at the client. */
static void begin(bool late, bool offers, WOLFSSL_SESSION *session)
{
    char text[8];

    set_up();
    begin_end(&client, cc, &down, &up);
    begin_end(&server, sc, &up, &down);
    if (late)
        tls_session_ask_late(server.ssl);
    if (keeps)
        wolfSSL_KeepHandshakeResources(server.ssl);
    if (offers)
        T_NEED(wolfSSL_allow_post_handshake_auth(client.ssl) == 0);
    if (session)
        T_NEED(wolfSSL_set_session(client.ssl, session) == WOLFSSL_SUCCESS);
    for (int i = 0; i < 6; i++) {
        wolfSSL_connect(client.ssl);
        wolfSSL_accept(server.ssl);
    }
    T_NEED(wolfSSL_is_init_finished(client.ssl) && wolfSSL_is_init_finished(server.ssl));
    T_EQ(wolfSSL_session_reused(server.ssl), session != NULL);
    T_EQ(wolfSSL_write(server.ssl, "hello", 5), 5);
    T_EQ(wolfSSL_read(client.ssl, text, sizeof(text)), 5);
}

/* Asks, lets the client answer and the server read; what the server makes of it. */
static enum tls_answer ask(enum how how, int *error)
{
    char text[8];
    int r;

    shown = -1;
    client.how = how;
    T_OK(tls_session_ask(server.ssl));
    T_EQ(tls_session_answer(server.ssl), TLS_ANSWER_NONE_YET);
    client.asked = true;
    client.ssl->options.pskNegotiated = 0; /* else this library's client refuses to be asked */
    if (how != BARE)
        client.ssl->options.resuming = 0;         /* else it has no certificate to show */
    wolfSSL_read(client.ssl, text, sizeof(text)); /* answers */
    wolfSSL_write(client.ssl, "data", 4);
    r = wolfSSL_read(server.ssl, text, sizeof(text));
    *error = r > 0 ? 0 : wolfSSL_get_error(server.ssl, r);
    return tls_session_answer(server.ssl);
}

static void an_honest_answer_is_believed(void)
{
    int error;

    begin(true, true, NULL);
    T_EQ(ask(HONEST, &error), TLS_ANSWER_CERT);
    T_EQ(shown, 1);
    T_EQ(error, 0);
    tls_session_ask_no_more(server.ssl);
    T_OK(server.ssl->hsHashes == NULL);
    T_EQ(wolfSSL_write(server.ssl, "more", 4), 4);
    drop();
}

static void a_certificate_without_proof_is_not(void)
{
    int error;

    begin(true, true, NULL);
    T_OK(ask(SILENT, &error) != TLS_ANSWER_CERT);
    T_OK(error != 0);
    drop();
}

/* The first handshake was by ticket: there the library does not insist on the proof. */
static void nor_in_a_resumed_session(void)
{
    WOLFSSL_SESSION *session;
    int error;

    begin(true, true, NULL);
    session = wolfSSL_get1_session(client.ssl);
    T_NEED(session != NULL);
    drop();
    begin(true, true, session);
    T_EQ(ask(HONEST, &error), TLS_ANSWER_CERT);
    drop();
    begin(true, true, session);
    T_OK(ask(SILENT, &error) != TLS_ANSWER_CERT);
    T_EQ(shown, 1); /* it was shown, and no more */
    drop();
    begin(true, true, session);
    T_EQ(ask(BARE, &error), TLS_ANSWER_UNPROVEN);
    T_EQ(error, 0); /* the library has found nothing wrong with it */
    drop();
    wolfSSL_SESSION_free(session);
}

/* A thief who has proven a key of his own in the handshake has proven nothing for this one. */
static void nor_after_another_in_the_handshake(void)
{
    int error;

    keeps = true;
    begin(false, true, NULL);
    keeps = false;
    T_EQ(shown, 1);
    tls_session_ask_late(server.ssl); /* not what we do */
    T_OK(server.ssl->options.havePeerVerify);
    T_OK(ask(SILENT, &error) != TLS_ANSWER_CERT);
    drop();
}

static void who_has_none_says_so(void)
{
    WOLFSSL_CTX *with = cc;
    int error;

    cc = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    T_NEED(cc != NULL);
    wolfSSL_CTX_SetIORecv(cc, recv_hook);
    wolfSSL_CTX_SetIOSend(cc, send_hook);
    wolfSSL_CTX_set_verify(cc, WOLFSSL_VERIFY_NONE, NULL);
    begin(true, true, NULL);
    T_EQ(ask(HONEST, &error), TLS_ANSWER_NO_CERT);
    T_EQ(error, 0);
    drop();
    wolfSSL_CTX_free(cc);
    cc = with;
}

/* The state of the handshake costs 2.5 KB: only those pay who may be asked. */
static void only_who_may_be_asked_keeps_the_handshake(void)
{
    begin(false, true, NULL);
    T_OK(server.ssl->hsHashes == NULL && server.ssl->arrays == NULL && server.ssl->suites == NULL);
    drop();
    begin(true, true, NULL);
    T_OK(server.ssl->hsHashes != NULL);
    tls_session_ask_no_more(server.ssl);
    T_OK(server.ssl->hsHashes == NULL && server.ssl->arrays == NULL && server.ssl->suites == NULL);
    drop();
}

static void who_has_not_offered_it_is_not_asked(void)
{
    begin(true, false, NULL);
    T_OK(!tls_session_ask(server.ssl));
    drop();
}

static void all_is_given_back(void)
{
    wolfSSL_CTX_free(cc);
    wolfSSL_CTX_free(sc);
    T_EQ(wolfSSL_Cleanup(), WOLFSSL_SUCCESS);
}

#define TESTS(X)                                 \
    X(an_honest_answer_is_believed)              \
    X(a_certificate_without_proof_is_not)        \
    X(nor_in_a_resumed_session)                  \
    X(nor_after_another_in_the_handshake)        \
    X(who_has_none_says_so)                      \
    X(only_who_may_be_asked_keeps_the_handshake) \
    X(who_has_not_offered_it_is_not_asked)       \
    X(all_is_given_back)
T_MAIN("tls_session", TESTS)
