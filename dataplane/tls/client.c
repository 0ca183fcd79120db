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

bool tls_client_judge(struct tls_conn *c, bool late, bool *refused)
{
    const struct snap_upstream *u = c->upstream;
    const struct cert *leaf = peer_leaf(c->peer);
    bool waits = false;

    c->verdict = VERDICT_OK;
    if (u->verify)
        waits =
            tls_judge(c, c->peer, snap_trust_at(c->snap, u->trust), VERDICT_FOR_SERVER, -1, late);
    if (c->verdict == VERDICT_OK && u->verify && u->verify_name &&
        (!leaf || !verdict_name_matches(leaf, c->member->tls_name)))
        c->verdict = VERDICT_NAME_MISMATCH;
    *refused = c->verdict != VERDICT_OK;
    return waits;
}

int tls_client_verify(struct tls_conn *c, struct WOLFSSL_X509_STORE_CTX *store)
{
    bool refused, waits = false;

    c->peer = tls_peer_of(c, store, &refused);
    c->verdict = VERDICT_MALFORMED;
    refused = true;
    if (c->peer)
        waits = tls_client_judge(c, false, &refused);
    if (waits)
        tls_park(c, snap_trust_at(c->snap, c->upstream->trust));
    if (waits || !refused)
        return 1;
    return tls_refuse_cert(c, verdict_alert((enum verdict_code)c->verdict));
}
