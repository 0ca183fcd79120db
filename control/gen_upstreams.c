/* Upstreams and their members. */
#include "control/gen_parts.h"

static const enum snap_balance balances[] = {
    [CFG_ROUND_ROBIN] = SNAP_ROUND_ROBIN, [CFG_LEAST_CONN] = SNAP_LEAST_CONN};
static const enum tls_version versions[] = {[CFG_TLS_1_2] = TLS_1_2, [CFG_TLS_1_3] = TLS_1_3};

static res upstream_profile(struct build *b, const struct cfg_upstream *from,
                            struct tls_profile **out)
{
    const struct cfg_upstream_tls *t = from->tls;
    struct tls_settings s = {
        .name = from->name,
        .min = versions[t->min],
        .max = versions[t->max],
        .ciphers12 = t->ciphers12,
        .ciphers13 = t->ciphers13,
        .groups = t->groups,
        .tickets = t->tickets,
    };

    if (t->identity != CFG_NONE) {
        s.identities[s.identity_count++] = b->g->identities[t->identity];
        if (!s.identities[0])
            return ERR(FAIL); /* said when it was read */
    }
    return build_profile(b, &s, &t->node, out);
}

/* --- members --- */

static struct span text_of(struct build *b, const struct sb *s)
{
    return s->cut ? SPAN_NONE : arena_copy(&b->g->arena, sb_span(s));
}

/* "name" of "name:port"; brackets are kept. */
static struct span without_port(struct span authority)
{
    for (size_t i = authority.len; i-- > 0 && authority.p[i] != ']';) {
        if (authority.p[i] == ':')
            return span_first(authority, i);
    }
    return authority;
}

/* "10.0.0.1:8080", without the port where it is the scheme's own. */
static struct span address_authority(struct build *b, const struct endpoint *e, bool tls)
{
    char text[EP_TEXT_MAX];
    struct sb s = sb_of(text, sizeof(text));

    endpoint_text(&s, e);
    if (e->port == (tls ? 443 : 80))
        sb_back(&s, without_port(sb_span(&s)).len);
    return text_of(b, &s);
}

static struct span tls_name(struct build *b, const struct cfg_upstream *u,
                            const struct cfg_member *m)
{
    char text[IP_TEXT_MAX];
    struct sb s = sb_of(text, sizeof(text));

    if (!u->tls)
        return SPAN_NONE;
    if (m->tls_name)
        return span_str(m->tls_name);
    if (u->tls->sni)
        return span_str(u->tls->sni);
    if (m->host)
        return without_port(span_str(m->host));
    ip_text(&s, &m->address.addr);
    return text_of(b, &s);
}

static res member_slot(struct build *b, const struct cfg_member *m, const struct snap_upstream *u,
                       struct snap_member *to)
{
    struct slot_key key;
    struct gen *g = b->g;

    memset(&key, 0, sizeof(key)); /* padding, too: keys are compared as bytes */
    key.remote = m->address;
    if (u->tls) {
        key.tls = true;
        key.verify = u->verify;
        key.verify_name = u->verify_name;
        key.min_rsa_bits = g->snap.min_rsa_bits;
        memcpy(key.settings, tls_profile_hash(u->tls), sizeof(key.settings));
        if (u->trust != SNAP_NONE)
            memcpy(key.trust, trust_id(g->snap.trusts[u->trust].trust), sizeof(key.trust));
        memcpy(key.name, to->tls_name.p, min_size(to->tls_name.len, sizeof(key.name)));
    }
    to->slot = slots_get(b->in->slots, &key);
    if (to->slot == SNAP_NONE) {
        cfg_mistake(b->report, REPORT_ERROR, &m->node, CFG_WHOLE,
                    "configurations that are still in use count, too",
                    "more than %d members in all upstreams", SNAP_SLOTS_MAX);
        return ERR(FAIL);
    }
    g->slots[g->slot_count++] = to->slot;
    return OK;
}

static res member(struct build *b, const struct cfg_upstream *from, const struct cfg_member *m,
                  const struct snap_upstream *u, struct snap_member *to)
{
    char text[EP_TEXT_MAX];
    struct sb s = sb_of(text, sizeof(text));

    endpoint_text(&s, &m->address);
    *to = (struct snap_member){
        .remote = m->address,
        .name = text_of(b, &s),
        .host = m->host ? span_str(m->host) : address_authority(b, &m->address, u->tls != NULL),
        .tls_name = tls_name(b, from, m),
        .route = span_str(m->route),
        .weight = m->weight,
        .retry_ms = m->retry_ms,
    };
    if (!to->name.p || !to->host.p || (u->tls && !to->tls_name.p))
        return ERR(NOMEM);
    return member_slot(b, m, u, to);
}

static res upstream(struct build *b, const struct cfg_upstream *from, struct snap_upstream *to)
{
    uint32_t tries = from->tries ? from->tries : from->members.n;
    res all = OK;

    *to = (struct snap_upstream){
        .name = span_str(from->name),
        .balance = balances[from->balance],
        .sticky_cookie = span_str(from->sticky_cookie),
        .member_count = from->members.n,
        .trust = SNAP_NONE,
        .idle_max = from->idle_max,
        .conns_max = from->conns_max,
        .connect_ms = from->timeouts->connect_ms,
        .response_ms = from->timeouts->response_ms,
        .idle_ms = from->timeouts->idle_ms,
        .tries = tries < 16 ? tries : 16,
    };
    if (from->tls) {
        to->verify = from->tls->verify;
        to->verify_name = from->tls->verify && from->tls->verify_name;
        TRY(build_trust(b, &from->tls->trust, &to->trust));
        if (b->in->renew)
            to->tls = b->in->before->snap.upstreams[to - b->g->snap.upstreams].tls;
        else
            TRY(upstream_profile(b, from, &to->tls));
    }
    to->members = ARENA_ARRAY(&b->g->arena, struct snap_member, from->members.n);
    if (!to->members)
        return ERR(NOMEM);
    for (uint32_t i = 0; i < from->members.n && IS_OK(all); i++)
        all = member(b, from, &from->members.v[i], to, &to->members[i]);
    return all;
}

res build_upstreams(struct build *b)
{
    const struct cfg *c = b->cfg;
    struct snap *s = &b->g->snap;
    uint32_t members = 0;
    res all = OK;

    for (uint32_t i = 0; i < c->upstreams.n; i++)
        members += c->upstreams.v[i].members.n;
    b->g->slots = ARENA_ARRAY(&b->g->arena, uint32_t, members + 1);
    s->upstream_count = c->upstreams.n;
    s->upstreams = ARENA_ARRAY(&b->g->arena, struct snap_upstream, c->upstreams.n + 1);
    if (!b->g->slots || !s->upstreams)
        return ERR(NOMEM);
    for (uint32_t i = 0; i < c->upstreams.n; i++) {
        res r = upstream(b, &c->upstreams.v[i], &s->upstreams[i]);

        if (!IS_OK(r))
            all = r;
    }
    return all;
}
