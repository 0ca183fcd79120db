#include "crypto/verdict.h"

#include "base/ip.h"
#include "crypto/der.h"
#include "crypto/path.h"
#include "crypto/sig.h"

#define RSA_BITS_MIN 2048u
#define VISITS_MAX   1024u /* candidates looked at */
#define PATHS_MAX    32u   /* complete paths judged */
#define SERIAL_B_MAX 20u   /* RFC 5280 4.1.2.2 */

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
    int64_t lists_this_s, lists_next_s; /* of the revocation lists that were asked */
    struct path_ocsp ocsp;
};

/* --- one certificate by itself --- */

static bool serial_ok(struct span s)
{
    bool zero = true;

    for (size_t i = 0; i < s.len; i++)
        zero &= s.p[i] == 0;
    return !zero && !(s.p[0] & 0x80) && s.len <= SERIAL_B_MAX + (s.p[0] == 0 ? 1u : 0u);
}

static bool key_ok(const struct verdict_input *in, const struct cert *c)
{
    uint16_t least = in->min_rsa_bits ? in->min_rsa_bits : RSA_BITS_MIN;

    switch (c->key_type) {
    case CERT_KEY_RSA:
        return c->key_bits >= least && c->key_bits <= 16384;
    case CERT_KEY_EC:
        return c->curve != CERT_CURVE_OTHER;
    case CERT_KEY_ED25519:
        return true;
    case CERT_KEY_OTHER:
        break;
    }
    return false;
}

static bool algorithm_ok(const struct cert *c)
{
    if (c->sig_alg == CERT_SIG_OTHER || c->sig_alg_differs)
        return false;
    return c->sig_hash != CERT_HASH_MD5 && c->sig_hash != CERT_HASH_SHA1 &&
           c->sig_hash != CERT_HASH_OTHER;
}

/* The anchor is not exempt: its limits hold, and here they cannot be told (MUST, RFC 5937 2). */
static enum verdict_code extensions(const struct cert *c)
{
    if (c->ext_twice)
        return VERDICT_MALFORMED;
    return c->ext & CERT_EXT_UNKNOWN_CRITICAL ? VERDICT_CRITICAL_EXTENSION : VERDICT_OK;
}

/* Form: what no certificate may be, whoever signed it. The anchor is exempt: it is believed, not judged. */
static enum verdict_code form(const struct cert *c)
{
    struct span issuer = c->issuer, rdns;

    if (!serial_ok(c->serial))
        return VERDICT_MALFORMED;
    if (!der_get(&issuer, DER_SEQUENCE, &rdns) || rdns.len == 0) /* RFC 5280 4.1.2.4 */
        return VERDICT_MALFORMED;
    return extensions(c);
}

static uint32_t wanted_eku(enum verdict_purpose p)
{
    return p == VERDICT_FOR_CLIENT   ? CERT_EKU_CLIENT_AUTH
           : p == VERDICT_FOR_SERVER ? CERT_EKU_SERVER_AUTH
                                     : CERT_EKU_CLIENT_AUTH | CERT_EKU_SERVER_AUTH;
}

/* Where key purposes are named, ours is among them, in the leaf and in every CA above it. */
static bool eku_ok(const struct cert *c, enum verdict_purpose p)
{
    return !(c->ext & CERT_EXT_EKU) || p == VERDICT_FOR_ANY ||
           c->eku & (wanted_eku(p) | CERT_EKU_ANY);
}

static enum verdict_code leaf_usage(const struct cert *c, enum verdict_purpose p)
{
    uint16_t want = CERT_KU_DIGITAL_SIGNATURE | CERT_KU_KEY_AGREEMENT;

    if (p == VERDICT_FOR_SERVER)
        want |= CERT_KU_KEY_ENCIPHERMENT;
    if (!eku_ok(c, p))
        return VERDICT_PURPOSE;
    if (p != VERDICT_FOR_ANY && (c->ext & CERT_EXT_KEY_USAGE) && !(c->key_usage & want))
        return VERDICT_KEY_USAGE;
    return VERDICT_OK;
}

/* RFC 5280 6.1.4 (k), (n): may it sign certificates? */
static enum verdict_code ca_usage(const struct cert *c)
{
    if (!c->is_ca)
        return VERDICT_NOT_A_CA;
    if ((c->ext & CERT_EXT_KEY_USAGE) && !(c->key_usage & CERT_KU_KEY_CERT_SIGN))
        return VERDICT_KEY_USAGE;
    return VERDICT_OK;
}

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
        enum verdict_code code = anchor_exempt(s, i) ? extensions(c) : form(c);

        if (code == VERDICT_OK && i == 0)
            code = leaf_usage(c, s->in->purpose);
        if (code == VERDICT_OK && i) {
            /* A version 1 root says nothing of itself; as an anchor it is what the operator says it is. */
            code = anchor_exempt(s, i) && c->version < 3 ? VERDICT_OK : ca_usage(c);
            if (code == VERDICT_OK && !eku_ok(c, s->in->purpose))
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
        if (!key_ok(s->in, p->cert[i]))
            return fail(e, VERDICT_WEAK_KEY, i);
        if (i + 1 < p->n && !algorithm_ok(p->cert[i]))
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

/* RFC 5280 6.3, by the set's lists. The anchor is not asked about: nobody above it could revoke it. */
static bool revocation_ok(struct search *s, struct path_error *e)
{
    const struct revocation *r = trust_revocation(s->in->trust);
    const struct revocation_rules *rules = r ? revocation_rules(r) : NULL;
    uint32_t n = s->path.n - 1;

    s->lists_next_s = INT64_MAX;
    s->lists_this_s = 0;
    if (!r)
        return true;
    if (rules->check == CRL_CHECK_LEAF && n > 1)
        n = 1;
    for (uint32_t i = 0; i < n; i++) {
        struct revocation_answer a;

        revocation_ask(r, s->path.cert[i + 1], s->path.cert[i], s->in->now_s, &a);
        if (a.what == CRL_REVOKED)
            return fail(e, VERDICT_REVOKED, i);
        if (a.what == CRL_NO_LIST && !rules->missing_ok)
            return fail(e, VERDICT_REVOCATION_UNKNOWN, i);
        if (a.what == CRL_STALE && !rules->expired_ok)
            return fail(e, VERDICT_REVOCATION_STALE, i);
        if (a.what == CRL_GOOD && !rules->expired_ok && a.next_s < s->lists_next_s)
            s->lists_next_s = a.next_s;
        if (a.this_s && (!s->lists_this_s || a.this_s < s->lists_this_s))
            s->lists_this_s = a.this_s;
    }
    return true;
}

static bool path_ok(struct search *s, struct path_error *e)
{
    return structure_ok(s, e) && keys_ok(s, e) && signatures_ok(s, e) && times_ok(s, e) &&
           path_names_ok(&s->path, e) && path_policy_ok(&s->path, e) && revocation_ok(s, e) &&
           path_ocsp_ok(&s->path, s->in, &s->ocsp, e);
}

/* --- the answer --- */

static void note_path(struct search *s, enum verdict_code code, uint32_t depth)
{
    struct verdict *v = s->out;

    v->code = code;
    v->depth = (uint8_t)depth;
    v->chain_len = (uint8_t)(s->path.n - 1);
    v->path_len = (uint8_t)s->path.n;
    /* The other codes are of paths that were not asked about. */
    v->ocsp_want = code == VERDICT_OK || code == VERDICT_REVOCATION_UNKNOWN ? s->ocsp.want : 0;
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

    if (s->lists_next_s < v->expires_s)
        v->expires_s = s->lists_next_s;
    if (o->next_s < v->expires_s)
        v->expires_s = o->next_s;
    v->look_s = o->look_s < v->expires_s ? o->look_s : v->expires_s;
    v->revocation_s = s->lists_this_s;
    if (o->this_s && (!v->revocation_s || o->this_s < v->revocation_s))
        v->revocation_s = o->this_s;
}

/* The anchor stands at the end of s->path. True: the search is over. */
static bool try_path(struct search *s)
{
    struct path_error e = {VERDICT_OK, 0};

    s->ocsp = (struct path_ocsp){.next_s = INT64_MAX, .look_s = INT64_MAX};
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
    out->code = form(c);
    if (out->code == VERDICT_OK && !key_ok(s->in, c))
        out->code = VERDICT_WEAK_KEY;
    if (out->code == VERDICT_OK && s->in->now_s < c->not_before_s)
        out->code = VERDICT_NOT_YET_VALID;
    if (out->code == VERDICT_OK && s->in->now_s > c->not_after_s)
        out->code = VERDICT_EXPIRED;
    if (out->code == VERDICT_OK)
        out->code = leaf_usage(c, s->in->purpose);
    out->path_len = 1;
    out->path[0] = 0;
    out->valid_from_s = c->not_before_s;
    out->expires_s = out->look_s = c->not_after_s;
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

/* --- names of servers (RFC 9525 6.3) --- */

/* One label for a star that stands alone in the left-most label. */
static bool dns_matches(struct span pattern, struct span name)
{
    size_t dot;

    if (name.len && name.p[name.len - 1] == '.')
        name.len--;
    if (pattern.len < 3 || pattern.p[0] != '*' || pattern.p[1] != '.')
        return pattern.len > 0 && span_find(pattern, '*') == pattern.len && span_ieq(pattern, name);
    if (span_find(span_from(pattern, 1), '*') != pattern.len - 1)
        return false;
    if (span_find(span_from(pattern, 2), '.') == pattern.len - 2)
        return false; /* "*.com" */
    dot = span_find(name, '.');
    return dot > 0 && dot < name.len && span_ieq(span_from(name, dot), span_from(pattern, 1));
}

bool verdict_name_matches(const struct cert *leaf, struct span name)
{
    struct span it = leaf->san, value;
    enum cert_san_kind kind;
    struct ip_addr ip, theirs;
    bool is_ip = IS_OK(ip_parse(name, &ip));

    while (name.len && cert_san_next(&it, &kind, &value)) {
        if (!is_ip && kind == CERT_SAN_DNS && dns_matches(value, name))
            return true;
        if (!is_ip || kind != CERT_SAN_IP)
            continue;
        if (value.len == 4)
            theirs = ip_v4_wire(value.p);
        else
            memcpy(theirs.b, value.p, 16);
        if (ip_eq(&ip, &theirs))
            return true;
    }
    return false;
}
