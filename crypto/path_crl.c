/* What lists say of the certificates of a path. */
#include "crypto/path.h"

/* One certificate. VERDICT_OK, or why it is refused. */
static enum verdict_code one(const struct path *p, uint32_t i, const struct verdict_input *in,
                             const struct revocation *r, struct path_crl *l)
{
    const struct revocation_rules *rules = revocation_rules(r);
    const struct cert *c = p->cert[i];
    struct revocation_answer a;

    revocation_ask(r, p->cert[i + 1], c, in->now_s, &a);
    if (a.what == CRL_REVOKED)
        return VERDICT_REVOKED;
    if (a.what == CRL_NO_LIST && rules->learn && (c->crl_dp.len || c->freshest_crl.len))
        l->want |= (uint16_t)(1u << i);
    if (a.what == CRL_NO_LIST && !rules->missing_ok)
        return VERDICT_REVOCATION_UNKNOWN;
    if (a.what == CRL_STALE && !rules->expired_ok)
        return VERDICT_REVOCATION_STALE;
    if (a.what == CRL_GOOD && !rules->expired_ok && a.next_s < l->next_s)
        l->next_s = a.next_s;
    if (a.this_s && (!l->this_s || a.this_s < l->this_s))
        l->this_s = a.this_s;
    return VERDICT_OK;
}

bool path_crl_ok(const struct path *p, const struct verdict_input *in, struct path_crl *l,
                 struct path_error *e)
{
    const struct revocation *r = trust_revocation(in->trust);
    bool learn = r && revocation_rules(r)->learn, good = true;
    uint32_t n = p->n - 1;

    *l = (struct path_crl){.next_s = INT64_MAX};
    if (r && revocation_rules(r)->check == CRL_CHECK_LEAF && n > 1)
        n = 1;
    for (uint32_t i = 0; i < n && r && (good || learn); i++) {
        enum verdict_code code = one(p, i, in, r, l);

        if (code == VERDICT_OK)
            continue;
        if (code == VERDICT_REVOKED)
            l->want =
                0; /* below or above: who is revoked, or was signed by such a one, teaches nothing */
        if (good)  /* the first one counts; the others are looked at for what they teach */
            *e = (struct path_error){code, (uint8_t)i};
        good = false;
        if (code == VERDICT_REVOKED)
            break;
    }
    return good;
}
