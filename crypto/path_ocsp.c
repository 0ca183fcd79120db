/* What responders say of the certificates of a path. */
#include "crypto/path.h"

static bool refuse(struct path_error *e, enum verdict_code code, uint32_t depth)
{
    *e = (struct path_error){code, (uint8_t)depth};
    return false;
}

static void ask(const struct verdict_input *in, const struct cert *cert, const struct cert *issuer,
                struct ocsp_entry *out)
{
    uint8_t id[OCSP_ID_B];

    ocsp_id(cert, issuer, id);
    ocsp_table_ask(in->ocsp, id, in->now_s, out);
}

/* An answer is renewed after `refresh_s`, or half of its time, when it was looked for since the last one. */
static void look_again(struct path_ocsp *o, int64_t now_s, int64_t until_s, uint32_t refresh_s)
{
    int64_t in_s = (until_s - now_s) / 4;

    if (in_s > (int64_t)refresh_s / 2)
        in_s = (int64_t)refresh_s / 2;
    if (now_s + in_s < o->look_s)
        o->look_s = now_s + in_s;
}

/* One certificate. False: refused, or it has to wait. */
static bool one_ok(const struct path *p, uint32_t i, const struct verdict_input *in,
                   const struct ocsp_policy *policy, struct path_ocsp *o, struct path_error *e)
{
    struct ocsp_entry a = {OCSP_IS_UNANSWERED, 0, INT64_MAX};

    if (in->ocsp)
        ask(in, p->cert[i], p->cert[i + 1], &a);
    if (a.what == OCSP_IS_NEW) {
        o->want |= (uint16_t)(1u << i);
        if (!in->ocsp_late && policy->first == OCSP_FIRST_HOLD) {
            o->wait = true;
            return true; /* the others are asked for in the same turn */
        }
        if (policy->first == OCSP_FIRST_ALLOW || (in->ocsp_late && policy->fail_ok))
            return true;
        return refuse(e, VERDICT_REVOCATION_UNKNOWN, i);
    }
    if (a.what == OCSP_IS_REVOKED)
        return refuse(e, VERDICT_REVOKED, i);
    if (a.what == OCSP_IS_UNANSWERED && !policy->fail_ok)
        return refuse(e, VERDICT_REVOCATION_UNKNOWN, i);
    if (a.until_s < o->next_s)
        o->next_s = a.until_s;
    if (in->ocsp)
        look_again(o, in->now_s, a.until_s, policy->refresh_s);
    if (a.this_s && (!o->this_s || a.this_s < o->this_s))
        o->this_s = a.this_s;
    return true;
}

bool path_ocsp_ok(const struct path *p, const struct verdict_input *in, struct path_ocsp *o,
                  struct path_error *e)
{
    const struct ocsp_policy *policy = trust_ocsp(in->trust);
    uint32_t n = p->n - 1; /* of the anchor nobody could say anything */

    *o = (struct path_ocsp){.next_s = INT64_MAX, .look_s = INT64_MAX};
    if (policy->check == OCSP_CHECK_OFF || in->ocsp_none)
        return true;
    if (policy->check == OCSP_CHECK_LEAF && n > 1)
        n = 1;
    for (uint32_t i = 0; i < n; i++) {
        /* id-pkix-ocsp-nocheck: the CA says that there is nothing to ask (RFC 6960 4.2.2.2.1) */
        if (!(p->cert[i]->ext & CERT_EXT_OCSP_NO_CHECK) && !one_ok(p, i, in, policy, o, e))
            return false;
    }
    return o->wait ? refuse(e, VERDICT_REVOCATION_UNKNOWN, 0) : true;
}
