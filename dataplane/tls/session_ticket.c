#include "tls/conn.h"

#include "crypto/ticket.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

/**
 * What a ticket carries besides the library's own state, sealed together with it. Resumption must not go
 * round policy: the ticket only opens for the same policy of the same host, and brings the identity back
 * with it, or there is a full handshake. The library itself binds server name and ALPN.
 */
struct extra {
    uint32_t magic;
    uint32_t has_peer;
    uint64_t ticket_id;
    uint8_t peer_id[32];
};

#define EXTRA_MAGIC 0x53504b31u

static int seal(struct tls_conn *c, unsigned char *key_name, unsigned char *iv, unsigned char *mac,
                unsigned char *ticket, int in_len, int *out_len)
{
    struct extra x = {.magic = EXTRA_MAGIC, .ticket_id = c->ticket_id};
    struct peer *who = c->peer;

    if (*out_len < in_len + (int)sizeof(x)) /* comes in as the room there is */
        return WOLFSSL_TICKET_RET_REJECT;
    /* Of a resumed session: whose ticket was taken. One that was opened only proves nothing. */
    if (!who && wolfSSL_session_reused(c->ssl))
        who = c->ticket_peer;
    if (who) {
        x.has_peer = 1;
        memcpy(x.peer_id, peer_id(who), sizeof(x.peer_id));
        if (c->core->args.met)
            c->core->args.met(c->core->args.ctx, who);
    }
    memcpy(ticket + in_len, &x, sizeof(x));
    memset(mac, 0, WOLFSSL_TICKET_MAC_SZ);
    memset(iv, 0, WOLFSSL_TICKET_IV_SZ);
    rng_bytes(c->core->args.rng, iv, TICKET_NONCE_B);
    if (!ticket_seal(c->core->args.tickets, key_name, iv, ticket, (size_t)in_len + sizeof(x), mac))
        return WOLFSSL_TICKET_RET_REJECT;
    *out_len = in_len + (int)sizeof(x);
    tls_count(c->core, TLS_CTR_TICKETS_SEALED);
    return WOLFSSL_TICKET_RET_OK;
}

/* Would a full handshake with this identity, or none, come through today? */
static bool still_welcome(struct tls_conn *c, struct peer *peer)
{
    const struct snap_client_cert *want = &c->host->cert;
    bool waits;

    if (!peer)
        return want->mode != SNAP_CERT_REQUIRE;
    if (want->mode == SNAP_CERT_REQUEST)
        return true;
    waits = tls_judge(c, peer, snap_trust_at(c->snap, want->trust), VERDICT_FOR_CLIENT,
                      want->max_depth, false);
    /* Where an alert would refuse it, the handshake has to wait, and only a full one can. */
    return c->verdict == VERDICT_OK || (waits && want->on_bad != SNAP_REFUSE_TLS);
}

static bool accept_extra(struct tls_conn *c, const struct extra *x)
{
    struct peer *peer = NULL;

    if (x->magic != EXTRA_MAGIC || x->ticket_id != c->ticket_id)
        return false;
    if (x->has_peer) {
        peer = peer_find(c->core->args.peers, x->peer_id);
        if (!peer)
            return false;
    }
    if (!still_welcome(c, peer)) {
        if (peer)
            peer_put(c->core->args.peers, peer);
        return false;
    }
    c->ticket_peer = peer;
    return true;
}

/**
 * The library tries every ticket that a ClientHello offers until one fits, so "the last one opened" need
 * not be the one it takes. Only the first ticket that opens may be used in a handshake; any other one is
 * refused, so that nobody comes in under the identity of another's ticket.
 */
static int unseal(struct tls_conn *c, unsigned char *key_name, unsigned char *iv,
                  unsigned char *mac, unsigned char *ticket, int in_len, int *out_len)
{
    struct extra x;
    uint64_t tag;
    size_t len = (size_t)in_len;

    memcpy(&tag, mac, sizeof(tag));
    if (in_len < (int)sizeof(x) || (c->ticket_opened && tag != c->ticket_tag)) {
        tls_count(c->core, TLS_CTR_TICKETS_REFUSED);
        return WOLFSSL_TICKET_RET_REJECT;
    }
    if (!ticket_open(c->core->args.tickets, key_name, iv, ticket, len, mac)) {
        tls_count(c->core, TLS_CTR_TICKETS_UNKNOWN);
        return WOLFSSL_TICKET_RET_REJECT;
    }
    memcpy(&x, ticket + len - sizeof(x), sizeof(x));
    if (!c->ticket_opened && !accept_extra(c, &x)) {
        tls_count(c->core, TLS_CTR_TICKETS_REFUSED);
        return WOLFSSL_TICKET_RET_REJECT;
    }
    c->ticket_opened = true;
    c->ticket_tag = tag;
    *out_len = in_len - (int)sizeof(x);
    tls_count(c->core, TLS_CTR_TICKETS_OPENED);
    return WOLFSSL_TICKET_RET_OK;
}

int tls_ticket_crypt(struct WOLFSSL *ssl, unsigned char *key_name, unsigned char *iv,
                     unsigned char *mac, int enc, unsigned char *ticket, int in_len, int *out_len,
                     void *user)
{
    struct tls_conn *c = (struct tls_conn *)wolfSSL_GetIOReadCtx(ssl);

    (void)user;
    if (!c->host)
        return WOLFSSL_TICKET_RET_REJECT; /* only in the handshake: policy is known there */
    return enc ? seal(c, key_name, iv, mac, ticket, in_len, out_len)
               : unseal(c, key_name, iv, mac, ticket, in_len, out_len);
}
