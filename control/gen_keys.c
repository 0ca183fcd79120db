/* Certificates and TLS contexts of a generation. */
#include "control/gen_parts.h"

#include "base/siphash.h"
#include "control/staples.h"

#include <stdlib.h>

/* --- identities --- */

/* Which purposes are asked of each identity. */
static void mark_uses(const struct cfg *c, bool *server, bool *client)
{
    for (uint32_t i = 0; i < c->hosts.n; i++) {
        for (uint32_t k = 0; k < c->hosts.v[i].identities.n; k++) {
            if (c->hosts.v[i].identities.v[k] != CFG_NONE)
                server[c->hosts.v[i].identities.v[k]] = true;
        }
    }
    for (uint32_t i = 0; i < c->upstreams.n; i++) {
        const struct cfg_upstream_tls *t = c->upstreams.v[i].tls;

        if (t && t->identity != CFG_NONE)
            client[t->identity] = true;
    }
}

static res load_identity(const struct cfg_identity *id, bool server, bool client, int64_t now_s,
                         struct report *report, struct identity **out)
{
    struct identity_source src = {.name = id->name,
                                  .cert_file = id->cert,
                                  .chain_file = id->chain,
                                  .key_file = id->key,
                                  .for_server = server,
                                  .for_client = client};

    return identity_load(&src, now_s, report, out);
}

/* What goes along with it to clients; a certificate that needs it and will not have it is told of. */
static res set_staple(struct build *b, const struct cfg_identity *c, struct identity *id)
{
    struct staple *box;

    if (!c->staple) {
        if (identity_leaf(id)->ext & CERT_EXT_MUST_STAPLE)
            cfg_mistake(
                b->report, REPORT_WARN, &c->node, CFG_WHOLE, "staple = true",
                "the certificate promises an OCSP response with every handshake (RFC 7633), and "
                "none will be sent: clients that know that refuse it");
        return OK;
    }
    if (!b->in->staples)
        return OK;
    box = staples_box(b->in->staples, identity_hash(id));
    if (!box)
        return ERR(NOMEM);
    identity_set_staple(id, box);
    return OK;
}

res build_identities(struct build *b)
{
    const struct cfg *c = b->cfg;
    uint32_t n = c->identities.n;
    bool *server = ARENA_ARRAY(&b->g->arena, bool, n + 1);
    bool *client = ARENA_ARRAY(&b->g->arena, bool, n + 1);
    res all = OK;

    b->g->identities = ARENA_ARRAY(&b->g->arena, struct identity *, n + 1);
    if (!server || !client || !b->g->identities)
        return ERR(NOMEM);
    b->g->identity_count = n;
    mark_uses(c, server, client);
    for (uint32_t i = 0; i < n; i++) {
        res r = load_identity(&c->identities.v[i], server[i], client[i], b->in->now_s, b->report,
                              &b->g->identities[i]);

        if (IS_OK(r) && server[i])
            r = set_staple(b, &c->identities.v[i], b->g->identities[i]);
        if (!IS_OK(r))
            all = r; /* go on: all mistakes are said */
        breathe(b);
    }
    return all;
}

res renew_keys(struct build *b)
{
    const struct gen *before = b->in->before;
    struct gen *g = b->g;

    g->identities = ARENA_ARRAY(&g->arena, struct identity *, before->identity_count + 1);
    if (!g->identities)
        return ERR(NOMEM);
    for (; g->identity_count < before->identity_count; g->identity_count++)
        g->identities[g->identity_count] = identity_ref(before->identities[g->identity_count]);
    for (; g->profile_count < before->profile_count; g->profile_count++)
        g->profiles[g->profile_count] = tls_profile_ref(before->profiles[g->profile_count]);
    return OK;
}

/* --- trust --- */

/* "staff+partners", cut when it becomes too long. */
static const char *list_name(struct build *b, const struct cfg_refs *list)
{
    char text[256];
    struct sb s = sb_of(text, sizeof(text));

    for (uint32_t i = 0; i < list->n; i++)
        sb_fmt(&s, "%s%s", i ? "+" : "", b->cfg->trust.v[list->v[i]].name);
    return arena_text(&b->g->arena, sb_span(&s));
}

/* The set of the generation before when it would give the same verdicts. */
static struct trust *shared_trust(const struct build *b, struct trust *fresh)
{
    const struct gen *before = b->in->before;
    uint64_t hash = hash_head(trust_id(fresh));
    uint32_t step = 0, i;

    while ((i = hix_next(&b->old_trusts, hash, &step)) != HIX_NONE) {
        struct trust *old = before->snap.trusts[i].trust;

        if (memcmp(trust_id(old), trust_id(fresh), 32) == 0) {
            trust_unref(fresh);
            return trust_ref(old);
        }
    }
    return fresh;
}

static uint64_t list_hash(const struct cfg_refs *list)
{
    static const struct sip_key key = {1, 2}; /* the operator's own lists */

    return siphash13(&key, list->v, list->n * sizeof(list->v[0]));
}

res build_trust(struct build *b, const struct cfg_refs *list, uint32_t *index)
{
    struct snap *s = &b->g->snap;
    uint64_t hash = list_hash(list);
    struct trust *t = NULL;
    const char *name;
    uint32_t step = 0;

    *index = SNAP_NONE;
    if (list->n == 0)
        return OK;
    while ((*index = hix_next(&b->lists, hash, &step)) != HIX_NONE) {
        const struct cfg_refs *l = b->g->trust_lists[*index];

        if (l->n == list->n && memcmp(l->v, list->v, l->n * sizeof(l->v[0])) == 0)
            return s->trusts[*index].trust ? OK : ERR(FAIL);
    }
    if (s->trust_count == b->trust_cap)
        return ERR(NOMEM);
    name = list_name(b, list);
    *index = s->trust_count++;
    b->g->trust_lists[*index] = list;
    hix_put(&b->lists, hash, *index);
    breathe(b);
    if (!name)
        return ERR(NOMEM);
    s->trusts[*index].name = span_str(name);
    s->trusts[*index].key = snap_name_hash(span_str(name)) | 1;
    if (b->in->renew) /* the same sets come in the same order */
        t = trust_ref(b->in->before->snap.trusts[*index].trust);
    else
        TRY(gen_load_trust(b->cfg, list, name, b->report, &t));
    if (b->in->crls) {
        res r =
            crls_equip(b->in->crls, &(struct crls_set){b->cfg, list, name, *index}, b->report, &t);

        if (!IS_OK(r)) {
            trust_unref(t);
            return r;
        }
    }
    s->trusts[*index].trust = shared_trust(b, t);
    return OK;
}

/* A set that nothing uses is read nonetheless: its mistakes are mistakes of the file. */
res build_unused_trusts(struct build *b)
{
    const struct cfg *c = b->cfg;
    bool *used = ARENA_ARRAY(&b->g->arena, bool, c->trust.n + 1);
    res all = OK;

    if (!used)
        return ERR(NOMEM);
    for (uint32_t i = 0; i < b->g->snap.trust_count; i++) {
        for (uint32_t k = 0; k < b->g->trust_lists[i]->n; k++)
            used[b->g->trust_lists[i]->v[k]] = true;
    }
    for (uint32_t i = 0; i < c->trust.n; i++) {
        struct cfg_refs one = {&i, 1};
        struct trust *t = NULL;

        if (!used[i]) {
            res r = gen_load_trust(c, &one, c->trust.v[i].name, b->report, &t);

            if (IS_OK(r))
                trust_unref(t);
            else
                all = r;
        }
    }
    return all;
}

void gen_check_files(const struct cfg *c, int64_t now_s, struct report *report)
{
    for (uint32_t i = 0; i < c->trust.n; i++) {
        struct cfg_refs one = {&i, 1};
        struct trust *t = NULL;
        bool whole = c->trust.v[i].name != NULL;

        for (uint32_t k = 0; k < c->trust.v[i].anchors.n; k++)
            whole &= c->trust.v[i].anchors.v[k] != NULL;
        for (uint32_t k = 0; k < c->trust.v[i].intermediates.n; k++)
            whole &= c->trust.v[i].intermediates.v[k] != NULL;
        for (uint32_t k = 0; k < c->trust.v[i].allow_files.n; k++)
            whole &= c->trust.v[i].allow_files.v[k] != NULL;
        if (whole && IS_OK(gen_load_trust(c, &one, c->trust.v[i].name, report, &t)))
            trust_unref(t);
    }
    for (uint32_t i = 0; i < c->identities.n; i++) {
        const struct cfg_identity *id = &c->identities.v[i];
        struct identity *loaded = NULL;

        if (id->name && id->cert && id->key &&
            IS_OK(load_identity(id, false, false, now_s, report, &loaded)))
            identity_unref(loaded);
    }
}

/* --- TLS contexts --- */

static struct tls_profile *find_profile(const struct hix *h, struct tls_profile *const *v,
                                        const uint8_t *hash)
{
    uint32_t step = 0, i;

    while ((i = hix_next(h, hash_head(hash), &step)) != HIX_NONE) {
        if (memcmp(tls_profile_hash(v[i]), hash, 32) == 0)
            return v[i];
    }
    return NULL;
}

res build_profile(struct build *b, const struct tls_settings *s, const struct cfg_node *at,
                  struct tls_profile **out)
{
    const struct gen *before = b->in->before;
    struct gen *g = b->g;
    struct tls_profile *p = NULL;
    uint8_t hash[32];

    if (!IS_OK(tls_settings_hash(s, hash))) {
        cfg_mistake(b->report, REPORT_ERROR, at, CFG_WHOLE, NULL, "its TLS settings are too long");
        return ERR(FAIL);
    }
    *out = find_profile(&b->profiles, g->profiles, hash);
    if (*out)
        return OK;
    if (g->profile_count == b->profile_cap)
        return ERR(NOMEM);
    if (before && before->snap.cores == b->in->cores)
        p = find_profile(&b->old_profiles, before->profiles, hash);
    if (p)
        (void)tls_profile_ref(p);
    else
        TRY(tls_profile_new(s, b->in->cores, b->report, &p));
    hix_put(&b->profiles, hash_head(hash), g->profile_count);
    g->profiles[g->profile_count++] = p;
    *out = p;
    breathe(b);
    return OK;
}
