#include "crypto/verdict.h"

#include "crypto/path.h"
#include "crypto/sig.h"

#define VISITS_MAX 1024u /* candidates looked at */
#define PATHS_MAX  32u   /* complete paths judged */

static const struct {
    const char *name, *text;
    uint8_t alert;
} codes[VERDICT_CODE_COUNT] = {
#define X(sym, name, alert, text) {name, text, alert},
    VERDICT_CODES(X)
#undef X
};

const char *verdict_name(enum verdict_code code)
{
    return codes[code].name;
}

const char *verdict_text(enum verdict_code code)
{
    return codes[code].text;
}

uint8_t verdict_alert(enum verdict_code code)
{
    return codes[code].alert;
}

struct search {
    const struct verdict_input *in;
    struct verdict *out;
    struct path path;
    int16_t ref[VERDICT_PATH_MAX]; /* as verdict.path */
    uint32_t visits, paths, work;
    uint32_t target; /* issuers above the leaf that are tried for now */
    bool deeper;     /* there are longer candidates */
    uint32_t best;   /* how good the best failure so far is: 0 none, 1 incomplete, 2 complete */
    struct path_crl lists;
    struct path_ocsp ocsp;
};

/* --- a complete path, anchor last --- */

static bool fail(struct path_error *e, enum verdict_code code, uint32_t depth)
{
    *e = (struct path_error){code, (uint8_t)depth};
    return false;
}

static bool anchor_exempt(const struct search *s, uint32_t i)
{
    return i == s->path.n - 1;
}

static bool structure_ok(const struct search *s, struct path_error *e)
{
    const struct path *p = &s->path;
    uint32_t below = 0; /* non-self-issued CAs below: RFC 5280 6.1.4 (l), (m) */

    for (uint32_t i = 0; i < p->n; i++) {
        const struct cert *c = p->cert[i];
        enum verdict_code code = anchor_exempt(s, i) ? path_cert_extensions(c) : path_cert_form(c);

        if (code == VERDICT_OK && i == 0)
            code = path_cert_leaf_usage(c, s->in->purpose);
        if (code == VERDICT_OK && i) {
            /* A version 1 root says nothing of itself; as an anchor it is what the operator says it is. */
            code = anchor_exempt(s, i) && c->version < 3 ? VERDICT_OK : path_cert_ca_usage(c);
            if (code == VERDICT_OK && !path_cert_eku_ok(c, s->in->purpose))
                code = VERDICT_PURPOSE;
            if (code == VERDICT_OK && c->path_len >= 0 && below > (uint32_t)c->path_len)
                code = VERDICT_PATH_LENGTH;
            if (!cert_self_issued(c))
                below++;
        }
        if (code != VERDICT_OK)
            return fail(e, code, i);
    }
    return true;
}

static bool keys_ok(const struct search *s, struct path_error *e)
{
    const struct path *p = &s->path;

    for (uint32_t i = 0; i < p->n; i++) {
        if (!path_cert_key_ok(s->in, p->cert[i]))
            return fail(e, VERDICT_WEAK_KEY, i);
        if (i + 1 < p->n && !path_cert_algorithm_ok(p->cert[i]))
            return fail(e, VERDICT_ALGORITHM, i);
    }
    return true;
}

static bool signatures_ok(struct search *s, struct path_error *e)
{
    const struct path *p = &s->path;

    for (uint32_t i = p->n - 1; i-- > 0;) {
        if (s->work == VERDICT_WORK_MAX)
            return fail(e, VERDICT_TOO_MUCH_WORK, i);
        s->work++;
        switch (sig_check_cert(p->cert[i + 1], p->cert[i], s->in->memo)) {
        case SIG_VALID:
            break;
        case SIG_INVALID:
            return fail(e, VERDICT_SIGNATURE, i);
        case SIG_UNSUPPORTED:
            return fail(e, VERDICT_ALGORITHM, i);
        }
    }
    return true;
}

/* An anchor's own validity only counts where the trust set says so; a leaf that is one is a leaf too. */
static bool dated(const struct search *s, uint32_t i)
{
    return i == 0 || !anchor_exempt(s, i) || trust_anchor_expiry(s->in->trust);
}

static bool times_ok(const struct search *s, struct path_error *e)
{
    for (uint32_t i = 0; i < s->path.n; i++) {
        const struct cert *c = s->path.cert[i];

        if (!dated(s, i))
            continue;
        if (s->in->now_s < c->not_before_s)
            return fail(e, VERDICT_NOT_YET_VALID, i);
        if (s->in->now_s > c->not_after_s)
            return fail(e, VERDICT_EXPIRED, i);
    }
    return true;
}

static bool path_ok(struct search *s, struct path_error *e)
{
    return structure_ok(s, e) && keys_ok(s, e) && signatures_ok(s, e) && times_ok(s, e) &&
           path_names_ok(&s->path, e) && path_policy_ok(&s->path, e) &&
           path_crl_ok(&s->path, s->in, &s->lists, e) && path_ocsp_ok(&s->path, s->in, &s->ocsp, e);
}

/* --- the answer --- */

static void note_path(struct search *s, enum verdict_code code, uint32_t depth)
{
    struct verdict *v = s->out;
    bool asked = code == VERDICT_OK || code == VERDICT_REVOCATION_UNKNOWN;

    v->code = code;
    v->depth = (uint8_t)depth;
    v->chain_len = (uint8_t)(s->path.n - 1);
    v->path_len = (uint8_t)s->path.n;
    /* The other codes are of paths that were not asked about. */
    v->ocsp_want = asked ? s->ocsp.want : 0;
    v->crl_want = asked ? s->lists.want : 0;
    v->ocsp_wait = s->ocsp.wait && code == VERDICT_REVOCATION_UNKNOWN;
    v->expires_s = INT64_MAX;
    v->valid_from_s = INT64_MIN;
    memcpy(v->path, s->ref, s->path.n * sizeof(v->path[0]));
    for (uint32_t i = 0; i < s->path.n; i++) {
        if (!dated(s, i))
            continue;
        if (s->path.cert[i]->not_after_s < v->expires_s)
            v->expires_s = s->path.cert[i]->not_after_s;
        if (s->path.cert[i]->not_before_s > v->valid_from_s)
            v->valid_from_s = s->path.cert[i]->not_before_s;
    }
}

/* From then on it is another question. */
static void until(struct search *s)
{
    const struct path_ocsp *o = &s->ocsp;
    struct verdict *v = s->out;

    if (s->lists.next_s < v->expires_s)
        v->expires_s = s->lists.next_s;
    if (o->next_s < v->expires_s)
        v->expires_s = o->next_s;
    v->revocation_s = s->lists.this_s;
    if (o->this_s && (!v->revocation_s || o->this_s < v->revocation_s))
        v->revocation_s = o->this_s;
}

/* The anchor stands at the end of s->path. True: the search is over. */
static bool try_path(struct search *s)
{
    struct path_error e = {VERDICT_OK, 0};

    s->lists = (struct path_crl){.next_s = INT64_MAX};
    s->ocsp = (struct path_ocsp){.next_s = INT64_MAX};
    if (++s->paths > PATHS_MAX) {
        e.code = VERDICT_TOO_MUCH_WORK;
    } else if (path_ok(s, &e)) {
        note_path(s, VERDICT_OK, 0);
        until(s);
        s->out->anchor = -1 - s->ref[s->path.n - 1];
        return true;
    }
    if (s->best < 2 || e.code == VERDICT_TOO_MUCH_WORK) {
        s->best = 2;
        note_path(s, e.code, e.depth);
        s->out->anchor = -1 - s->ref[s->path.n - 1];
    }
    return e.code == VERDICT_TOO_MUCH_WORK;
}

static void dead_end(struct search *s, bool self_issued)
{
    uint32_t top = s->path.n - 1;
    enum verdict_code code = !self_issued ? VERDICT_ISSUER_UNKNOWN
                             : top == 0   ? VERDICT_SELF_SIGNED
                                          : VERDICT_SELF_SIGNED_IN_CHAIN;

    /* The longest incomplete path says most about what is missing. */
    if (s->best == 2 || (s->best == 1 && s->out->path_len >= s->path.n))
        return;
    s->best = 1;
    note_path(s, code, top);
    s->out->anchor = -1;
}

static bool in_path(const struct search *s, const struct cert *c)
{
    for (uint32_t i = 0; i < s->path.n; i++) {
        /* The same key under the same name again would lead round in circles (RFC 4158 2.4.2). */
        if (span_eq(s->path.cert[i]->spki, c->spki) &&
            cert_name_eq(s->path.cert[i]->subject, c->subject))
            return true;
    }
    return false;
}

/* Key identifiers, where both sides have one, have to agree (RFC 5280 4.2.1.1). */
static bool key_id_fits(const struct cert *issuer, const struct cert *subject)
{
    return subject->aki.len == 0 || issuer->ski.len == 0 || span_eq(subject->aki, issuer->ski);
}

static bool climb(struct search *s);

/* Put `c` on top and go on. True: the search is over. */
static bool step(struct search *s, const struct cert *c, int16_t ref, bool anchor)
{
    bool over;

    if (++s->visits > VISITS_MAX) {
        note_path(s, VERDICT_TOO_MUCH_WORK, s->path.n - 1);
        return true;
    }
    if (s->path.n == VERDICT_PATH_MAX || in_path(s, c))
        return false;
    s->path.cert[s->path.n] = c;
    s->ref[s->path.n++] = ref;
    over = anchor ? try_path(s) : climb(s);
    s->path.n--;
    return over;
}

static bool ends_path(const struct search *s, const struct trust_entry *e)
{
    return e->anchor && (trust_partial_chain(s->in->trust) || cert_self_issued(&e->cert));
}

static bool climb_anchors(struct search *s, const struct cert *top, bool *any)
{
    const struct trust_entry *e;
    uint32_t it = 0;

    while ((e = trust_by_subject(s->in->trust, top->issuer, &it))) {
        if (!ends_path(s, e) || !key_id_fits(&e->cert, top))
            continue;
        *any = true;
        if (s->path.n == s->target && step(s, &e->cert, (int16_t)(-1 - (int)e->index), true))
            return true;
    }
    return false;
}

static bool climb_sent(struct search *s, const struct cert *top, bool *any)
{
    for (uint32_t i = 1; i < s->in->chain_len; i++) {
        const struct cert *c = &s->in->chain[i];

        if (!cert_name_eq(c->subject, top->issuer) || !key_id_fits(c, top) || in_path(s, c))
            continue;
        *any = true;
        if (step(s, c, (int16_t)i, false))
            return true;
    }
    return false;
}

static bool climb_helpers(struct search *s, const struct cert *top, bool *any)
{
    const struct trust_entry *e;
    uint32_t it = 0;

    while ((e = trust_by_subject(s->in->trust, top->issuer, &it))) {
        if (ends_path(s, e) || !key_id_fits(&e->cert, top) || in_path(s, &e->cert))
            continue;
        *any = true;
        if (step(s, &e->cert, (int16_t)(-1 - (int)e->index), false))
            return true;
    }
    return false;
}

/* Who may have issued the certificate on top? Anchors end the path; the others are climbed on. */
static bool climb(struct search *s)
{
    const struct cert *top = s->path.cert[s->path.n - 1];
    bool any = false;

    if (climb_anchors(s, top, &any))
        return true;
    if (s->path.n < s->target) {
        if (climb_sent(s, top, &any) || climb_helpers(s, top, &any))
            return true;
    } else {
        s->deeper = true;
    }
    if (!any)
        dead_end(s, cert_self_issued(top));
    return false;
}

/* The leaf may be an anchor itself: Apache's depth 0, or an identity that is pinned. */
static bool leaf_is_anchor(struct search *s)
{
    const struct trust_entry *e = trust_anchor_with(s->in->trust, s->path.cert[0]->der);

    if (!e || !ends_path(s, e))
        return false;
    s->ref[0] = (int16_t)(-1 - (int)e->index);
    return try_path(s);
}

/* On the list of those who need no chain: what is left to judge is the certificate itself. */
static bool leaf_is_listed(struct search *s)
{
    const struct allow *list = trust_direct(s->in->trust);
    const struct cert *c = s->path.cert[0];
    struct verdict *out = s->out;

    if (!list || !allow_has(list, c))
        return false;
    out->code = path_cert_form(c);
    if (out->code == VERDICT_OK && !path_cert_key_ok(s->in, c))
        out->code = VERDICT_WEAK_KEY;
    if (out->code == VERDICT_OK && s->in->now_s < c->not_before_s)
        out->code = VERDICT_NOT_YET_VALID;
    if (out->code == VERDICT_OK && s->in->now_s > c->not_after_s)
        out->code = VERDICT_EXPIRED;
    if (out->code == VERDICT_OK)
        out->code = path_cert_leaf_usage(c, s->in->purpose);
    out->path_len = 1;
    out->path[0] = 0;
    out->valid_from_s = c->not_before_s;
    out->expires_s = c->not_after_s;
    return true;
}

/* A good chain is not enough where there is a list of whom it may lead to. */
static void narrow(const struct verdict_input *in, struct verdict *out)
{
    const struct allow *list = trust_narrow(in->trust);
    bool only_listed = trust_anchor_count(in->trust) == 0;

    if (only_listed || (out->code == VERDICT_OK && list && !allow_has(list, &in->chain[0]))) {
        out->code = VERDICT_NOT_LISTED;
        out->depth = 0;
        out->crl_want = 0;
    }
}

/* Shortest paths first, so that "too long" is only said when there is no shorter one. */
static void search_paths(struct search *s)
{
    for (s->target = 1; s->target < VERDICT_PATH_MAX; s->target++) {
        s->deeper = false;
        s->path.n = 1;
        s->ref[0] = 0;
        if (climb(s) || !s->deeper)
            return;
    }
}

static void none(struct verdict *out, enum verdict_code code)
{
    memset(out, 0, sizeof(*out));
    out->code = code;
    out->anchor = -1;
}

void verdict_judge(const struct verdict_input *in, struct verdict *out)
{
    struct search s = {.in = in, .out = out};

    none(out, in->chain_len ? VERDICT_ISSUER_UNKNOWN : VERDICT_NO_CERT);
    if (in->chain_len == 0)
        return;
    if (!in->trust) {
        out->code = VERDICT_ISSUER_UNKNOWN;
        return;
    }
    s.path.cert[0] = &in->chain[0];
    s.path.n = 1;
    if (leaf_is_listed(&s))
        return;
    if (!leaf_is_anchor(&s))
        search_paths(&s);
    narrow(in, out);
    out->work = (uint16_t)s.work;
    if (out->code == VERDICT_OK && in->max_depth >= 0 && out->chain_len > in->max_depth) {
        out->code = VERDICT_CHAIN_TOO_LONG;
        out->depth = (uint8_t)(in->max_depth + 1);
    }
}
