/* What a core keeps for its sessions, and what others may see of one. */
#include "tls/conn.h"

#include "base/must.h"
#include "crypto/tls_names.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

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

bool tls_stream_is(const struct stream *s)
{
    return s->ops == &tls_stream_ops;
}

bool tls_stream_truncated(const struct stream *s)
{
    return tls_conn_of(s)->truncated;
}

static struct span sni_of(const struct tls_conn *c)
{
    void *name = NULL;
    uint16_t len;

    if (!c->server)
        return SPAN_NONE;
    if (!c->ssl)
        return c->core->hello_conn == c ? c->core->hello_name : SPAN_NONE;
    if (!c->sni_hash)
        return SPAN_NONE;
    len = wolfSSL_SNI_GetRequest(c->ssl, WOLFSSL_SNI_HOST_NAME, &name);
    return span_of(name, len);
}

/* OpenSSL's names, which logs and backends know: for TLS 1.3 those of RFC 8446 B.4. */
static const char *cipher_of(struct WOLFSSL *ssl)
{
    switch (wolfSSL_get_current_cipher_suite(ssl)) {
    case 0x1301:
        return "TLS_AES_128_GCM_SHA256";
    case 0x1302:
        return "TLS_AES_256_GCM_SHA384";
    case 0x1303:
        return "TLS_CHACHA20_POLY1305_SHA256";
    default:
        return wolfSSL_get_cipher_name(ssl);
    }
}

void tls_stream_info(const struct stream *s, struct tls_info *out)
{
    const struct tls_conn *c = tls_conn_of(s);
    bool known = c->ssl && c->state >= TLS_ST_OPEN;

    *out = (struct tls_info){
        .version = known ? wolfSSL_get_version(c->ssl) : "",
        .cipher = known ? cipher_of(c->ssl) : "",
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

static uint16_t bits_of(struct WOLFSSL *ssl)
{
    switch (wolfSSL_get_current_cipher_suite(ssl)) {
    case 0x1301: /* RFC 8446 B.4 */
    case 0xc02b: /* RFC 5289 3.2 */
    case 0xc02f:
        return 128;
    default:
        return 256;
    }
}

void tls_stream_more(const struct stream *s, struct tls_more *out)
{
    const struct tls_conn *c = tls_conn_of(s);
    const struct cert *leaf = c->peer ? peer_leaf(c->peer) : NULL;

    *out = (struct tls_more){.server_cert = c->identity ? identity_leaf(c->identity) : NULL,
                             .secure_reneg = c->secure_reneg,
                             .ja4 = c->ja4};
    if (!c->ssl || c->state < TLS_ST_OPEN)
        return;
    out->cipher_bits = bits_of(c->ssl);
    out->session_id = tls_session_id(c->ssl);
    out->group = tls_session_group(c->ssl);
    out->client_sigalg = tls_session_peer_sigalg(c->ssl, leaf && leaf->key_pss_only);
    out->own_sigalg =
        tls_session_own_sigalg(c->ssl, out->server_cert && out->server_cert->key_pss_only);
}

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

uint64_t tls_mem_b(const struct tls_core *tc)
{
    return pool_used_b(&tc->conns);
}
