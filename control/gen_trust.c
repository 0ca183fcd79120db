#include "control/gen_parts.h"

#include <stdlib.h>

res gen_load_trust(const struct cfg *c, const struct cfg_refs *list, const char *name,
                   struct report *report, struct trust **out)
{
    struct trust_source src = {.name = name,
                               .partial_chain = c->trust.v[list->v[0]].partial_chain,
                               .anchor_expiry = c->trust.v[list->v[0]].anchor_expiry};
    size_t anchors = 0, others = 0;
    const char **files;
    res r;

    for (uint32_t i = 0; i < list->n; i++) {
        anchors += c->trust.v[list->v[i]].anchors.n;
        others += c->trust.v[list->v[i]].intermediates.n;
    }
    files = (const char **)calloc(anchors + others + 1, sizeof(*files));
    if (!files)
        return ERR(NOMEM);
    src.anchor_files = files;
    src.intermediate_files = files + anchors;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct cfg_trust *t = &c->trust.v[list->v[i]];

        for (uint32_t k = 0; k < t->anchors.n; k++)
            files[src.anchor_count++] = t->anchors.v[k];
        for (uint32_t k = 0; k < t->intermediates.n; k++)
            files[anchors + src.intermediate_count++] = t->intermediates.v[k];
    }
    r = trust_load(&src, report, out);
    free(files);
    return r;
}
