#include "control/gen_parts.h"

#include <stdlib.h>

struct files {
    const char **v;
    size_t n;
};

static void add_all(struct files *f, const struct cfg_texts *texts)
{
    for (uint32_t i = 0; i < texts->n; i++)
        f->v[f->n++] = texts->v[i];
}

res gen_load_trust(const struct cfg *c, const struct cfg_refs *list, const char *name,
                   struct report *report, struct trust **out)
{
    const struct cfg_trust *first = &c->trust.v[list->v[0]]; /* the others agree with it */
    struct files anchors = {0}, others = {0}, lists = {0};
    size_t total = 0;
    res r = ERR(NOMEM);

    for (uint32_t i = 0; i < list->n; i++) {
        const struct cfg_trust *t = &c->trust.v[list->v[i]];

        total += (size_t)t->anchors.n + t->intermediates.n + t->crl.n;
    }
    anchors.v = (const char **)calloc(3 * total + 1, sizeof(char *));
    if (!anchors.v)
        return r;
    others.v = anchors.v + total;
    lists.v = others.v + total;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct cfg_trust *t = &c->trust.v[list->v[i]];

        add_all(&anchors, &t->anchors);
        add_all(&others, &t->intermediates);
        add_all(&lists, &t->crl);
    }
    r = trust_load(&(struct trust_source){.name = name,
                                          .anchor_files = anchors.v,
                                          .anchor_count = anchors.n,
                                          .intermediate_files = others.v,
                                          .intermediate_count = others.n,
                                          .partial_chain = first->partial_chain,
                                          .anchor_expiry = first->anchor_expiry,
                                          .crl_files = lists.v,
                                          .crl_count = lists.n,
                                          .crl_rules = {(enum crl_check)first->crl_check,
                                                        first->crl_missing == CFG_CRL_ALLOW,
                                                        first->crl_expired == CFG_CRL_ALLOW}},
                   report, out);
    free(anchors.v);
    return r;
}
