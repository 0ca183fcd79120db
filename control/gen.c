#include "control/gen_parts.h"

#include "config/logfmt.h"

#include <stdlib.h>

_Static_assert(LOG_BUG == 0 && LOG_TRACE == 4 && LOG_LEVEL_COUNT == 5,
               "the words of error_log.level stand in this order");

static void scalars(struct build *b)
{
    const struct cfg *c = b->cfg;
    const struct cfg_limits *l = c->limits;
    const struct cfg_timeouts *t = c->timeouts;
    struct snap *s = &b->g->snap;

    s->gen = b->in->number;
    s->cores = b->in->cores;
    s->limits = (struct snap_limits){.line_b = l->line_b,
                                     .head_b = l->head_b,
                                     .headers = l->headers,
                                     .field_b = l->field_b,
                                     .late_body_b = l->late_body_b,
                                     .requests_per_conn = l->requests_per_conn,
                                     .conns = l->conns ? l->conns : c->memory->connections};
    s->timeouts = (struct snap_timeouts){.handshake_ms = t->handshake_ms,
                                         .header_ms = t->header_ms,
                                         .body_ms = t->body_ms,
                                         .keepalive_ms = t->keepalive_ms,
                                         .send_ms = t->send_ms};
    s->log_level = (enum log_level)c->error_log->level;
    s->min_rsa_bits = (uint16_t)c->min_rsa_bits;
    s->server_header = c->server_header;
}

/* What the access log wants of a request. */
static void capture(struct build *b)
{
    const struct logfmt *f = b->cfg->log_fmt;
    struct snap_capture *c = &b->g->snap.capture;

    if (!f)
        return;
    memcpy(c->request_headers, f->req, sizeof(f->req));
    memcpy(c->response_headers, f->resp, sizeof(f->resp));
    c->request_header_count = f->req_count;
    c->response_header_count = f->resp_count;
    c->views = f->views;
    c->view_count = f->view_count;
    for (uint32_t i = 0; i < f->view_count; i++)
        build_wants(b, &f->views[i]);
}

/* Tables whose size is known before they are filled, and what the generation before can lend. */
static res rooms(struct build *b)
{
    const struct cfg *c = b->cfg;
    const struct gen *before = b->in->before;
    struct gen *g = b->g;

    b->profile_cap = c->hosts.n + c->upstreams.n;
    b->trust_cap = b->profile_cap;
    for (uint32_t i = 0; i < c->hosts.n; i++)
        b->trust_cap += c->hosts.v[i].locations.n;
    g->profiles = ARENA_ARRAY(&g->arena, struct tls_profile *, b->profile_cap + 1);
    g->snap.trusts = ARENA_ARRAY(&g->arena, struct snap_trust, b->trust_cap + 1);
    g->trust_lists = ARENA_ARRAY(&g->arena, const struct cfg_refs *, b->trust_cap + 1);
    if (!g->profiles || !g->snap.trusts || !g->trust_lists)
        return ERR(NOMEM);
    TRY(hix_init(&b->lists, b->trust_cap));
    TRY(hix_init(&b->profiles, b->profile_cap));
    TRY(hix_init(&b->old_trusts, before ? before->snap.trust_count : 0));
    TRY(hix_init(&b->old_profiles, before ? before->profile_count : 0));
    for (uint32_t i = 0; before && i < before->snap.trust_count; i++)
        hix_put(&b->old_trusts, hash_head(trust_id(before->snap.trusts[i].trust)), i);
    for (uint32_t i = 0; before && i < before->profile_count; i++)
        hix_put(&b->old_profiles, hash_head(tls_profile_hash(before->profiles[i])), i);
    return OK;
}

static res ticket_keys(struct build *b)
{
    struct ticket_set *keys = &b->g->snap.ticket_keys;

    if (b->in->renew) {
        *keys = b->in->before->snap.ticket_keys;
        return OK;
    }
    if (b->in->pushed && b->in->pushed->n) {
        *keys = *b->in->pushed;
        return OK;
    }
    return b->cfg->ticket_keys ? ticket_set_load(b->cfg->ticket_keys, b->report, keys) : OK;
}

static res steps(struct build *b)
{
    uint32_t before = b->report->errors;
    res tickets, ids, hosts, ups, rest;

    TRY(rooms(b));
    scalars(b);
    capture(b);
    /* Each step is taken although one before it failed, so that all mistakes are said. */
    tickets = ticket_keys(b);
    ids = b->in->renew ? renew_keys(b) : build_identities(b);
    if (ids.code == RES_NOMEM)
        return ids;
    hosts = build_hosts(b);
    ups = build_upstreams(b);
    rest = b->in->renew ? OK : build_unused_trusts(b);
    TRY(tickets);
    TRY(ids);
    TRY(hosts);
    TRY(ups);
    TRY(rest);
    return b->report->errors == before ? OK : ERR(FAIL);
}

static struct gen *gen_new(void)
{
    struct gen *g = (struct gen *)aligned_alloc(_Alignof(struct gen), sizeof(struct gen));

    if (g) {
        memset(g, 0, sizeof(*g));
        arena_init(&g->arena);
    }
    return g;
}

void gen_free(struct gen *g, struct slots *slots)
{
    if (!g)
        return;
    for (uint32_t i = 0; i < g->slot_count; i++)
        slots_put(slots, g->slots[i]);
    for (uint32_t i = 0; i < g->profile_count; i++)
        tls_profile_unref(g->profiles[i]);
    for (uint32_t i = 0; i < g->snap.trust_count; i++) {
        if (g->snap.trusts[i].trust)
            trust_unref(g->snap.trusts[i].trust);
    }
    for (uint32_t i = 0; i < g->identity_count; i++) {
        if (g->identities[i])
            identity_unref(g->identities[i]);
    }
    cfg_free(g->cfg);
    arena_fini(&g->arena);
    explicit_bzero(&g->snap.ticket_keys, sizeof(g->snap.ticket_keys));
    free(g);
}

res gen_build(const struct gen_input *in, struct cfg **cfg, struct report *report, struct gen **out)
{
    struct build b = {.in = in, .g = gen_new(), .cfg = *cfg, .report = report};
    uint32_t before = report->errors;
    res r;

    *out = NULL;
    if (!b.g)
        return ERR(NOMEM);
    r = steps(&b);
    hix_fini(&b.lists);
    hix_fini(&b.old_trusts);
    hix_fini(&b.old_profiles);
    hix_fini(&b.profiles);
    if (IS_OK(r)) {
        b.g->cfg = TAKE(*cfg);
        *out = b.g;
        return OK;
    }
    if (report->errors == before)
        report_add(report, REPORT_ERROR, (*cfg)->file, 0, NULL, "%s",
                   r.code == RES_NOMEM ? "out of memory" : "could not be made ready");
    gen_free(b.g, in->slots);
    (void)tls_profile_reap(); /* nobody has used what was made in vain */
    return ERR(FAIL);
}
