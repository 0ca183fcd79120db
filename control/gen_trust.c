#include "control/gen_parts.h"

#include <stdlib.h>

_Static_assert((int)CFG_OCSP_CHAIN == (int)OCSP_CHECK_CHAIN &&
                   (int)CFG_OCSP_HOLD == (int)OCSP_FIRST_HOLD,
               "the words of trust.ocsp and ocsp_first stand in this order");

struct files {
    const char **v;
    size_t n;
};

static void add_all(struct files *f, const struct cfg_texts *texts)
{
    for (uint32_t i = 0; i < texts->n; i++)
        f->v[f->n++] = texts->v[i];
}

/* A set without anchors trusts whom it lists by themselves; with anchors its lists narrow it down. */
struct lists {
    struct files certs, spkis, files;
};

static void add_allowed(struct lists *l, const struct cfg_trust *t)
{
    add_all(&l->certs, &t->allow_fingerprints);
    add_all(&l->spkis, &t->allow_spki);
    add_all(&l->files, &t->allow_files);
}

static struct allow_source source_of(const struct lists *l)
{
    return (struct allow_source){.certs = l->certs.v,
                                 .cert_count = l->certs.n,
                                 .spkis = l->spkis.v,
                                 .spki_count = l->spkis.n,
                                 .files = l->files.v,
                                 .file_count = l->files.n};
}

#define ROOMS 9

/* How many texts a list of sets has at most in any of its keys. */
static size_t most(const struct cfg *c, const struct cfg_refs *list)
{
    size_t n = 1;

    for (uint32_t i = 0; i < list->n; i++) {
        const struct cfg_trust *t = &c->trust.v[list->v[i]];

        n += (size_t)t->anchors.n + t->intermediates.n + t->crl.n + t->allow_fingerprints.n +
             t->allow_spki.n + t->allow_files.n;
    }
    return n;
}

static struct ocsp_policy ocsp_of(const struct cfg_trust *t)
{
    return (struct ocsp_policy){.check = (enum ocsp_check)t->ocsp,
                                .first = (enum ocsp_first)t->ocsp_first,
                                .fail_ok = t->ocsp_fail == CFG_CRL_ALLOW,
                                .nonce = t->ocsp_nonce,
                                .timeout_ms = t->ocsp_timeout_ms,
                                .refresh_s = t->ocsp_refresh_ms / 1000,
                                .url = t->ocsp_url};
}

res gen_load_trust(const struct cfg *c, const struct cfg_refs *list, const char *name,
                   struct report *report, struct trust **out)
{
    const struct cfg_trust *first = &c->trust.v[list->v[0]]; /* the others agree with it */
    struct files anchors = {0}, others = {0}, crls = {0};
    struct lists narrow = {0}, direct = {0};
    struct files *const all[ROOMS] = {&anchors,      &others,       &crls,
                                      &narrow.certs, &narrow.spkis, &narrow.files,
                                      &direct.certs, &direct.spkis, &direct.files};
    size_t room = most(c, list);
    bool later = false, learn = false;
    const char **texts = (const char **)calloc(ROOMS * room, sizeof(char *));
    res r;

    if (!texts)
        return ERR(NOMEM);
    for (size_t i = 0; i < ROOMS; i++)
        all[i]->v = texts + i * room;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct cfg_trust *t = &c->trust.v[list->v[i]];

        add_all(&anchors, &t->anchors);
        add_all(&others, &t->intermediates);
        add_all(&crls, &t->crl);
        add_allowed(t->anchors.n ? &narrow : &direct, t);
        later |= t->crl_url.n > 0 || t->crl_from_cdp || t->crl_learn;
        learn |= t->crl_learn;
    }
    r = trust_load(&(struct trust_source){.name = name,
                                          .anchor_files = anchors.v,
                                          .anchor_count = anchors.n,
                                          .intermediate_files = others.v,
                                          .intermediate_count = others.n,
                                          .partial_chain = first->partial_chain,
                                          .anchor_expiry = first->anchor_expiry,
                                          .crl_files = crls.v,
                                          .crl_count = crls.n,
                                          .ocsp = ocsp_of(first),
                                          .crl_later = later,
                                          .crl_rules = {(enum crl_check)first->crl_check,
                                                        first->crl_missing == CFG_CRL_ALLOW,
                                                        first->crl_expired == CFG_CRL_ALLOW, learn},
                                          .narrow = source_of(&narrow),
                                          .direct = source_of(&direct)},
                   report, out);
    free(texts);
    return r;
}
