#include "proxy/internal.h"

#include "crypto/wolf.h"
#include "tls/ja4.h"

static struct span literal(const char *text)
{
    return text && *text ? span_str(text) : SPAN_NONE;
}

static struct span number(struct px *px, uint64_t v)
{
    struct sb s = sb_of(px->view, sizeof(px->view));

    sb_u64(&s, v);
    return sb_span(&s);
}

static struct span hex(struct px *px, struct span bytes)
{
    struct sb s = sb_of(px->view, sizeof(px->view));

    sb_hex(&s, bytes);
    return bytes.len ? sb_span(&s) : SPAN_NONE;
}

static struct span verify(struct px_req *r)
{
    struct sb s = sb_of(r->px->view, sizeof(r->px->view));

    sb_str(&s, r->verify);
    if (r->verify_why) {
        sb_char(&s, ':');
        sb_str(&s, r->verify_why);
    }
    return sb_span(&s);
}

static struct span reference(struct px_req *r)
{
    uint8_t be[8];

    for (int i = 0; i < 8; i++)
        be[i] = (uint8_t)(r->ref >> (56 - 8 * i));
    return hex(r->px, span_of(be, sizeof(be)));
}

/* "wolfSSL/5.9.2", as Apache writes "OpenSSL/3.0.22" */
static struct span library(struct px *px)
{
    struct sb s = sb_of(px->view, sizeof(px->view));

    wolf_text(&s, false);
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == ' ')
            s.p[i] = '/';
    }
    return sb_span(&s);
}

static struct span ja4(struct px *px, const struct ja4 *j)
{
    struct sb s = sb_of(px->view, sizeof(px->view));

    if (!j)
        return SPAN_NONE;
    ja4_text(&s, j);
    return sb_span(&s);
}

static struct span anchor(struct px_req *r)
{
    struct sb s = sb_of(r->px->view, sizeof(r->px->view));

    if (!r->proven || !r->anchor)
        return SPAN_NONE;
    cert_name_text_utf8(&s, r->anchor->cert.subject);
    return sb_span(&s);
}

static struct span of_verdict(struct px_req *r, uint8_t what)
{
    switch (what) {
    case VIEW_CLIENT_VERIFY:
        return verify(r);
    case VIEW_VERDICT:
        return literal(verdict_name((enum verdict_code)r->verdict));
    case VIEW_CHAIN_LEN:
        return r->proven ? number(r->px, r->chain_len) : SPAN_NONE;
    default: /* CA_NAME */
        return anchor(r);
    }
}

static struct span of_handshake(struct px_req *r, uint8_t what)
{
    struct tls_more more;

    tls_stream_more(r->client->s, &more);
    switch (what) {
    case VIEW_SECURE_RENEG:
        return literal(more.secure_reneg ? "true" : "false");
    case VIEW_SESSION_ID:
        return hex(r->px, more.session_id);
    case VIEW_CIPHER_USEKEYSIZE:
    case VIEW_CIPHER_ALGKEYSIZE:
        return number(r->px, more.cipher_bits);
    case VIEW_TLS_GROUP:
        return literal(more.group);
    case VIEW_TLS_SIGALG:
        return literal(more.client_sigalg);
    case VIEW_TLS_OWN_SIGALG:
        return literal(more.own_sigalg);
    case VIEW_JA4:
        return ja4(r->px, more.ja4);
    default: /* SRP_* */
        return SPAN_NONE;
    }
}

static struct span of_tls(struct px_req *r, uint8_t what)
{
    struct tls_info i;

    tls_stream_info(r->client->s, &i);
    switch (what) {
    case VIEW_PROTOCOL:
        return literal(i.version);
    case VIEW_CIPHER:
        return literal(i.cipher);
    case VIEW_CIPHER_EXPORT:
        return literal("false");
    case VIEW_COMPRESS_METHOD:
        return literal("NULL");
    case VIEW_SESSION_RESUMED:
        return literal(i.resumed ? "Resumed" : "Initial");
    case VIEW_TLS_SNI:
        return i.sni.len ? i.sni : SPAN_NONE;
    case VIEW_CLIENT_VERIFY:
    case VIEW_VERDICT:
    case VIEW_CHAIN_LEN:
    case VIEW_CA_NAME:
        return of_verdict(r, what);
    default:
        return of_handshake(r, what);
    }
}

static struct span of_conn(struct px_req *r, uint8_t what)
{
    switch (what) {
    case VIEW_HTTPS:
        return literal(r->client->tls ? "on" : "off");
    case VIEW_GENERATION:
        return number(r->px, r->snap->gen);
    case VIEW_REF:
        return reference(r);
    case VIEW_VERSION_INTERFACE:
        return literal("sallyport");
    case VIEW_VERSION_LIBRARY:
    case VIEW_VERSION_LIBRARY_INTERFACE:
        return library(r->px);
    default:
        return r->client->tls ? of_tls(r, what) : SPAN_NONE;
    }
}

static struct span of_server(struct px_req *r, const struct view *v)
{
    struct sb s = sb_of(r->px->view, sizeof(r->px->view));
    struct tls_more more;

    if (!r->client->tls)
        return SPAN_NONE;
    tls_stream_more(r->client->s, &more);
    if (!more.server_cert || !cert_view(&s, v, more.server_cert, 1, r->px->wall_s))
        return SPAN_NONE;
    return sb_span(&s);
}

struct span px_view(struct px_req *r, const struct view *v, struct peer *peer)
{
    switch ((enum view_side)v->side) {
    case VIEW_CONN:
        return of_conn(r, v->what);
    case VIEW_CLIENT:
        return peer ? peer_view(r->px->env.peers, peer, v, r->px->wall_s) : SPAN_NONE;
    case VIEW_SERVER:
        return of_server(r, v);
    }
    return SPAN_NONE;
}

/* --- rules --- */

static bool among(const struct snap_rule *rule, struct span value)
{
    for (uint32_t i = 0; i < rule->is_count; i++) {
        if (span_eq(value, rule->is[i]))
            return true;
    }
    return false;
}

/**
 * Who the client says it is counts only when it was proven: of a certificate that was merely taken
 * (mode "request") a rule sees what nobody else can have: its hashes.
 */
static struct peer *peer_for(const struct px_req *r, const struct view *v)
{
    bool hash = v->what == VIEW_FP_SHA256 || v->what == VIEW_SPKI_SHA256;

    return r->proven || (r->peer && hash) ? r->peer : NULL;
}

static bool holds(struct px_req *r, const struct snap_rule *rule)
{
    struct view v = rule->view;
    bool hit = false;

    if (v.n != VIEW_ALL)
        return among(rule, px_view(r, &v, peer_for(r, &v))) != rule->except;
    /* Of a list one element is enough. */
    for (v.n = 0; v.n < VIEW_LIST_MAX && !hit; v.n++) {
        struct span value;

        view_key(&v);
        value = px_view(r, &v, peer_for(r, &v));
        if (!value.p)
            break;
        hit = among(rule, value);
    }
    return hit != rule->except;
}

bool px_rules_hold(struct px_req *r)
{
    for (uint32_t i = 0; i < r->location->rule_count; i++) {
        if (!holds(r, &r->location->rules[i]))
            return false;
    }
    return true;
}
