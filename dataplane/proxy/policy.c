#include "proxy/internal.h"

#define PATH_MAX_B 8192

/* Bring an authority's host into the form of configured names: lower case, no final dot. */
static struct span plain_host(struct span host, char *out, size_t cap)
{
    size_t n = min_size(host.len, cap);

    for (size_t i = 0; i < n; i++)
        out[i] = (char)ascii_lower(host.p[i]);
    if (n && out[n - 1] == '.')
        n--;
    return span_of(out, n);
}

/* The host that the connection was made for, in the present generation. */
static uint32_t connection_host(struct px_req *r, const struct tls_info *info)
{
    struct px_client *c = r->client;
    const struct snap_listener *l;
    uint32_t i = SNAP_NONE;

    if (c->host_gen == r->snap->gen && c->requests > 1)
        return c->host;
    if (info->sni.len)
        i = snap_host_by_name(r->snap, info->sni);
    c->named = i != SNAP_NONE;
    if (i == SNAP_NONE) {
        l = snap_listener_for(r->snap, &c->local);
        i = l ? l->default_host : SNAP_NONE;
    }
    c->host_gen = r->snap->gen;
    c->host = i;
    return i;
}

/**
 * The host that the request is for. Over TLS the handshake was for one host; another one is only served
 * on the same connection when it asks the same of its clients (RFC 9110 7.4, 15.5.20).
 */
static uint16_t choose_host(struct px_req *r, const struct h1_head *h, const struct tls_info *info,
                            const char **reason)
{
    char text[256];
    struct span name = plain_host(h->host, text, sizeof(text));
    uint32_t mine = connection_host(r, info), i = SNAP_NONE;
    const struct snap_host *hosts = r->snap->hosts;

    if (mine == SNAP_NONE) {
        *reason = "no_listener";
        return 421;
    }
    if (name.len)
        i = snap_host_by_name(r->snap, name);
    if (i == SNAP_NONE && r->client->named) {
        *reason = "host_unknown"; /* it asked for a host of ours by SNI, and now for a stranger */
        return 421;
    }
    if (i == SNAP_NONE)
        i = mine;
    r->host = &hosts[i];
    if (!r->client->tls)
        return 0;
    if (i != mine && hosts[i].policy_id != hosts[mine].policy_id) {
        *reason = "sni_host_mismatch";
        return 421;
    }
    if (hosts[i].cert.asked && !info->asked) {
        *reason = "cert_not_asked"; /* asked for since a reload: a new connection will be */
        return 421;
    }
    return 0;
}

/* The verdict on the client's chain as this location sees it; sets what headers and log say. */
static enum verdict_code judge(struct px_req *r, struct peer *peer,
                               const struct snap_client_cert *want)
{
    struct px *px = r->px;
    const struct trust *trust = snap_trust_at(r->snap, want->trust);
    struct verdict v;

    if (!peer) {
        r->verify = "NONE";
        return VERDICT_NO_CERT;
    }
    r->peer = peer;
    if (want->mode == SNAP_CERT_REQUEST) {
        r->verify = "GENEROUS";
        return VERDICT_UNVERIFIED;
    }
    if (r->late)
        peer_verdict_late(px->env.peers, peer, trust, VERDICT_FOR_CLIENT, px->wall_s, &v);
    else
        peer_verdict(px->env.peers, peer, trust, VERDICT_FOR_CLIENT, px->wall_s, &v);
    r->hold = v.ocsp_wait;
    if (v.code == VERDICT_OK && want->max_depth >= 0 && v.chain_len > want->max_depth)
        v.code = VERDICT_CHAIN_TOO_LONG;
    if (v.code == VERDICT_OK) {
        r->verify = "SUCCESS";
        r->proven = true;
        r->chain_len = v.chain_len;
        r->anchor = v.anchor < 0 ? NULL : trust_entry_at(trust, (uint32_t)v.anchor);
        r->client->lost = false;
        px_client_stands(r->client, &r->snap->trusts[want->trust], v.look_s);
        return VERDICT_OK;
    }
    if (want->on_bad == SNAP_AS_NONE) {
        r->verify = "NONE";
        r->peer = NULL;
    } else {
        r->verify = "FAILED";
        r->verify_why = verdict_name(v.code);
    }
    return v.code;
}

/* Was the question for a certificate kept back until now? */
static bool can_answer(const struct px_client *c)
{
    enum tls_late late = tls_stream_late(c->s);

    return late == TLS_LATE_MAY || late == TLS_LATE_ASKED;
}

/* Is the client's certificate enough for the location? 0 or 403. */
static uint16_t check_cert(struct px_req *r, const struct tls_info *info, const char **reason)
{
    const struct snap_location *l = r->location;
    enum verdict_code code;
    bool need;

    r->verify = "NONE";
    if (!r->client->tls) {
        if (!l->require_cert && l->cert.mode != SNAP_CERT_REQUIRE)
            return 0;
        *reason = "cert_required";
        return 403;
    }
    need = l->require_cert || l->cert.mode == SNAP_CERT_REQUIRE;
    if (!info->peer && (need || l->cert.mode != SNAP_CERT_NONE) && can_answer(r->client)) {
        r->ask = true;
        return 0;
    }
    code = judge(r, info->peer, &l->cert);
    r->verdict = (uint8_t)code;
    if (code == VERDICT_OK)
        return 0;
    *reason = verdict_name(code);
    if (need)
        return 403;
    /* Good or none: a bad one is refused even where none would do (SSLVerifyClient optional). */
    if (l->cert.mode == SNAP_CERT_OPTIONAL && code != VERDICT_NO_CERT &&
        l->cert.on_bad != SNAP_AS_NONE)
        return 403;
    return 0;
}

static uint16_t choose_location(struct px_req *r, const struct h1_head *h, const char **reason)
{
    char path[PATH_MAX_B];
    int n;

    if (h->path.len == 1 && h->path.p[0] == '*') { /* OPTIONS *: about the server as a whole */
        path[0] = '/';
        n = 1;
    } else {
        n = h1_path_canonical(h->path, path, sizeof(path), reason);
    }
    if (n < 0)
        return 400;
    r->location = snap_location_for(r->host, span_of(path, (size_t)n));
    if (!r->location) {
        *reason = "no_location";
        return 404;
    }
    return 0;
}

uint16_t px_policy(struct px_req *r, const struct h1_head *h, const char **reason)
{
    struct tls_info info = {0};
    uint16_t status;

    if (r->client->tls)
        tls_stream_info(r->client->s, &info);
    if (h->method == H1_CONNECT || h->method == H1_TRACE) {
        *reason = "method_not_allowed";
        return 405;
    }
    status = choose_host(r, h, &info, reason);
    if (status == 0)
        status = choose_location(r, h, reason);
    if (status == 0)
        status = check_cert(r, &info, reason);
    if (r->ask)
        return 0; /* and then once more */
    if (status == 0 && !px_rules_hold(r)) {
        *reason = "rule";
        status = 403;
    }
    if (status)
        return status;
    r->body_max = r->location->body_max;
    if (h->framing == H1_LENGTH && h->content_length > r->body_max) {
        *reason = "body_too_large";
        return 413;
    }
    return 0;
}
