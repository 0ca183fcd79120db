/* Hosts, their locations, and what both ask of client certificates: whatever is unclear is a mistake. */
#include "config/cfg_near.h"
#include "config/cfg_read.h"

#include <stdlib.h>
#include <strings.h>

static bool needs_trust(const struct cfg_client_cert *cc)
{
    return cc->mode == CFG_CERT_OPTIONAL || cc->mode == CFG_CERT_REQUIRE;
}

static bool narrows(const struct cfg_trust *t)
{
    return t->anchors.n && t->allow_fingerprints.n + t->allow_spki.n + t->allow_files.n;
}

/* A list for the chains of one set would cut off those of the other, or let them by. */
static void check_lists(const struct cfg *c, const struct cfg_client_cert *cc, struct report *r)
{
    const struct cfg_trust *with = NULL, *without = NULL;

    for (uint32_t i = 0; i < cc->trust.n; i++) {
        const struct cfg_trust *t = &c->trust.v[cc->trust.v[i]];

        if (narrows(t))
            with = t;
        else if (t->anchors.n)
            without = t;
    }
    if (with && without)
        cfg_mistake(r, REPORT_ERROR, &cc->node, offsetof(struct cfg_client_cert, trust), NULL,
                    "\"%s\" has lists of who is allowed besides its anchors, and \"%s\" has none",
                    with->name, without->name);
}

static bool same_ocsp(const struct cfg_trust *a, const struct cfg_trust *b)
{
    return a->ocsp == b->ocsp && a->ocsp_first == b->ocsp_first && a->ocsp_fail == b->ocsp_fail &&
           a->ocsp_timeout_ms == b->ocsp_timeout_ms && a->ocsp_refresh_ms == b->ocsp_refresh_ms &&
           a->ocsp_nonce == b->ocsp_nonce && !a->ocsp_url == !b->ocsp_url &&
           (!a->ocsp_url || strcmp(a->ocsp_url, b->ocsp_url) == 0);
}

/* One trust set is built of all that are named, so they have to agree on how they are read. */
static void check_union(const struct cfg *c, const struct cfg_client_cert *cc, struct report *r)
{
    for (uint32_t i = 1; i < cc->trust.n; i++) {
        const struct cfg_trust *a = &c->trust.v[cc->trust.v[0]], *b = &c->trust.v[cc->trust.v[i]];

        if (a->partial_chain != b->partial_chain || a->anchor_expiry != b->anchor_expiry ||
            a->crl_check != b->crl_check || a->crl_missing != b->crl_missing ||
            a->crl_expired != b->crl_expired || !same_ocsp(a, b)) {
            cfg_mistake(r, REPORT_ERROR, &cc->node, offsetof(struct cfg_client_cert, trust), NULL,
                        "\"%s\" and \"%s\" differ in partial_chain, anchor_expiry, or the crl_ or "
                        "ocsp keys",
                        a->name, b->name);
            return;
        }
    }
}

static void check_client_cert(const struct cfg *c, struct cfg_client_cert *cc, struct report *r)
{
    size_t trust = offsetof(struct cfg_client_cert, trust);
    bool named = cfg_given(&cc->node, trust);
    bool empty = cc->trust.n == 0;

    cfg_refs_sort(&cc->trust);
    check_union(c, cc, r);
    check_lists(c, cc, r);
    if (needs_trust(cc) && empty) /* a name that nobody has was a mistake already */
        cfg_mistake(r, REPORT_ERROR, &cc->node,
                    named ? trust : offsetof(struct cfg_client_cert, mode), "add trust = [ ... ]",
                    "certificates are asked for, but no trust set says whose are good");
}

/* --- locations --- */

static void check_answer(const struct cfg_location *l, struct report *r)
{
    size_t upstream = offsetof(struct cfg_location, upstream);
    const struct cfg_respond *a = l->respond;

    if (cfg_given(&l->node, upstream) == (a != NULL))
        cfg_mistake(r, REPORT_ERROR, &l->node, a ? upstream : CFG_WHOLE, NULL,
                    a ? "either upstream or respond, not both"
                      : "neither upstream nor respond says what to do");
    if (!a)
        return;
    if (a->status >= 300 && a->status < 400)
        cfg_mistake(r, REPORT_ERROR, &a->node, offsetof(struct cfg_respond, status), NULL,
                    "a redirection needs a Location, which cannot be given here");
    if (a->status == 204 && a->body && *a->body)
        cfg_mistake(r, REPORT_ERROR, &a->node, offsetof(struct cfg_respond, body), NULL,
                    "a 204 has no body");
}

static void check_location_cert(const struct cfg *c, const struct cfg_host *h,
                                struct cfg_location *l, struct report *r)
{
    struct cfg_client_cert *cc = l->client_cert;
    size_t require = offsetof(struct cfg_location, require);

    if (cfg_given(&cc->node, offsetof(struct cfg_client_cert, on_bad)) && cc->on_bad == CFG_BAD_TLS)
        cfg_mistake(r, REPORT_ERROR, &cc->node, offsetof(struct cfg_client_cert, on_bad), NULL,
                    "a request has a path only after the handshake: \"http\" or \"none\"");
    if (cfg_given(&cc->node, offsetof(struct cfg_client_cert, on_missing)) &&
        cc->on_missing == CFG_MISSING_TLS)
        cfg_mistake(r, REPORT_ERROR, &cc->node, offsetof(struct cfg_client_cert, on_missing), NULL,
                    "a request has a path only after the handshake: \"http\"");
    if (cfg_given(&cc->node, offsetof(struct cfg_client_cert, ca_names)) ||
        cfg_given(&cc->node, offsetof(struct cfg_client_cert, ca_name_files)))
        cfg_mistake(r, REPORT_ERROR, &cc->node, CFG_WHOLE, "say it in the host",
                    "names of CAs are told in the handshake, before there is a path");
    cfg_inherit(cc, h->client_cert);
    /* What the host got wrong was said there. */
    if (cc->mode != h->client_cert->mode ||
        cfg_given(&cc->node, offsetof(struct cfg_client_cert, trust)))
        check_client_cert(c, cc, r);
    if (l->require == CFG_REQUIRE_CERT && cc->trust.n == 0)
        cfg_mistake(r, REPORT_ERROR, &l->node, require, "add client_cert = { trust = [ ... ]; }",
                    "no trust set says whose certificates are good");
    if ((l->require == CFG_REQUIRE_CERT || cc->mode != CFG_CERT_NONE) && h->identities.n == 0 &&
        !cfg_given(&h->node, offsetof(struct cfg_host, identities)))
        cfg_mistake(r, REPORT_ERROR, &l->node, require, NULL,
                    "the host has no identities: without TLS there are no client certificates");
}

static void check_twice(const struct cfg_host *h, uint32_t index, struct report *r)
{
    const struct cfg_location *l = &h->locations.v[index];

    for (uint32_t i = 0; i < index && l->path; i++) {
        const struct cfg_location *o = &h->locations.v[i];

        if (o->path && strcmp(o->path, l->path) == 0 && o->exact == l->exact)
            cfg_mistake(r, REPORT_ERROR, &l->node, offsetof(struct cfg_location, path), NULL,
                        "never reached: %s:%d has the same path", o->node.pos[0].file,
                        o->node.pos[0].line);
    }
}

/* --- headers and rules --- */

static const char *near_view(const char *name, struct sb *out)
{
    struct cfg_near near = cfg_near_of(name);
    const char *candidate;

    for (unsigned i = 0; (candidate = view_name_at(i)); i++)
        cfg_near_try(&near, candidate);
    return cfg_near_hint(&near, out);
}

/* Headers that we write ourselves: two of them would leave it to the backend which one it believes. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {"Host",
                                       "Content-Length",
                                       "Transfer-Encoding",
                                       "Connection",
                                       "Keep-Alive",
                                       "Expect",
                                       "Trailer",
                                       "TE",
                                       "Upgrade",
                                       "Via",
                                       "Proxy-Connection",
                                       "X-SSL-Client-Verify",
                                       "X-SSL-Client-S-DN",
                                       "X-SSL-Client-I-DN",
                                       "X-SSL-Client-Serial"};

    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (strcasecmp(name, ours[i]) == 0)
            return true;
    }
    return strncasecmp(name, "X-Forwarded-", 12) == 0;
}

static void check_request_header(struct cfg *c, struct cfg_location *l, uint32_t index,
                                 struct report *r)
{
    struct cfg_request_header *h = &l->request_headers.v[index];
    const char *why;
    size_t at;

    if (h->name && is_ours(h->name))
        cfg_mistake(r, REPORT_ERROR, &h->node, offsetof(struct cfg_request_header, name), NULL,
                    "%s is written by the appliance itself", h->name);
    for (uint32_t i = 0; i < index && h->name; i++) {
        if (l->request_headers.v[i].name && !strcasecmp(l->request_headers.v[i].name, h->name))
            cfg_mistake(r, REPORT_ERROR, &h->node, offsetof(struct cfg_request_header, name), NULL,
                        "%s stands in the list twice", h->name);
    }
    if (h->value && !IS_OK(view_text_compile(&c->arena, h->value, &h->compiled, &at, &why)))
        cfg_mistake(r, REPORT_ERROR, &h->node, offsetof(struct cfg_request_header, value), NULL,
                    "at character %zu: %s", at + 1, why);
}

static void check_rule(struct cfg_rule *rule, struct report *r)
{
    const char *why;
    char text[96];
    struct sb hint = sb_of(text, sizeof(text));

    if (rule->var && !view_compile(span_str(rule->var), &rule->view, &why))
        cfg_mistake(r, REPORT_ERROR, &rule->node, offsetof(struct cfg_rule, var),
                    near_view(rule->var, &hint), "\"%s\": %s", rule->var, why);
    if ((rule->is.n > 0) == (rule->is_not.n > 0))
        cfg_mistake(r, REPORT_ERROR, &rule->node, CFG_WHOLE, NULL,
                    rule->is.n ? "either is or is_not, not both"
                               : "neither is nor is_not says what the variable has to be");
}

static void check_rules_and_headers(struct cfg *c, struct cfg_location *l, struct report *r)
{
    for (uint32_t i = 0; i < l->rules.n; i++)
        check_rule(&l->rules.v[i], r);
    for (uint32_t i = 0; i < l->request_headers.n; i++)
        check_request_header(c, l, i, r);
}

/* --- hosts --- */

static void check_identities(struct cfg *c, struct cfg_host *h, struct report *r)
{
    for (uint32_t i = 1; i < h->identities.n; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (h->identities.v[i] == h->identities.v[k] && h->identities.v[i] != CFG_NONE)
                cfg_mistake(r, REPORT_ERROR, &h->node, offsetof(struct cfg_host, identities), NULL,
                            "\"%s\" stands in the list twice",
                            c->identities.v[h->identities.v[i]].name);
        }
    }
}

static void check_alpn(const struct cfg_host *h, struct report *r)
{
    for (uint32_t i = 1; i < h->alpn.n; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (h->alpn.v[i] == h->alpn.v[k])
                cfg_mistake(r, REPORT_ERROR, &h->node, offsetof(struct cfg_host, alpn), NULL,
                            "a protocol stands in the list twice");
        }
    }
}

static void check_host(struct cfg *c, struct cfg_host *h, struct report *r)
{
    bool own = cfg_given(&h->tls->node, offsetof(struct cfg_tls, min)) ||
               cfg_given(&h->tls->node, offsetof(struct cfg_tls, max));

    cfg_inherit(h->tls, c->tls);
    if (own)
        (void)cfg_versions_ok(r, &h->tls->node, CFG_WHOLE, h->tls->min, h->tls->max);
    check_identities(c, h, r);
    check_alpn(h, r);
    check_client_cert(c, h->client_cert, r);
    if ((h->client_cert->ca_names == CFG_CA_NAMES_FILES) != (h->client_cert->ca_name_files.n > 0))
        cfg_mistake(r, REPORT_ERROR, &h->client_cert->node,
                    offsetof(struct cfg_client_cert, ca_names), NULL,
                    "ca_names = \"files\" and ca_name_files go together");
    if (h->client_cert->mode != CFG_CERT_NONE && h->identities.n == 0 &&
        !cfg_given(&h->node, offsetof(struct cfg_host, identities)))
        cfg_mistake(r, REPORT_ERROR, &h->client_cert->node, offsetof(struct cfg_client_cert, mode),
                    NULL,
                    "the host has no identities: without TLS there are no client certificates");
    for (uint32_t i = 0; i < h->locations.n; i++) {
        check_answer(&h->locations.v[i], r);
        check_twice(h, i, r);
        check_location_cert(c, h, &h->locations.v[i], r);
        check_rules_and_headers(c, &h->locations.v[i], r);
    }
}

void cfg_check_hosts(struct cfg *c, struct report *report)
{
    bool tls = false;

    for (uint32_t i = 0; i < c->listeners.n; i++)
        tls |= c->listeners.v[i].tls;
    for (uint32_t i = 0; i < c->hosts.n; i++) {
        const struct cfg_host *h = &c->hosts.v[i];

        check_host(c, &c->hosts.v[i], report);
        if (h->identities.n > 0 && !tls && c->listeners.n > 0)
            cfg_mistake(report, REPORT_WARN, &h->node, offsetof(struct cfg_host, identities), NULL,
                        "no listener has TLS");
    }
}
