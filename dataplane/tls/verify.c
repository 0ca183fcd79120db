#include "tls/conn.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

struct peer *tls_peer_of(struct tls_conn *c, struct WOLFSSL_X509_STORE_CTX *store, bool *refused)
{
    struct span chain[CERT_CHAIN_MAX];
    struct peer *peer;

    *refused = false;
    if (store->totalCerts == 0)
        return NULL;
    if (c->peer) /* a second Certificate in one handshake: the library should have refused it */
        *refused = true;
    if (store->totalCerts < 0 || store->totalCerts > CERT_CHAIN_MAX)
        *refused = true;
    for (int i = 0; !*refused && i < store->totalCerts; i++)
        chain[i] = span_of(store->certs[i].buffer, store->certs[i].length);
    if (*refused)
        return NULL;
    peer = peer_get(c->core->args.peers, chain, (uint32_t)store->totalCerts);
    *refused = peer == NULL;
    return peer;
}

bool tls_judge(struct tls_conn *c, struct peer *peer, const struct trust *trust,
               enum verdict_purpose purpose, int max_depth, bool late)
{
    struct verdict v;

    (late ? peer_verdict_late : peer_verdict)(c->core->args.peers, peer, trust, purpose,
                                              c->core->wall_s, &v);
    c->verdict = (uint8_t)v.code;
    c->verdict_len = v.chain_len;
    c->verdict_depth = v.depth;
    if (v.code == VERDICT_OK && max_depth >= 0 && v.chain_len > max_depth)
        c->verdict = VERDICT_CHAIN_TOO_LONG;
    return v.ocsp_wait;
}

int tls_refuse_cert(struct tls_conn *c, uint8_t alert)
{
    c->why = TLS_WHY_CERT;
    tls_conn_send_alert(c, alert);
    return 0;
}
