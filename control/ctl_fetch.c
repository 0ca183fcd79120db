/* How lists and OCSP responses are fetched: `fetch` of the configuration. */
#include "control/ctl.h"
#include "crypto/pem.h"

#include <stdlib.h>

res ctl_fetch_check(const struct cfg *cfg, struct report *report)
{
    const struct cfg_fetch *f = cfg->fetch;
    struct pem_block *blocks;
    struct arena a;
    size_t n = 0, certs = 0;
    res r = OK;

    if (!f->ca)
        return OK;
    arena_init(&a);
    r = pem_load(&a, f->ca, report, &blocks, &n);
    for (size_t i = 0; IS_OK(r) && i < n; i++)
        certs += span_eq(blocks[i].label, SPAN_LIT("CERTIFICATE")) ||
                 span_eq(blocks[i].label, SPAN_LIT("TRUSTED CERTIFICATE"));
    if (IS_OK(r) && certs == 0) {
        report_add(report, REPORT_ERROR, f->ca, 0, "a file of CA certificates, PEM",
                   "fetch.ca: there is no certificate in PEM in it");
        r = ERR(FAIL);
    }
    arena_fini(&a);
    return r;
}

/* One text with commas, as libcurl has it. */
static res join(const struct cfg_texts *list, char **out)
{
    struct sb s;
    size_t room = 1;

    *out = NULL;
    if (list->n == 0)
        return OK;
    for (uint32_t i = 0; i < list->n; i++)
        room += strlen(list->v[i]) + 1;
    *out = (char *)malloc(room);
    if (!*out)
        return ERR(NOMEM);
    s = sb_of(*out, room);
    for (uint32_t i = 0; i < list->n; i++) {
        sb_str(&s, i ? "," : "");
        sb_str(&s, list->v[i]);
    }
    return OK;
}

res ctl_fetch_use(struct ctl *c, const struct cfg *cfg)
{
    char *direct;
    res r;

    TRY(join(&cfg->fetch->direct, &direct));
    r = fetch_use(c->fetch, cfg->fetch->ca, cfg->fetch->proxy, direct);
    free(direct);
    return r;
}
