/* What only shows when the whole configuration has been read. */
#include "base/url.h"
#include "config/cfg_near.h"
#include "config/cfg_read.h"
#include "config/logfmt.h"

#include <stdlib.h>

void cfg_inherit(void *group, const void *from)
{
    const struct cfg_node *node = (const struct cfg_node *)group;

    for (uint32_t i = 0; i < node->group->count; i++) {
        const struct cfg_key *k = &node->group->keys[i];

        if (node->pos[1 + i].line == 0)
            memcpy(cfg_field(group, k), cfg_field(from, k), k->width);
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void cfg_refs_sort(struct cfg_refs *r)
{
    uint32_t n = 0;

    if (r->n)
        qsort(r->v, r->n, sizeof(r->v[0]), by_value);
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->v[i] != CFG_NONE && (n == 0 || r->v[n - 1] != r->v[i]))
            r->v[n++] = r->v[i];
    }
    r->n = n;
}

bool cfg_versions_ok(struct report *r, const struct cfg_node *node, size_t member, uint32_t min,
                     uint32_t max)
{
    if (min <= max)
        return true;
    cfg_mistake(r, REPORT_ERROR, node, member, NULL, "the lowest version is above the highest");
    return false;
}

/* --- ports, cores --- */

static void check_cores(const struct cfg *c, struct report *r)
{
    for (uint32_t i = 0; i < c->cores.n; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (c->cores.v[i] == c->cores.v[j])
                cfg_mistake(r, REPORT_ERROR, &c->node, offsetof(struct cfg, cores), NULL,
                            "CPU %u stands in the list twice", c->cores.v[i]);
        }
    }
}

static void check_gateway(const struct cfg_port *p, struct report *r, const struct ip_addr *gateway,
                          bool v4, size_t member)
{
    bool near = false;

    if (!cfg_given(&p->node, member) || ip_is_any(gateway))
        return;
    if (ip_is_v4(gateway) != v4) {
        cfg_mistake(r, REPORT_ERROR, &p->node, member, NULL, "not an address of IPv%d", v4 ? 4 : 6);
        return;
    }
    for (uint32_t i = 0; i < p->addresses.n; i++)
        near |= ip_in(gateway, &p->addresses.v[i]);
    if (!near)
        cfg_mistake(r, REPORT_ERROR, &p->node, member, "the length behind '/' may be wrong",
                    "this router is in none of the port's networks");
}

static bool own_address(const struct cfg *c, const struct ip_addr *a)
{
    for (uint32_t i = 0; i < c->ports.n; i++) {
        for (uint32_t k = 0; k < c->ports.v[i].addresses.n; k++) {
            if (ip_eq(&c->ports.v[i].addresses.v[k].addr, a))
                return true;
        }
    }
    return false;
}

/* Each address once; `upto_*` is where this one stands. */
static bool seen_before(const struct cfg *c, uint32_t port, uint32_t index)
{
    const struct ip_addr *a = &c->ports.v[port].addresses.v[index].addr;

    for (uint32_t i = 0; i <= port; i++) {
        const struct cfg_prefixes *list = &c->ports.v[i].addresses;

        for (uint32_t k = 0; k < (i == port ? index : list->n); k++) {
            if (ip_eq(&list->v[k].addr, a) && !ip_is_any(a))
                return true;
        }
    }
    return false;
}

static void check_ports(const struct cfg *c, struct report *r)
{
    for (uint32_t i = 0; i < c->ports.n; i++) {
        const struct cfg_port *p = &c->ports.v[i];

        check_gateway(p, r, &p->gateway, true, offsetof(struct cfg_port, gateway));
        check_gateway(p, r, &p->gateway6, false, offsetof(struct cfg_port, gateway6));
        for (uint32_t k = 0; k < p->addresses.n; k++) {
            char text[IP_TEXT_MAX];
            struct sb s = sb_of(text, sizeof(text));

            ip_text(&s, &p->addresses.v[k].addr);
            if (seen_before(c, i, k))
                cfg_mistake(r, REPORT_ERROR, &p->node, offsetof(struct cfg_port, addresses), NULL,
                            "%s stands here or at another port, too", text);
        }
        for (uint32_t k = 0; k < i; k++) {
            const struct cfg_port *q = &c->ports.v[k];

            if (p->device && q->device && !strcmp(p->device, q->device))
                cfg_mistake(r, REPORT_ERROR, &p->node, offsetof(struct cfg_port, device), NULL,
                            "%s is a port already (%s:%d)", p->device, q->node.pos[0].file,
                            q->node.pos[0].line);
            if (p->name && q->name && !strcmp(p->name, q->name))
                cfg_mistake(r, REPORT_ERROR, &p->node, offsetof(struct cfg_port, name), NULL,
                            "\"%s\" is the name of another port, too", p->name);
        }
    }
}

/* --- listeners --- */

static void check_default_host(struct cfg *c, struct cfg_listener *l, struct report *r)
{
    size_t member = offsetof(struct cfg_listener, default_host);

    if (l->default_host == CFG_NONE && !cfg_given(&l->node, member)) {
        if (c->hosts.n > 1)
            cfg_mistake(r, REPORT_ERROR, &l->node, member,
                        "name the host for clients that name none or an unknown one",
                        "is missing, and there are several hosts");
        l->default_host = 0;
    }
    if (l->default_host < c->hosts.n && l->tls) {
        const struct cfg_host *h = &c->hosts.v[l->default_host];

        if (h->identities.n == 0 && !cfg_given(&h->node, offsetof(struct cfg_host, identities)))
            cfg_mistake(r, REPORT_ERROR, &l->node, member, "give it identities, or set tls = false",
                        "%s has no identities, so it cannot answer with TLS", h->node.path);
    }
}

static void check_listener(struct cfg *c, uint32_t index, struct report *r)
{
    struct cfg_listener *l = &c->listeners.v[index];
    size_t address = offsetof(struct cfg_listener, address);
    char text[EP_TEXT_MAX];
    struct sb s = sb_of(text, sizeof(text));

    check_default_host(c, l, r);
    if (l->sni == CFG_SNI_REQUIRED && !l->tls)
        cfg_mistake(r, REPORT_ERROR, &l->node, offsetof(struct cfg_listener, sni), NULL,
                    "there is no server name without TLS");
    if (l->address.port == 0)
        return; /* was a mistake already */
    endpoint_text(&s, &l->address);
    for (uint32_t i = 0; i < index; i++) {
        const struct cfg_listener *o = &c->listeners.v[i];

        if (o->address.port == l->address.port && ip_eq(&o->address.addr, &l->address.addr))
            cfg_mistake(r, REPORT_ERROR, &l->node, address, NULL,
                        "%s is a listener already (%s:%d)", text, o->node.pos[0].file,
                        o->node.pos[0].line);
    }
    if (!ip_is_any(&l->address.addr) && !own_address(c, &l->address.addr))
        cfg_mistake(r, REPORT_ERROR, &l->node, address, "add it to the addresses of a port",
                    "no port has the address of %s", text);
}

/* --- upstreams --- */

static void check_member(const struct cfg *c, const struct cfg_upstream *u, uint32_t index,
                         struct report *r)
{
    const struct cfg_member *m = &u->members.v[index];
    size_t address = offsetof(struct cfg_member, address);

    for (uint32_t i = 0; i < index; i++) {
        const struct cfg_member *o = &u->members.v[i];

        if (m->address.port && m->address.port == o->address.port &&
            ip_eq(&m->address.addr, &o->address.addr))
            cfg_mistake(r, REPORT_ERROR, &m->node, address, "use weight for a larger share",
                        "this address stands in the upstream twice");
        if (m->route && o->route && !strcmp(m->route, o->route))
            cfg_mistake(r, REPORT_ERROR, &m->node, offsetof(struct cfg_member, route), NULL,
                        "\"%s\" is the route of another member, too", m->route);
    }
    if (m->address.port && ip_is_any(&m->address.addr))
        cfg_mistake(r, REPORT_ERROR, &m->node, address, NULL, "not the address of one host");
    for (uint32_t i = 0; i < c->listeners.n && m->address.port; i++) {
        const struct endpoint *l = &c->listeners.v[i].address;
        bool same = ip_eq(&l->addr, &m->address.addr) ||
                    (ip_is_any(&l->addr) && own_address(c, &m->address.addr));

        if (same && l->port == m->address.port)
            cfg_mistake(r, REPORT_ERROR, &m->node, address, NULL,
                        "this is our own listener (%s:%d): requests would go round in circles",
                        c->listeners.v[i].node.pos[0].file, c->listeners.v[i].node.pos[0].line);
    }
    if (m->tls_name && !u->tls)
        cfg_mistake(r, REPORT_WARN, &m->node, offsetof(struct cfg_member, tls_name), NULL,
                    "means nothing: the upstream has no tls group");
}

static void check_sticky(const struct cfg_upstream *u, struct report *r)
{
    uint32_t routes = 0;

    for (uint32_t i = 0; i < u->members.n; i++)
        routes += u->members.v[i].route != NULL;
    if (u->sticky_cookie && routes == 0)
        cfg_mistake(r, REPORT_ERROR, &u->node, offsetof(struct cfg_upstream, sticky_cookie),
                    "give each member a route", "no member has a route to stay with");
    else if (u->sticky_cookie && routes < u->members.n)
        cfg_mistake(r, REPORT_WARN, &u->node, offsetof(struct cfg_upstream, sticky_cookie), NULL,
                    "%u of %u members have no route", u->members.n - routes, u->members.n);
    else if (!u->sticky_cookie && routes > 0)
        cfg_mistake(r, REPORT_WARN, &u->node, CFG_WHOLE, NULL,
                    "members have routes, but there is no sticky_cookie");
}

static void check_upstream_tls(struct cfg_upstream_tls *t, struct report *r)
{
    bool empty = t->trust.n == 0; /* a name that nobody has was a mistake already */

    (void)cfg_versions_ok(r, &t->node, offsetof(struct cfg_upstream_tls, min), t->min, t->max);
    cfg_refs_sort(&t->trust);
    if (t->verify && empty)
        cfg_mistake(r, REPORT_ERROR, &t->node, offsetof(struct cfg_upstream_tls, trust),
                    "name a trust set, or say verify = false",
                    "names nobody: no certificate could be verified");
    if (!t->verify)
        cfg_mistake(r, REPORT_WARN, &t->node, offsetof(struct cfg_upstream_tls, verify), NULL,
                    "backends are not verified: anyone in between can pose as one");
}

static void check_upstreams(struct cfg *c, struct report *r)
{
    for (uint32_t i = 0; i < c->upstreams.n; i++) {
        struct cfg_upstream *u = &c->upstreams.v[i];

        for (uint32_t k = 0; k < u->members.n; k++)
            check_member(c, u, k, r);
        check_sticky(u, r);
        if (u->tls)
            check_upstream_tls(u->tls, r);
    }
}

/* --- what nobody refers to --- */

static void mark(bool *used, uint32_t count, uint32_t index)
{
    if (index < count)
        used[index] = true;
}

static void mark_all(bool *used, uint32_t count, const struct cfg_refs *refs)
{
    for (uint32_t i = 0; i < refs->n; i++)
        mark(used, count, refs->v[i]);
}

static void mark_host(const struct cfg *c, const struct cfg_host *h, bool *trust, bool *identities,
                      bool *upstreams)
{
    mark_all(identities, c->identities.n, &h->identities);
    mark_all(trust, c->trust.n, &h->client_cert->trust);
    for (uint32_t i = 0; i < h->locations.n; i++) {
        mark(upstreams, c->upstreams.n, h->locations.v[i].upstream);
        mark_all(trust, c->trust.n, &h->locations.v[i].client_cert->trust);
    }
}

static void warn_unused(struct report *r, const bool *used, const struct cfg_list *list,
                        size_t each)
{
    for (uint32_t i = 0; i < list->n; i++) {
        if (!used[i])
            cfg_mistake(r, REPORT_WARN,
                        (const struct cfg_node *)(const void *)((char *)list->v + i * each),
                        CFG_WHOLE, NULL, "nothing uses it");
    }
}

static void check_unused(const struct cfg *c, struct report *r)
{
    bool *trust = (bool *)calloc((size_t)c->trust.n + c->identities.n + c->upstreams.n + 1, 1);
    bool *identities = trust ? trust + c->trust.n : NULL;
    bool *upstreams = trust ? identities + c->identities.n : NULL;

    if (!trust)
        return;
    for (uint32_t i = 0; i < c->hosts.n; i++)
        mark_host(c, &c->hosts.v[i], trust, identities, upstreams);
    for (uint32_t i = 0; i < c->upstreams.n; i++) {
        if (c->upstreams.v[i].tls) {
            mark_all(trust, c->trust.n, &c->upstreams.v[i].tls->trust);
            mark(identities, c->identities.n, c->upstreams.v[i].tls->identity);
        }
    }
    warn_unused(r, trust, (const struct cfg_list *)(const void *)&c->trust,
                sizeof(struct cfg_trust));
    warn_unused(r, identities, (const struct cfg_list *)(const void *)&c->identities,
                sizeof(struct cfg_identity));
    warn_unused(r, upstreams, (const struct cfg_list *)(const void *)&c->upstreams,
                sizeof(struct cfg_upstream));
    free(trust);
}

/* --- trust --- */

static bool http_url(const char *text)
{
    const char *why;

    return url_scheme(text, &why) != URL_FILE; /* what is no URL has been told of */
}

static void check_trusts(const struct cfg *c, struct report *r)
{
    for (uint32_t i = 0; i < c->trust.n; i++) {
        const struct cfg_trust *t = &c->trust.v[i];

        if (t->anchors.n + t->allow_fingerprints.n + t->allow_spki.n + t->allow_files.n == 0 &&
            !cfg_given(&t->node, offsetof(struct cfg_trust, anchors)))
            cfg_mistake(r, REPORT_ERROR, &t->node, CFG_WHOLE, "add anchors = [ ... ]",
                        "neither anchors nor a list say who is trusted");
        if (t->ocsp_url && !http_url(t->ocsp_url))
            cfg_mistake(r, REPORT_ERROR, &t->node, offsetof(struct cfg_trust, ocsp_url),
                        "\"http://ocsp.example/\"", "not an http:// or https:// URL");
    }
}

/* --- identities --- */

static void check_staples(const struct cfg *c, struct report *r)
{
    for (uint32_t i = 0; i < c->identities.n; i++) {
        const struct cfg_identity *id = &c->identities.v[i];
        size_t member = id->staple_file ? offsetof(struct cfg_identity, staple_file)
                                        : offsetof(struct cfg_identity, staple_url);

        if ((id->staple_url || id->staple_file) && !id->staple)
            cfg_mistake(r, REPORT_ERROR, &id->node, member, "staple = true",
                        "says where responses come from, and none are sent");
        if (id->staple_url && id->staple_file)
            cfg_mistake(
                r, REPORT_ERROR, &id->node, member, NULL,
                "either staple_file or staple_url: a response that is in a file is not asked for");
        if (id->staple_url && !http_url(id->staple_url))
            cfg_mistake(r, REPORT_ERROR, &id->node, offsetof(struct cfg_identity, staple_url),
                        "\"http://ocsp.example/\"", "not an http:// or https:// URL");
    }
}

/* --- fetching --- */

/* They become one list, with commas. */
static bool one_host(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p <= ' ' || *p == ',' || *p == 0x7f)
            return false;
    }
    return true;
}

static void check_fetch(const struct cfg *c, struct report *r)
{
    const struct cfg_fetch *f = c->fetch;
    const char *why;

    if (f->proxy && url_scheme(f->proxy, &why) != URL_HTTP)
        cfg_mistake(r, REPORT_ERROR, &f->node, offsetof(struct cfg_fetch, proxy),
                    "\"http://proxy.example:3128\"", "not an http:// URL");
    if (f->direct.n && !f->proxy)
        cfg_mistake(r, REPORT_WARN, &f->node, offsetof(struct cfg_fetch, direct),
                    "add proxy, or leave it out", "there is no proxy");
    for (uint32_t i = 0; i < f->direct.n; i++) {
        if (f->direct.v[i] && !one_host(f->direct.v[i]))
            cfg_mistake(r, REPORT_ERROR, &f->node, offsetof(struct cfg_fetch, direct),
                        "\"ocsp.example\", \"192.0.2.1\", \"10.0.0.0/8\"",
                        "\"%s\": not one name, address or network", f->direct.v[i]);
    }
}

/* --- the rest --- */

static void check_limits(const struct cfg *c, struct report *r)
{
    const struct cfg_limits *l = c->limits;

    if (l->head_b && (l->head_b < l->line_b || l->head_b < l->field_b))
        cfg_mistake(r, REPORT_ERROR, &l->node, offsetof(struct cfg_limits, head_b), NULL,
                    "smaller than request_line or header_field");
    if (l->conns > c->memory->connections)
        cfg_mistake(r, REPORT_ERROR, &l->node, offsetof(struct cfg_limits, conns), NULL,
                    "%u are more than memory.connections, %u", l->conns, c->memory->connections);
}

static void check_format(struct cfg *c, struct report *r)
{
    struct logfmt_mistake m;

    if (!c->access_log || !c->access_log->format)
        return;
    if (IS_OK(logfmt_compile(&c->arena, c->access_log->format, &c->log_fmt, &m)))
        return;
    cfg_mistake(r, REPORT_ERROR, &c->access_log->node, offsetof(struct cfg_access_log, format),
                m.hint[0] ? m.hint : NULL, "at character %zu: %s", m.at + 1, m.what);
}

void cfg_check(struct cfg *c, struct report *report)
{
    check_cores(c, report);
    check_ports(c, report);
    (void)cfg_versions_ok(report, &c->tls->node, offsetof(struct cfg_tls, min), c->tls->min,
                          c->tls->max);
    cfg_check_hosts(c, report);
    for (uint32_t i = 0; i < c->listeners.n; i++)
        check_listener(c, i, report);
    check_upstreams(c, report);
    check_fetch(c, report);
    check_trusts(c, report);
    check_staples(c, report);
    check_unused(c, report);
    check_limits(c, report);
    check_format(c, report);
}
