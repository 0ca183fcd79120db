#include "crypto/ca_names.h"

#include "base/bytes.h"
#include "crypto/pem.h"

static bool known(const struct ca_names *n, struct span name)
{
    struct rd c = rd_of(span_of(n->v, n->len));

    while (rd_left(&c)) {
        if (span_eq(rd_vec16(&c), name))
            return true;
    }
    return false;
}

void ca_names_add(struct ca_names *n, struct span name)
{
    if (known(n, name))
        return;
    if (name.len + 2 > CA_NAMES_MAX_B - n->len) {
        n->full = true;
        return;
    }
    n->v[n->len] = (uint8_t)(name.len >> 8);
    n->v[n->len + 1] = (uint8_t)name.len;
    memcpy(n->v + n->len + 2, name.p, name.len);
    n->len += (uint32_t)name.len + 2;
    n->count++;
}

void ca_names_add_trust(struct ca_names *n, const struct trust *t)
{
    for (uint32_t i = 0; i < trust_entry_count(t) && !n->full; i++) {
        const struct trust_entry *e = trust_entry_at(t, i);

        if (e->anchor)
            ca_names_add(n, e->cert.subject);
    }
}

static bool add_file(struct ca_names *n, const char *file, struct report *report)
{
    struct pem_block *blocks;
    struct arena a;
    size_t count = 0;
    bool ok;

    arena_init(&a);
    ok = IS_OK(pem_load(&a, file, report, &blocks, &count));
    for (size_t i = 0; ok && i < count; i++) {
        struct cert c;
        const char *why;

        ok = IS_OK(cert_parse(blocks[i].der, &c, &why));
        if (ok)
            ca_names_add(n, c.subject);
        else
            report_add(report, REPORT_ERROR, file, blocks[i].line, NULL, "not a certificate: %s",
                       why);
    }
    arena_fini(&a);
    return ok;
}

res ca_names_add_files(struct ca_names *n, const char *const *files, size_t count,
                       struct report *report)
{
    bool ok = true;

    for (size_t i = 0; i < count; i++)
        ok &= add_file(n, files[i], report);
    return ok ? OK : ERR(FAIL);
}
