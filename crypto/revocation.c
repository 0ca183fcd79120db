#include "crypto/revocation.h"

#include "crypto/pem.h"
#include "crypto/sig.h"
#include "crypto/trust.h"

#include <stdlib.h>

struct pair {
    struct crl *full, *delta; /* of `lists`; no delta: NULL */
};

struct revocation {
    struct revocation_rules rules;
    struct crl **lists; /* references; complete ones and deltas */
    uint32_t n, cap;
    struct pair *pairs; /* what is asked */
    uint32_t pair_count;
    uint8_t id[32];
};

struct loading {
    struct revocation *r;
    const struct trust *signers;
    const char *file;
    int line;
    struct report *report;
};

static bool mistake(const struct loading *l, const char *hint, const char *what)
{
    report_add(l->report, REPORT_ERROR, l->file, l->line, hint, "trust '%s': revocation list: %s",
               trust_name(l->signers), what);
    return false;
}

static bool may_sign(const struct cert *c, const struct crl_view *v)
{
    if ((c->ext & CERT_EXT_KEY_USAGE) && !(c->key_usage & CERT_KU_CRL_SIGN))
        return false;
    return !v->aki.len || !c->ski.len || span_eq(v->aki, c->ski);
}

static bool has_signed(const struct cert *ca, const struct crl_view *v)
{
    struct sig_input in = {v->tbs, v->sig, v->alg.sig, v->alg.hash, v->alg.salt_b};

    return may_sign(ca, v) && sig_check(ca, &in, NULL) == SIG_VALID;
}

/* The CA that signed it; NULL: none did. */
static const struct cert *signer_of(const struct revocation_signers *from, const struct crl_view *v)
{
    if (v->alg.sig == CERT_SIG_OTHER || v->alg.hash == CERT_HASH_MD5 ||
        v->alg.hash == CERT_HASH_SHA1)
        return NULL;
    for (size_t i = 0; i < from->set_count; i++) {
        const struct trust_entry *e;
        uint32_t it = 0;

        while ((e = trust_by_subject(from->sets[i], v->issuer, &it))) {
            if (has_signed(&e->cert, v))
                return &e->cert;
        }
    }
    for (size_t i = 0; i < from->ca_count; i++) {
        if (cert_name_eq(from->cas[i]->subject, v->issuer) && has_signed(from->cas[i], v))
            return from->cas[i];
    }
    return NULL;
}

/* Takes the reference. */
static bool add(struct revocation *r, struct crl *c)
{
    if (r->n == r->cap) {
        uint32_t cap = r->cap ? 2 * r->cap : 8;
        struct crl **more = (struct crl **)realloc(r->lists, cap * sizeof(*more));

        if (!more) {
            crl_unref(c);
            return false;
        }
        r->lists = more;
        r->cap = cap;
    }
    r->lists[r->n++] = c;
    return true;
}

/* ABSENT: no CA of these has signed it. */
static res take(const struct revocation_signers *signers, struct span der, struct sb *why,
                struct crl **out)
{
    const struct cert *signer;
    struct crl_view v;
    const char *wrong;

    if (!IS_OK(crl_parse(der, &v, &wrong))) {
        sb_fmt(why, "not usable: %s", wrong);
        return ERR(INVALID);
    }
    signer = signer_of(signers, &v);
    if (!signer) {
        sb_str(why, "no CA of the set has signed it; its issuer is ");
        cert_name_text(why, v.issuer);
        return ERR(ABSENT);
    }
    if (IS_OK(crl_new(&v, signer, out)))
        return OK;
    sb_str(why, "no memory for it");
    return ERR(NOMEM);
}

static bool add_list(struct loading *l, struct span der)
{
    char text[512];
    struct sb why = sb_of(text, sizeof(text));
    struct crl *c;
    res r = take(&(struct revocation_signers){&l->signers, 1, NULL, 0}, der, &why, &c);

    if (!IS_OK(r))
        return mistake(l,
                       r.code == RES_ABSENT
                           ? "that CA among anchors or intermediates, with the right to sign lists"
                           : NULL,
                       text);
    return add(l->r, c) || mistake(l, NULL, "no memory for it");
}

static bool is_list(const struct pem_block *b)
{
    return b->label.len == 0 || span_eq(b->label, SPAN_LIT("X509 CRL"));
}

static bool load_file(struct loading *l)
{
    struct pem_block *blocks;
    struct arena a;
    size_t n, read = 0;
    bool good;

    arena_init(&a);
    l->line = 0;
    good = IS_OK(pem_load(&a, l->file, l->report, &blocks, &n));
    for (size_t i = 0; good && i < n; i++) {
        l->line = blocks[i].line;
        if (!is_list(&blocks[i]))
            continue;
        good = add_list(l, blocks[i].der);
        read++;
    }
    l->line = 0;
    if (good && read == 0)
        good = mistake(l, "a file of X509 CRL blocks, or one list as DER",
                       "there is none in this file");
    arena_fini(&a);
    return good;
}

/* --- what is asked --- */

/* Deltas are not asked by themselves: each goes with the lists that it is for, the newest wins. */
static bool hang(struct revocation *r, struct crl *delta)
{
    bool hung = false;

    for (uint32_t i = 0; i < r->pair_count; i++) {
        struct pair *p = &r->pairs[i];

        if (!crl_delta_fits(p->full, delta))
            continue;
        hung = true;
        if (!p->delta || crl_older(p->delta, delta))
            p->delta = delta;
    }
    return hung;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* Same lists and rules, same id, in whatever order they came. */
static bool make_id(struct revocation *r)
{
    uint8_t *all = (uint8_t *)malloc((r->n + 1) * 32);

    if (!all)
        return false;
    for (uint32_t i = 0; i < r->n; i++)
        memcpy(all + i * 32, crl_id(r->lists[i]), 32);
    qsort(all, r->n, 32, by_id);
    memset(all + r->n * 32, 0, 32);
    all[r->n * 32] = (uint8_t)(r->rules.check | r->rules.missing_ok << 4 |
                               r->rules.expired_ok << 5 | r->rules.learn << 6);
    sha256(span_of(all, (r->n + 1) * 32), r->id);
    free(all);
    return true;
}

/* *alone: deltas that go with no list. */
static bool finish(struct revocation *r, uint32_t *alone)
{
    *alone = 0;
    r->pairs = (struct pair *)calloc(r->n ? r->n : 1, sizeof(*r->pairs));
    if (!r->pairs)
        return false;
    for (uint32_t i = 0; i < r->n; i++) {
        if (!crl_is_delta(r->lists[i]))
            r->pairs[r->pair_count++].full = r->lists[i];
    }
    for (uint32_t i = 0; i < r->n; i++) {
        if (crl_is_delta(r->lists[i]) && !hang(r, r->lists[i]))
            ++*alone;
    }
    return make_id(r);
}

res revocation_load(const struct trust *signers, const char *const *files, size_t count,
                    const struct revocation_rules *rules, bool more, struct report *report,
                    struct revocation **out)
{
    struct revocation *r = (struct revocation *)calloc(1, sizeof(*r));
    struct loading l = {r, signers, NULL, 0, report};
    uint32_t alone = 0;
    bool good = true;

    if (!r)
        return ERR(NOMEM);
    r->rules = *rules;
    for (size_t i = 0; i < count; i++) {
        l.file = files[i];
        good &= load_file(&l);
    }
    if (good && !finish(r, &alone))
        good = mistake(&l, NULL, "no memory for it");
    if (good && alone && !more)
        good = mistake(&l, "the complete list, not older than the delta's base",
                       "a delta without its list");
    if (!good) {
        revocation_free(r);
        return ERR(FAIL);
    }
    *out = r;
    return OK;
}

res revocation_with(const struct revocation *r, struct crl *const *lists, size_t count,
                    struct revocation **out)
{
    struct revocation *w = (struct revocation *)calloc(1, sizeof(*w));
    uint32_t alone;
    bool good = w != NULL;

    if (!w)
        return ERR(NOMEM);
    w->rules = r->rules;
    for (uint32_t i = 0; i < r->n && good; i++)
        good = add(w, crl_ref(r->lists[i]));
    for (size_t i = 0; i < count && good; i++)
        good = add(w, crl_ref(lists[i]));
    if (!good || !finish(w, &alone)) {
        revocation_free(w);
        return ERR(NOMEM);
    }
    *out = w;
    return OK;
}

static res read_blocks(const struct revocation_signers *signers, const struct pem_block *blocks,
                       size_t n, struct sb *why, struct crl **lists, size_t max, size_t *count)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_list(&blocks[i]))
            continue;
        if (*count == max) {
            sb_fmt(why, "more than %zu lists in one answer", max);
            return ERR(INVALID);
        }
        if (!IS_OK(take(signers, blocks[i].der, why, &lists[*count])))
            return ERR(INVALID);
        ++*count;
    }
    if (*count)
        return OK;
    sb_str(why, "there is no list in it");
    return ERR(INVALID);
}

res revocation_read(const struct revocation_signers *signers, struct span text, struct sb *why,
                    struct crl **lists, size_t max, size_t *count)
{
    DEFER(report_free_p) struct report *report = report_new();
    struct pem_block *blocks;
    struct arena a;
    size_t n;
    res r = ERR(INVALID);

    *count = 0;
    if (!report)
        return ERR(NOMEM);
    arena_init(&a);
    if (IS_OK(pem_parse(&a, "answer", text, report, &blocks, &n)))
        r = read_blocks(signers, blocks, n, why, lists, max, count);
    else
        sb_str(why, "neither DER nor PEM");
    while (!IS_OK(r) && *count)
        crl_unref(lists[--*count]);
    arena_fini(&a);
    return r;
}

void revocation_free(struct revocation *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n; i++)
        crl_unref(r->lists[i]);
    free(r->lists);
    free(r->pairs);
    free(r);
}

const struct revocation_rules *revocation_rules(const struct revocation *r)
{
    return &r->rules;
}

const uint8_t *revocation_id(const struct revocation *r)
{
    return r->id;
}

uint32_t revocation_lists(const struct revocation *r)
{
    return r->pair_count;
}

uint64_t revocation_serials(const struct revocation *r)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < r->n; i++)
        n += crl_count(r->lists[i]);
    return n;
}

/* On any list that covers it: revoked. Else the freshest list speaks. */
void revocation_ask(const struct revocation *r, const struct cert *issuer, const struct cert *cert,
                    int64_t now_s, struct revocation_answer *out)
{
    *out = (struct revocation_answer){CRL_NO_LIST, 0, INT64_MAX};
    for (uint32_t i = 0; i < r->pair_count && out->what != CRL_REVOKED; i++) {
        const struct pair *p = &r->pairs[i];
        const struct crl *newest = p->delta ? p->delta : p->full;
        enum crl_answer a;

        if (!crl_covers(p->full, issuer, cert))
            continue;
        a = crl_ask(p->full, p->delta, cert, now_s);
        if (a == CRL_REVOKED || out->what == CRL_NO_LIST ||
            (a == CRL_GOOD && out->what == CRL_STALE) ||
            (a == out->what && crl_this_s(newest) > out->this_s))
            *out = (struct revocation_answer){a, crl_this_s(newest), crl_next_s(newest)};
    }
}
