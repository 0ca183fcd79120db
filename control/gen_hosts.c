/* Listeners, hosts and locations of a snapshot. */
#include "control/gen_parts.h"

#include "base/siphash.h"
#include "crypto/ca_names.h"

#include <stdlib.h>

static const enum snap_cert_mode modes[] = {[CFG_CERT_NONE] = SNAP_CERT_NONE,
                                            [CFG_CERT_OPTIONAL] = SNAP_CERT_OPTIONAL,
                                            [CFG_CERT_REQUIRE] = SNAP_CERT_REQUIRE,
                                            [CFG_CERT_REQUEST] = SNAP_CERT_REQUEST};
static const enum snap_refusal on_bad[] = {[CFG_BAD_HTTP] = SNAP_REFUSE_HTTP,
                                           [CFG_BAD_TLS] = SNAP_REFUSE_TLS,
                                           [CFG_BAD_AS_NONE] = SNAP_AS_NONE};
static const enum snap_refusal on_missing[] = {
    [CFG_MISSING_HTTP] = SNAP_REFUSE_HTTP, [CFG_MISSING_TLS] = SNAP_REFUSE_TLS};
static const enum tls_version versions[] = {[CFG_TLS_1_2] = TLS_1_2, [CFG_TLS_1_3] = TLS_1_3};
static const char *const protocols[] = {"http/1.1"}; /* words of hosts.alpn */

/* --- client certificates --- */

static bool location_needs(const struct cfg_location *l)
{
    return l->require == CFG_REQUIRE_CERT || l->client_cert->mode == CFG_CERT_REQUIRE;
}

/* When are certificates asked for? */
struct asks {
    bool asked; /* at all: for the host itself or for one of its locations */
    bool late;  /* and none of them wants it in the handshake, where that can be helped */
};

static struct asks host_asks(const struct cfg_host *h)
{
    struct asks a = {.asked = h->client_cert->mode != CFG_CERT_NONE};

    a.late = !a.asked || h->client_cert->post_handshake;
    for (uint32_t i = 0; i < h->locations.n; i++) {
        const struct cfg_location *l = &h->locations.v[i];

        if (location_needs(l) || l->client_cert->mode != CFG_CERT_NONE) {
            a.asked = true;
            a.late &= l->client_cert->post_handshake;
        }
    }
    a.late &= a.asked;
    return a;
}

static res client_cert(struct build *b, const struct cfg_client_cert *from, struct asks asks,
                       struct snap_client_cert *to)
{
    *to = (struct snap_client_cert){.mode = modes[from->mode],
                                    .on_bad = on_bad[from->on_bad],
                                    .on_missing = on_missing[from->on_missing],
                                    .max_depth = from->max_depth,
                                    .asked = asks.asked,
                                    .late = asks.late};
    return build_trust(b, &from->trust, &to->trust);
}

/**
 * Hosts with equal ids ask the same of a handshake, so that a connection made for one may carry requests for
 * the other. It holds over generations, because it is made of contents only. The lowest TLS version and the
 * cipher suites count, too: nobody gets around a host's stricter ones by naming another one in the handshake.
 */
static uint64_t policy_of(const struct build *b, const struct cfg_host *h,
                          const struct snap_host *host)
{
    static const struct sip_key key = {0x706f6c6963796964, 0x6f66206120686f73};
    const struct snap_client_cert *cc = &host->cert;
    char text[4096];
    struct sb s = sb_of(text, sizeof(text));

    sb_fmt(&s, "%d %d %d %d %d %d ", cc->asked, cc->late, cc->mode, cc->on_bad, cc->on_missing,
           cc->max_depth);
    if (cc->trust != SNAP_NONE)
        sb_hex(&s, span_of(trust_id(b->g->snap.trusts[cc->trust].trust), 32));
    sb_fmt(&s, " %u %u %s %s %s", h->tls->min, h->tls->max,
           h->tls->ciphers12 ? h->tls->ciphers12 : "-", h->tls->ciphers13 ? h->tls->ciphers13 : "-",
           h->tls->groups ? h->tls->groups : "-");
    return siphash13(&key, text, s.len);
}

/* What a session ticket stands on: the host's policy and every trust set that its locations judge by. */
static uint64_t ticket_of(const struct build *b, const struct snap_host *host)
{
    static const struct sip_key key = {0x7469636b65742069, 0x6420206f6620686f};
    uint64_t id = host->policy_id;

    for (uint32_t i = 0; i < host->location_count; i++) {
        const struct snap_client_cert *cc = &host->locations[i].cert;
        uint8_t all[8 + 32] = {0};

        if (cc->trust == SNAP_NONE)
            continue;
        memcpy(all, &id, sizeof(id));
        memcpy(all + sizeof(id), trust_id(b->g->snap.trusts[cc->trust].trust), 32);
        id = siphash13(&key, all, sizeof(all));
    }
    return id;
}

/* --- locations --- */

/* Exact ones in front, then the longest first. */
static int by_reach(const void *x, const void *y)
{
    const struct snap_location *a = (const struct snap_location *)x;
    const struct snap_location *b = (const struct snap_location *)y;
    int longer = (a->path.len < b->path.len) - (a->path.len > b->path.len);

    if (a->kind != b->kind)
        return a->kind == SNAP_LOC_EXACT ? -1 : 1;
    return longer ? longer : memcmp(a->path.p, b->path.p, a->path.len);
}

static res location_headers(struct build *b, const struct cfg_location *from,
                            struct snap_location *to)
{
    to->header_count = from->request_headers.n;
    to->headers = ARENA_ARRAY(&b->g->arena, struct snap_header, to->header_count);
    if (to->header_count && !to->headers)
        return ERR(NOMEM);
    for (uint32_t i = 0; i < to->header_count; i++) {
        const struct cfg_request_header *h = &from->request_headers.v[i];

        to->headers[i] = (struct snap_header){span_str(h->name), h->compiled};
        snap_header_put(&b->g->snap, to->headers[i].name);
        for (uint32_t k = 0; k < h->compiled.count; k++) {
            if (h->compiled.parts[k].view)
                build_wants(b, h->compiled.parts[k].view);
        }
    }
    return OK;
}

static res location_rules(struct build *b, const struct cfg_location *from,
                          struct snap_location *to)
{
    to->rule_count = from->rules.n;
    to->rules = ARENA_ARRAY(&b->g->arena, struct snap_rule, to->rule_count);
    if (to->rule_count && !to->rules)
        return ERR(NOMEM);
    for (uint32_t i = 0; i < to->rule_count; i++) {
        const struct cfg_rule *rule = &from->rules.v[i];
        const struct cfg_texts *list = rule->is.n ? &rule->is : &rule->is_not;
        struct span *is = ARENA_ARRAY(&b->g->arena, struct span, list->n);

        if (!is)
            return ERR(NOMEM);
        for (uint32_t k = 0; k < list->n; k++)
            is[k] = span_str(list->v[k]);
        build_wants(b, &rule->view);
        to->rules[i] = (struct snap_rule){rule->view, is, list->n, rule->is.n == 0};
    }
    return OK;
}

static res location(struct build *b, const struct cfg_location *from, struct asks asks,
                    struct snap_location *to)
{
    *to = (struct snap_location){
        .path = span_str(from->path),
        .kind = from->exact ? SNAP_LOC_EXACT : SNAP_LOC_PREFIX,
        .upstream = from->upstream == CFG_NONE ? SNAP_NONE : from->upstream,
        .require_cert = location_needs(from),
        .body_max = from->body_max_b ? from->body_max_b : UINT64_MAX,
        .host_preserve = from->host == CFG_HOST_PRESERVE,
    };
    if (from->respond) {
        to->respond_status = (uint16_t)from->respond->status;
        to->respond_body = span_str(from->respond->body);
        to->respond_type = span_str(from->respond->type);
    }
    TRY(location_headers(b, from, to));
    TRY(location_rules(b, from, to));
    return client_cert(b, from->client_cert, asks, &to->cert);
}

/* --- names of CAs in the handshake --- */

static void trust_names(const struct build *b, const struct snap_client_cert *cc,
                        struct ca_names *n, bool *strangers)
{
    const struct trust *t = snap_trust_at(&b->g->snap, cc->trust);

    /* Whoever is told names may show nothing else: not where others are welcome, too. */
    *strangers |= cc->mode == SNAP_CERT_REQUEST || (t && trust_direct(t));
    if (t)
        ca_names_add_trust(n, t);
}

static res collect_names(struct build *b, const struct cfg_client_cert *cc,
                         const struct snap_host *to, struct ca_names *n, struct span *out)
{
    bool own = cc->ca_names == CFG_CA_NAMES_FILES, strangers = false;

    if (own) {
        TRY(ca_names_add_files(n, cc->ca_name_files.v, cc->ca_name_files.n, b->report));
    } else {
        trust_names(b, &to->cert, n, &strangers);
        for (uint32_t i = 0; i < to->location_count; i++)
            trust_names(b, &to->locations[i].cert, n, &strangers);
    }
    if (n->full) /* half a list would keep away those who are not on it */
        cfg_mistake(b->report, own ? REPORT_ERROR : REPORT_WARN, &cc->node,
                    offsetof(struct cfg_client_cert, ca_names), "ca_names = \"none\"",
                    "the names of all CAs are more than 8 KB: none are told");
    if (!n->full && !strangers && n->len)
        *out = arena_copy(&b->g->arena, span_of(n->v, n->len));
    return OK;
}

static res host_ca_names(struct build *b, const struct cfg_host *from, const struct snap_host *to,
                         struct span *out)
{
    const struct cfg_client_cert *cc = from->client_cert;
    struct ca_names *n;
    res r;

    *out = SPAN_NONE;
    if (cc->ca_names == CFG_CA_NAMES_NONE || !to->cert.asked)
        return OK;
    n = (struct ca_names *)calloc(1, sizeof(*n));
    if (!n)
        return ERR(NOMEM);
    r = collect_names(b, cc, to, n, out);
    free(n);
    return r;
}

/* --- hosts --- */

static res host_profile(struct build *b, const struct cfg_host *from, struct snap_host *to)
{
    struct tls_settings s = {
        .name = from->name,
        .server = true,
        .identity_count = from->identities.n,
        .min = versions[from->tls->min],
        .max = versions[from->tls->max],
        .ciphers12 = from->tls->ciphers12,
        .ciphers13 = from->tls->ciphers13,
        .groups = from->tls->groups,
        .alpn_count = from->alpn.n,
        .ask_cert = to->cert.asked,
        .ask_late = to->cert.late,
        .tickets = from->tls->tickets,
    };

    if (from->identities.n == 0)
        return OK;
    if (b->in->renew) {
        to->tls = b->in->before->snap.hosts[to->id].tls;
        return OK;
    }
    TRY(host_ca_names(b, from, to, &s.ca_names));
    for (uint32_t i = 0; i < from->identities.n; i++) {
        s.identities[i] = b->g->identities[from->identities.v[i]];
        if (!s.identities[i])
            return ERR(FAIL); /* said when it was read */
    }
    for (uint32_t i = 0; i < from->alpn.n; i++)
        s.alpn[i] = protocols[from->alpn.v[i]];
    return build_profile(b, &s, &from->node, &to->tls);
}

static res host_names(struct build *b, const struct cfg_host *from, struct snap_host *to)
{
    to->name = span_str(from->name);
    to->name_count = from->aliases.n + 1;
    to->names = ARENA_ARRAY(&b->g->arena, struct span, to->name_count);
    if (!to->names)
        return ERR(NOMEM);
    to->names[0] = to->name;
    for (uint32_t i = 0; i < from->aliases.n; i++)
        to->names[1 + i] = span_str(from->aliases.v[i]);
    for (uint32_t i = 0; i < to->name_count; i++) {
        bool star = span_starts(to->names[i], SPAN_LIT("*."));

        snap_name_put(&b->g->snap, span_from(to->names[i], star ? 1 : 0), to->id);
    }
    return OK;
}

static res host(struct build *b, const struct cfg_host *from, struct snap_host *to)
{
    struct asks asks = host_asks(from);
    res all = client_cert(b, from->client_cert, asks, &to->cert);

    to->location_count = from->locations.n;
    to->locations = ARENA_ARRAY(&b->g->arena, struct snap_location, from->locations.n);
    if (!to->locations)
        return ERR(NOMEM);
    for (uint32_t i = 0; i < from->locations.n; i++) {
        res r = location(b, &from->locations.v[i], asks, &to->locations[i]);

        if (!IS_OK(r))
            all = r;
    }
    qsort(to->locations, to->location_count, sizeof(to->locations[0]), by_reach);
    TRY(host_names(b, from, to));
    TRY(all);
    to->policy_id = policy_of(b, from, to);
    to->ticket_id = ticket_of(b, to);
    return host_profile(b, from, to);
}

static res listeners(struct build *b)
{
    struct snap *s = &b->g->snap;

    s->listener_count = b->cfg->listeners.n;
    s->listeners = ARENA_ARRAY(&b->g->arena, struct snap_listener, s->listener_count);
    if (!s->listeners)
        return ERR(NOMEM);
    for (uint32_t i = 0; i < s->listener_count; i++) {
        const struct cfg_listener *l = &b->cfg->listeners.v[i];

        s->listeners[i] = (struct snap_listener){.local = l->address,
                                                 .tls = l->tls,
                                                 .default_host = l->default_host,
                                                 .sni_required = l->sni == CFG_SNI_REQUIRED};
    }
    return OK;
}

/* Room for the names of `count` headers; none when there are none. */
static res set_names(struct build *b, uint32_t count)
{
    struct snap *s = &b->g->snap;
    uint32_t size = 8;

    if (count == 0)
        return OK;
    while (size < 2 * count)
        size *= 2;
    s->set_name_mask = size - 1;
    s->set_names = ARENA_ARRAY(&b->g->arena, uint64_t, size);
    return s->set_names ? OK : ERR(NOMEM);
}

res build_hosts(struct build *b)
{
    const struct cfg *c = b->cfg;
    struct snap *s = &b->g->snap;
    uint32_t names = 0, size = 8, headers = 0;
    res all = OK;

    for (uint32_t i = 0; i < c->hosts.n; i++) {
        names += 1 + c->hosts.v[i].aliases.n;
        for (uint32_t k = 0; k < c->hosts.v[i].locations.n; k++)
            headers += c->hosts.v[i].locations.v[k].request_headers.n;
    }
    TRY(set_names(b, headers));
    while (size < 2 * names)
        size *= 2;
    s->name_mask = size - 1;
    s->names = ARENA_ARRAY(&b->g->arena, struct snap_name, size);
    s->host_count = c->hosts.n;
    s->hosts = ARENA_ARRAY(&b->g->arena, struct snap_host, c->hosts.n);
    if (!s->names || !s->hosts)
        return ERR(NOMEM);
    for (uint32_t i = 0; i < c->hosts.n; i++) {
        res r;

        s->hosts[i].id = i;
        r = host(b, &c->hosts.v[i], &s->hosts[i]);
        if (!IS_OK(r))
            all = r; /* go on: all mistakes are said */
    }
    TRY(all);
    return listeners(b);
}
