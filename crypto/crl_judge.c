#include "crypto/crl_learn.h"

bool crl_path_ok(const struct trust *t, const struct cert *path, uint32_t n, int64_t now_s,
                 struct memo *memo)
{
    struct verdict_input in = {.chain = path,
                               .chain_len = n,
                               .trust = t,
                               .now_s = now_s,
                               .purpose = VERDICT_FOR_ANY,
                               .max_depth = -1,
                               .ocsp_none = true,
                               .memo = memo};
    struct verdict v;

    verdict_judge(&in, &v);
    /* NOT_LISTED comes behind all else, and the list is of leaves: a CA need not stand on it. */
    return v.anchor >= 0 && (v.code == VERDICT_OK || v.code == VERDICT_REVOCATION_UNKNOWN ||
                             v.code == VERDICT_REVOCATION_STALE || v.code == VERDICT_NOT_LISTED);
}
