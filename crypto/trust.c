#include "crypto/trust.h"

#include "base/must.h"
#include "crypto/der.h"
#include "crypto/name.h"
#include "crypto/pem.h"
#include "crypto/sig.h"

#include <stdlib.h>

struct trust {
    uint32_t refs; /* control side */
    struct arena arena;
    const char *name;
    struct trust_entry *entries;
    uint32_t count, cap, anchors;
    uint32_t *heads; /* by subject's name hash: index + 1 */
    uint32_t *links; /* next with the same slot */
    uint32_t mask;
    bool partial_chain, anchor_expiry;
    struct ocsp_policy ocsp;
    uint8_t id[32], plain_id[32];  /* with and without the revocation lists */
    struct revocation *revocation; /* may be NULL */
    struct trust *base;            /* owns all but the revocation; NULL: this one does itself */
    struct allow *narrow, *direct; /* may be NULL */
};

/* --- building --- */

static struct trust *trust_begin(const char *name, bool partial_chain, bool anchor_expiry)
{
    struct trust *t = (struct trust *)calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->refs = 1;
    arena_init(&t->arena);
    t->name = arena_text(&t->arena, span_str(name));
    t->partial_chain = partial_chain;
    t->anchor_expiry = anchor_expiry;
    return t;
}

static void trust_destroy(struct trust *t)
{
    if (t->base) {
        revocation_free(t->revocation);
        trust_unref(t->base);
        free(t);
        return;
    }
    arena_fini(&t->arena);
    revocation_free(t->revocation);
    allow_free(t->narrow);
    allow_free(t->direct);
    free(t->entries);
    free(t->heads);
    free(t->links);
    free(t);
}

static bool grow(struct trust *t)
{
    uint32_t cap = t->cap ? 2 * t->cap : 16;
    struct trust_entry *e = (struct trust_entry *)realloc(t->entries, cap * sizeof(*e));

    if (!e)
        return false;
    t->entries = e;
    t->cap = cap;
    return true;
}

/* The same certificate twice counts once; being an anchor wins. */
static bool known_already(struct trust *t, const uint8_t sha[32], bool anchor)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (memcmp(t->entries[i].sha256, sha, 32) != 0)
            continue;
        if (anchor && !t->entries[i].anchor) {
            t->entries[i].anchor = true;
            t->anchors++;
        }
        return true;
    }
    return false;
}

/* Better told when it is loaded than by each verdict. */
static void warn_anchor(const struct trust *t, const struct cert *c, const char *file, int line,
                        struct report *report)
{
    char text[64];
    struct sb s = sb_of(text, sizeof(text));

    if (!(c->ext & CERT_EXT_UNKNOWN_CRITICAL))
        return;
    der_oid_text(&s, c->unknown_critical_oid);
    report_add(report, REPORT_WARN, file, line, NULL,
               "trust '%s': the anchor's critical extension %s is not known here: no chain to it "
               "will be good",
               t->name, text);
}

static res trust_add(struct trust *t, struct span der, bool anchor, const char *file, int line,
                     struct report *report)
{
    struct trust_entry e;
    const char *why;
    uint8_t sha[32];

    sha256(der, sha);
    if (known_already(t, sha, anchor))
        return OK;
    memset(&e, 0, sizeof(e));
    der = arena_copy(&t->arena, der);
    if (!der.p || (t->count == t->cap && !grow(t)))
        return ERR(NOMEM);
    if (!IS_OK(cert_parse(der, &e.cert, &why))) {
        report_add(report, REPORT_ERROR, file, line, NULL, "trust '%s': not a certificate: %s",
                   t->name, why);
        return ERR(INVALID);
    }
    if (!anchor && !e.cert.is_ca)
        report_add(report, REPORT_WARN, file, line, NULL,
                   "trust '%s': an intermediate that is no CA will never be used", t->name);
    if (anchor)
        warn_anchor(t, &e.cert, file, line, report);
    e.anchor = anchor;
    e.index = t->count;
    memcpy(e.sha256, sha, 32);
    e.name_hash = name_hash(e.cert.subject);
    t->entries[t->count++] = e;
    t->anchors += anchor;
    return OK;
}

static int by_sha(const void *a, const void *b)
{
    return memcmp(((const struct trust_entry *)a)->sha256, ((const struct trust_entry *)b)->sha256,
                  32);
}

/* What a verdict can hang on: the certificates, whatever their order in the files. */
static bool make_id(struct trust *t)
{
    size_t each = 33, len = t->count * each + 2;
    uint8_t *all = (uint8_t *)malloc(len);

    if (!all)
        return false;
    if (t->count)
        qsort(t->entries, t->count, sizeof(t->entries[0]), by_sha);
    for (uint32_t i = 0; i < t->count; i++) {
        t->entries[i].index = i;
        memcpy(all + i * each, t->entries[i].sha256, 32);
        all[i * each + 32] = t->entries[i].anchor;
    }
    all[len - 2] = t->partial_chain;
    all[len - 1] = t->anchor_expiry;
    sha256(span_of(all, len), t->id);
    free(all);
    return true;
}

static bool make_index(struct trust *t)
{
    uint32_t slots = 16;

    while (slots < 2 * t->count)
        slots *= 2;
    t->mask = slots - 1;
    t->heads = (uint32_t *)calloc(slots, sizeof(uint32_t));
    t->links = (uint32_t *)calloc(t->count ? t->count : 1, sizeof(uint32_t));
    if (!t->heads || !t->links)
        return false;
    for (uint32_t i = t->count; i-- > 0;) { /* chains in ascending order */
        uint32_t *head = &t->heads[t->entries[i].name_hash & t->mask];

        t->links[i] = *head;
        *head = i + 1;
    }
    return true;
}

static res finish(struct trust *t, struct report *report, bool ok, struct trust **out)
{
    if (ok && t->anchors == 0 && !t->direct) { /* not possible with files */
        report_add(report, REPORT_ERROR, NULL, 0, NULL, "trust '%s': no anchor", t->name);
        ok = false;
    }
    if (!ok || !make_id(t) || !make_index(t)) {
        trust_destroy(t);
        return ERR(FAIL);
    }
    *out = t;
    return OK;
}

static bool add_file(struct trust *t, const char *file, bool anchor, struct report *report)
{
    struct pem_block *blocks;
    struct arena a;
    size_t n, read = 0;
    bool ok;

    arena_init(&a);
    ok = IS_OK(pem_load(&a, file, report, &blocks, &n));
    for (size_t i = 0; ok && i < n; i++) {
        struct span label = blocks[i].label;

        if (label.len && !span_eq(label, SPAN_LIT("CERTIFICATE")) &&
            !span_eq(label, SPAN_LIT("X509 CERTIFICATE")) &&
            !span_eq(label, SPAN_LIT("TRUSTED CERTIFICATE"))) {
            report_add(report, REPORT_WARN, file, blocks[i].line, NULL,
                       "trust '%s': a %.*s is skipped", t->name, (int)label.len,
                       (const char *)label.p);
            continue;
        }
        ok = IS_OK(trust_add(t, blocks[i].der, anchor, file, blocks[i].line, report));
        read++;
    }
    if (ok && read == 0) {
        report_add(report, REPORT_ERROR, file, 0, "a file of CA certificates, PEM or DER",
                   "trust '%s': there is no certificate in it", t->name);
        ok = false;
    }
    arena_fini(&a);
    return ok;
}

static void add_revocation(struct trust *t, struct revocation *r)
{
    uint8_t both[64];

    t->revocation = r;
    memcpy(both, t->plain_id, 32);
    memcpy(both + 32, revocation_id(r), 32);
    sha256(span_of(both, sizeof(both)), t->id);
}

/* How it is asked counts, too: a set that is the same is shared with the generation before. */
static bool add_ocsp(struct trust *t, const struct ocsp_policy *o)
{
    char text[64 + 2048];
    struct sb s = sb_of(text, sizeof(text));
    uint8_t both[64];

    if (o->check == OCSP_CHECK_OFF)
        return true;
    t->ocsp = *o;
    if (o->url)
        t->ocsp.url = arena_text(&t->arena, span_str(o->url));
    sb_fmt(&s, "%d|%d|%d|%d|%u|%u|%s", o->check, o->first, o->fail_ok, o->nonce, o->timeout_ms,
           o->refresh_s, o->url ? o->url : "");
    memcpy(both, t->id, 32);
    sha256(sb_span(&s), both + 32);
    sha256(span_of(both, sizeof(both)), t->id);
    return !s.cut && (!o->url || t->ocsp.url);
}

/* Both lists are part of what verdicts stand on. */
static void add_lists_to_id(struct trust *t)
{
    uint8_t all[3 * 32] = {0};

    if (!t->narrow && !t->direct)
        return;
    memcpy(all, t->id, 32);
    if (t->narrow)
        memcpy(all + 32, allow_id(t->narrow), 32);
    if (t->direct)
        memcpy(all + 64, allow_id(t->direct), 32);
    sha256(span_of(all, sizeof(all)), t->id);
}

res trust_load(const struct trust_source *src, struct report *report, struct trust **out)
{
    struct trust *t = trust_begin(src->name, src->partial_chain, src->anchor_expiry);
    bool ok = true;
    res r;

    if (!t)
        return ERR(NOMEM);
    for (size_t i = 0; i < src->anchor_count; i++)
        ok &= add_file(t, src->anchor_files[i], true, report);
    for (size_t i = 0; i < src->intermediate_count; i++)
        ok &= add_file(t, src->intermediate_files[i], false, report);
    ok &= IS_OK(allow_load(src->name, &src->narrow, report, &t->narrow));
    ok &= IS_OK(allow_load(src->name, &src->direct, report, &t->direct));
    TRY(finish(t, report, ok, &t));
    add_lists_to_id(t);
    if (!add_ocsp(t, &src->ocsp)) {
        trust_destroy(t);
        return ERR(NOMEM);
    }
    memcpy(t->plain_id, t->id, 32);
    if ((src->crl_count || src->crl_later) && src->crl_rules.check != CRL_CHECK_NONE) {
        struct revocation *lists;

        r = revocation_load(t, src->crl_files, src->crl_count, &src->crl_rules, src->crl_later,
                            report, &lists);
        if (!IS_OK(r)) {
            trust_destroy(t);
            return r;
        }
        add_revocation(t, lists);
    }
    *out = t;
    return OK;
}

res trust_from_der(const char *name, const struct span *anchors, size_t anchor_count,
                   const struct span *intermediates, size_t intermediate_count, bool partial_chain,
                   struct report *report, struct trust **out)
{
    struct trust *t = trust_begin(name, partial_chain, false);
    bool ok = true;

    if (!t)
        return ERR(NOMEM);
    for (size_t i = 0; ok && i < anchor_count; i++)
        ok = IS_OK(trust_add(t, anchors[i], true, NULL, 0, report));
    for (size_t i = 0; ok && i < intermediate_count; i++)
        ok = IS_OK(trust_add(t, intermediates[i], false, NULL, 0, report));
    return finish(t, report, ok, out);
}

static bool is_signer(const struct trust *t, const struct cert *const *cas, size_t ca_count,
                      const struct crl *c)
{
    const struct trust_entry *e;
    uint32_t it = 0;

    while ((e = trust_by_subject(t, crl_issuer(c), &it))) {
        if (crl_signed_by(c, &e->cert))
            return true;
    }
    for (size_t i = 0; i < ca_count; i++) {
        if (crl_signed_by(c, cas[i]))
            return true;
    }
    return false;
}

res trust_with_lists(struct trust *t, struct crl *const *lists, size_t count,
                     const struct cert *const *cas, size_t ca_count, struct trust **out)
{
    struct trust *base = t->base ? t->base : t, *with;
    struct crl **ours;
    struct revocation *r;
    size_t n = 0;
    res made;

    ours = (struct crl **)calloc(count ? count : 1, sizeof(struct crl *));
    with = (struct trust *)malloc(sizeof(*with));
    for (size_t i = 0; ours && base->revocation && i < count; i++) {
        if (is_signer(base, cas, ca_count, lists[i]))
            ours[n++] = lists[i];
    }
    made = !ours || !with ? ERR(NOMEM) : n ? revocation_with(base->revocation, ours, n, &r) : OK;
    free(ours);
    if (!IS_OK(made) || n == 0) {
        free(with);
        *out = IS_OK(made) ? trust_ref(base) : NULL;
        return made;
    }
    *with = *base;
    with->refs = 1;
    with->base = trust_ref(base);
    add_revocation(with, r);
    *out = with;
    return OK;
}

struct trust *trust_ref(struct trust *t)
{
    t->refs++;
    return t;
}

void trust_unref(struct trust *t)
{
    if (t && --t->refs == 0)
        trust_destroy(t);
}

/* --- reading --- */

const char *trust_name(const struct trust *t)
{
    return t->name;
}

const uint8_t *trust_id(const struct trust *t)
{
    return t->id;
}

bool trust_partial_chain(const struct trust *t)
{
    return t->partial_chain;
}

bool trust_anchor_expiry(const struct trust *t)
{
    return t->anchor_expiry;
}

const struct revocation *trust_revocation(const struct trust *t)
{
    return t->revocation;
}

bool trust_learns(const struct trust *t)
{
    return t->revocation && revocation_rules(t->revocation)->learn;
}

const struct ocsp_policy *trust_ocsp(const struct trust *t)
{
    return &t->ocsp;
}

const struct allow *trust_narrow(const struct trust *t)
{
    return t->narrow;
}

const struct allow *trust_direct(const struct trust *t)
{
    return t->direct;
}

uint32_t trust_anchor_count(const struct trust *t)
{
    return t->anchors;
}

uint32_t trust_entry_count(const struct trust *t)
{
    return t->count;
}

const struct trust_entry *trust_entry_at(const struct trust *t, uint32_t index)
{
    return index < t->count ? &t->entries[index] : NULL;
}

const struct trust_entry *trust_by_subject(const struct trust *t, struct span name, uint32_t *it)
{
    uint64_t h = name_hash(name);
    uint32_t i = *it ? t->links[*it - 1] : t->heads[h & t->mask];

    for (; i; i = t->links[i - 1]) {
        const struct trust_entry *e = &t->entries[i - 1];

        if (e->name_hash == h && cert_name_eq(e->cert.subject, name)) {
            *it = i;
            return e;
        }
    }
    return NULL;
}

const struct trust_entry *trust_anchor_with(const struct trust *t, struct span der)
{
    uint8_t sha[32];
    uint32_t lo = 0, hi = t->count;

    sha256(der, sha);
    while (lo < hi) { /* entries are sorted by hash */
        uint32_t mid = (lo + hi) / 2;
        int c = memcmp(t->entries[mid].sha256, sha, 32);

        if (c == 0)
            return t->entries[mid].anchor ? &t->entries[mid] : NULL;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}
