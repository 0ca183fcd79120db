#include "crypto/revocation.h"

#include "crypto/pem.h"
#include "crypto/sig.h"
#include "crypto/trust.h"

#include <stdlib.h>

struct revocation {
    struct revocation_rules rules;
    struct crl **lists;
    uint32_t n, cap;
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

/* The CA of the set that signed it; NULL: none did. */
static const struct cert *signer_of(const struct trust *signers, const struct crl_view *v)
{
    struct sig_input in = {v->tbs, v->sig, v->alg.sig, v->alg.hash, v->alg.salt_b};
    const struct trust_entry *e;
    uint32_t it = 0;

    if (v->alg.sig == CERT_SIG_OTHER || v->alg.hash == CERT_HASH_MD5 ||
        v->alg.hash == CERT_HASH_SHA1)
        return NULL;
    while ((e = trust_by_subject(signers, v->issuer, &it))) {
        if (may_sign(&e->cert, v) && sig_check(&e->cert, &in, NULL) == SIG_VALID)
            return &e->cert;
    }
    return NULL;
}

static bool add(struct revocation *r, struct crl *c)
{
    if (r->n == r->cap) {
        uint32_t cap = r->cap ? 2 * r->cap : 8;
        struct crl **more = (struct crl **)realloc(r->lists, cap * sizeof(*more));

        if (!more)
            return false;
        r->lists = more;
        r->cap = cap;
    }
    r->lists[r->n++] = c;
    return true;
}

static bool add_list(struct loading *l, struct span der)
{
    const struct cert *signer;
    struct crl_view v;
    struct crl *c;
    const char *why;
    uint8_t both[64];

    if (!IS_OK(crl_parse(der, &v, &why)))
        return mistake(l, NULL, why);
    signer = signer_of(l->signers, &v);
    if (!signer) {
        char text[512];
        struct sb s = sb_of(text, sizeof(text));

        sb_str(&s, "no CA of the set has signed it; its issuer is ");
        cert_name_text(&s, v.issuer);
        return mistake(l, "that CA among anchors or intermediates, with the right to sign lists",
                       text);
    }
    if (!IS_OK(crl_new(&v, signer, &c)))
        return mistake(l, NULL, "no memory for it");
    if (!add(l->r, c)) {
        crl_free(c);
        return mistake(l, NULL, "no memory for it");
    }
    memcpy(both, l->r->id, 32);
    sha256(der, both + 32);
    sha256(span_of(both, sizeof(both)), l->r->id);
    return true;
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
        if (blocks[i].label.len && !span_eq(blocks[i].label, SPAN_LIT("X509 CRL")))
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

/* Deltas are not asked by themselves: each hangs on the list that it is for. */
static bool hang_deltas(struct loading *l)
{
    struct revocation *r = l->r;
    uint32_t kept = 0;
    bool good = true;

    for (uint32_t i = 0; i < r->n; i++) {
        struct crl *d = r->lists[i];
        bool hung = false;

        if (!crl_is_delta(d))
            continue;
        for (uint32_t k = 0; k < r->n && !hung; k++)
            hung = r->lists[k] && crl_attach(r->lists[k], d);
        if (!hung) {
            good = mistake(l, "the complete list, not older than the delta's base",
                           "a delta without its list");
            crl_free(d);
        }
        r->lists[i] = NULL;
    }
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->lists[i])
            r->lists[kept++] = r->lists[i];
    }
    r->n = kept;
    return good;
}

res revocation_load(const struct trust *signers, const char *const *files, size_t count,
                    const struct revocation_rules *rules, struct report *report,
                    struct revocation **out)
{
    struct revocation *r = (struct revocation *)calloc(1, sizeof(*r));
    struct loading l = {r, signers, NULL, 0, report};
    bool good = r != NULL;

    if (!r)
        return ERR(NOMEM);
    r->rules = *rules;
    for (size_t i = 0; i < count; i++) {
        l.file = files[i];
        good &= load_file(&l);
    }
    good = good && hang_deltas(&l);
    if (!good) {
        revocation_free(r);
        return ERR(FAIL);
    }
    r->id[0] ^= (uint8_t)(rules->check | rules->missing_ok << 4 | rules->expired_ok << 5);
    *out = r;
    return OK;
}

void revocation_free(struct revocation *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n; i++)
        crl_free(r->lists[i]);
    free(r->lists);
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
    return r->n;
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
    for (uint32_t i = 0; i < r->n && out->what != CRL_REVOKED; i++) {
        const struct crl *c = r->lists[i];
        enum crl_answer a;

        if (!crl_covers(c, issuer, cert))
            continue;
        a = crl_ask(c, cert, now_s);
        if (a == CRL_REVOKED || out->what == CRL_NO_LIST ||
            (a == CRL_GOOD && out->what == CRL_STALE) ||
            (a == out->what && crl_this_s(c) > out->this_s))
            *out = (struct revocation_answer){a, crl_this_s(c), crl_next_s(c)};
    }
}
