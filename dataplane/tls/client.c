#include "tls/conn.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

struct stream *tls_client(struct tls_core *tc, struct stream *lower, struct snap *snap,
                          const struct snap_upstream *upstream, const struct snap_member *member,
                          const struct stream_owner *ops, void *owner)
{
    struct tls_conn *c = tls_conn_new(tc, lower, snap, ops, owner);

    if (!c)
        return NULL;
    c->upstream = upstream;
    c->member = member;
    c->state = TLS_ST_LOWER;
    tls_count(tc, TLS_CTR_CLIENT_STARTED);
    return &c->s;
}

/* An address is never sent as a server name (RFC 6066 3). */
static bool is_address(struct span name)
{
    struct ip_addr ip;

    return IS_OK(ip_parse(name, &ip));
}

bool tls_client_begin(struct tls_conn *c)
{
    const struct snap_upstream *u = c->upstream;
    struct span name = c->member->tls_name;

    if (!tls_conn_begin(c, tls_profile_ctx(u->tls, c->core->args.core, 0)))
        return false;
    if (name.len && !is_address(name) &&
        wolfSSL_UseSNI(c->ssl, WOLFSSL_SNI_HOST_NAME, name.p, (uint16_t)name.len) !=
            WOLFSSL_SUCCESS)
        return false;
    return true;
}

int tls_client_verify(struct tls_conn *c, struct WOLFSSL_X509_STORE_CTX *store)
{
    const struct snap_upstream *u = c->upstream;
    bool refused;
    struct peer *peer = tls_peer_of(c, store, &refused);
    const struct cert *leaf;

    c->verdict = VERDICT_MALFORMED;
    if (peer) {
        c->peer = peer;
        leaf = peer_leaf(peer);
        c->verdict = VERDICT_OK;
        if (u->verify)
            (void)tls_judge(c, peer, u->trust == SNAP_NONE ? NULL : c->snap->trusts[u->trust].trust,
                            VERDICT_FOR_SERVER, -1);
        if (c->verdict == VERDICT_OK && u->verify && u->verify_name &&
            (!leaf || !verdict_name_matches(leaf, c->member->tls_name)))
            c->verdict = VERDICT_NAME_MISMATCH;
    }
    if (c->verdict == VERDICT_OK)
        return 1;
    c->why = TLS_WHY_CERT;
    tls_conn_send_alert(c, verdict_alert((enum verdict_code)c->verdict));
    return 0;
}
