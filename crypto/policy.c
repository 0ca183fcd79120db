#include "crypto/der.h"
#include "crypto/oid.h"
#include "crypto/path.h"

/* The valid policy tree, kept as the set of policies that its deepest level expects: all that is asked of
 * it here is whether it is empty. A path with more policies than this is refused. */
#define POLICIES_MAX 64u

struct policies {
    struct span oid[POLICIES_MAX];
    uint32_t n;
    bool any, overflow;
};

static bool holds(const struct policies *s, struct span oid)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (span_eq(s->oid[i], oid))
            return true;
    }
    return false;
}

static void add(struct policies *s, struct span oid)
{
    if (holds(s, oid))
        return;
    if (s->n == POLICIES_MAX)
        s->overflow = true;
    else
        s->oid[s->n++] = oid;
}

static void take_away(struct policies *s, struct span oid)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (span_eq(s->oid[i], oid)) {
            s->oid[i] = s->oid[--s->n];
            return;
        }
    }
}

/* certificatePolicies as a set; false: malformed, or one stands twice (4.2.1.4). */
static bool read_policies(struct span ext, struct policies *out)
{
    struct span seq, info, oid;

    memset(out, 0, sizeof(*out));
    if (!der_get(&ext, DER_SEQUENCE, &seq) || seq.len == 0)
        return false;
    while (seq.len) {
        if (!der_get(&seq, DER_SEQUENCE, &info) || !der_get(&info, DER_OID, &oid) ||
            !der_oid_ok(oid))
            return false;
        if (span_eq(oid, OID_ANY_POLICY)) {
            if (out->any)
                return false;
            out->any = true;
        } else {
            if (holds(out, oid))
                return false;
            add(out, oid);
        }
    }
    return !out->overflow;
}

struct state {
    struct policies valid; /* of the level reached; `any`: the anyPolicy node is there */
    uint32_t explicit_policy, inhibit_any, mapping;
};

/* 6.1.3 (d), (e) */
static bool level(struct state *s, const struct cert *c, bool last)
{
    struct policies here, next = {0};

    if (!(c->ext & CERT_EXT_POLICIES)) {
        memset(&s->valid, 0, sizeof(s->valid));
        return true;
    }
    if (!read_policies(c->policies, &here))
        return false;
    for (uint32_t i = 0; i < here.n; i++) {
        if (s->valid.any || holds(&s->valid, here.oid[i]))
            add(&next, here.oid[i]);
    }
    if (here.any && (s->inhibit_any > 0 || (!last && cert_self_issued(c)))) {
        for (uint32_t i = 0; i < s->valid.n; i++)
            add(&next, s->valid.oid[i]);
        next.any = s->valid.any;
    }
    if (next.overflow)
        return false;
    s->valid = next;
    return true;
}

/* 6.1.4 (a), (b) */
static bool map(struct state *s, const struct cert *c)
{
    struct policies from = {0}, to = {0};
    struct span ext = c->policy_mappings, seq, pair, a, b;

    if (!(c->ext & CERT_EXT_POLICY_MAPPINGS))
        return true;
    if (!der_get(&ext, DER_SEQUENCE, &seq) || seq.len == 0)
        return false;
    while (seq.len) {
        if (!der_get(&seq, DER_SEQUENCE, &pair) || !der_get(&pair, DER_OID, &a) ||
            !der_get(&pair, DER_OID, &b) || pair.len || span_eq(a, OID_ANY_POLICY) ||
            span_eq(b, OID_ANY_POLICY))
            return false;
        if (s->valid.any || holds(&s->valid, a)) {
            add(&from, a);
            add(&to, b);
        }
    }
    for (uint32_t i = 0; i < from.n; i++)
        take_away(&s->valid, from.oid[i]);
    for (uint32_t i = 0; s->mapping && i < to.n; i++)
        add(&s->valid, to.oid[i]);
    return !s->valid.overflow && !from.overflow && !to.overflow;
}

static void least(uint32_t *v, uint32_t limit)
{
    if (limit < *v)
        *v = limit;
}

/* requireExplicitPolicy and inhibitPolicyMapping (4.2.1.11). */
static bool constraints(const struct cert *c, uint32_t *require, uint32_t *inhibit)
{
    struct span ext = c->policy_constraints, seq, n;
    bool has_require, has_inhibit;

    *require = *inhibit = UINT32_MAX;
    if (!(c->ext & CERT_EXT_POLICY_CONSTRAINTS))
        return true;
    if (!der_get(&ext, DER_SEQUENCE, &seq) || seq.len == 0 ||
        !der_maybe(&seq, DER_CONTEXT | 0, &n, &has_require) ||
        (has_require && !der_small(n, require)) ||
        !der_maybe(&seq, DER_CONTEXT | 1, &n, &has_inhibit) ||
        (has_inhibit && !der_small(n, inhibit)))
        return false;
    return seq.len == 0;
}

/* 6.1.4 (h), (i), (j) */
static bool prepare_next(struct state *s, const struct cert *c)
{
    struct span ext = c->inhibit_any, n;
    uint32_t require, inhibit, any;

    if (!cert_self_issued(c)) {
        s->explicit_policy -= s->explicit_policy > 0;
        s->mapping -= s->mapping > 0;
        s->inhibit_any -= s->inhibit_any > 0;
    }
    if (!constraints(c, &require, &inhibit))
        return false;
    least(&s->explicit_policy, require);
    least(&s->mapping, inhibit);
    if (c->ext & CERT_EXT_INHIBIT_ANY) {
        if (!der_get(&ext, DER_INTEGER, &n) || !der_small(n, &any))
            return false;
        least(&s->inhibit_any, any);
    }
    return true;
}

static bool fail(struct path_error *e, enum verdict_code code, uint32_t depth)
{
    *e = (struct path_error){code, (uint8_t)depth};
    return false;
}

static bool empty(const struct policies *p)
{
    return p->n == 0 && !p->any;
}

bool path_policy_ok(const struct path *p, struct path_error *e)
{
    /* n + 1 of 6.1.2 (d) to (f): as if there was no limit. */
    struct state s = {
        .valid = {.any = true}, .explicit_policy = p->n, .inhibit_any = p->n, .mapping = p->n};
    uint32_t require, inhibit;

    for (uint32_t i = p->n - 1; i-- > 0;) { /* the anchor itself is not processed (6.1) */
        const struct cert *c = p->cert[i];

        if (!level(&s, c, i == 0))
            return fail(e, VERDICT_MALFORMED, i);
        if (s.explicit_policy == 0 && empty(&s.valid))
            return fail(e, VERDICT_POLICY, i);
        if (i == 0)
            break;
        if (!map(&s, c) || !prepare_next(&s, c))
            return fail(e, VERDICT_MALFORMED, i);
    }
    /* 6.1.5 (a), (b), (g) */
    s.explicit_policy -= s.explicit_policy > 0;
    if (!constraints(p->cert[0], &require, &inhibit))
        return fail(e, VERDICT_MALFORMED, 0);
    if (require == 0)
        s.explicit_policy = 0;
    if (p->n > 1 && s.explicit_policy == 0 && empty(&s.valid))
        return fail(e, VERDICT_POLICY, 0);
    return true;
}
