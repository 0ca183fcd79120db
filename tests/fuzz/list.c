/**
 * Target: what a server says when it is asked for revocation lists: PEM or DER, to lists that are judged and paired.
 * The first two bytes: how long the CA's certificate is that follows. Every signature is taken for good.
 */
#include "crypto/trust.h"
#include "fuzz/fake_sig.h"
#include "fuzz/fuzz.h"

#define LISTS_MAX 8

/* What they say of the CA itself, with each other's deltas. */
static void ask(const struct trust *t, struct crl *const *lists, size_t n, struct report *r)
{
    const struct revocation_rules rules = {.check = CRL_CHECK_CHAIN};
    const struct cert *ca = &trust_entry_at(t, 0)->cert;
    struct revocation *none, *all;
    struct revocation_answer a;

    FUZZ_MUST(IS_OK(revocation_load(t, NULL, 0, &rules, true, r, &none)));
    FUZZ_MUST(IS_OK(revocation_with(none, lists, n, &all)));
    FUZZ_MUST(revocation_lists(all) <= n);
    revocation_ask(none, ca, ca, 1795000000, &a);
    FUZZ_MUST(a.what == CRL_NO_LIST);
    revocation_ask(all, ca, ca, 1795000000, &a);
    FUZZ_MUST(a.what == CRL_NO_LIST || revocation_lists(all) > 0);
    revocation_free(none);
    revocation_free(all);
}

static void use(const struct trust *t, struct crl *const *lists, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            FUZZ_MUST(crl_same_scope(lists[i], lists[k]) == crl_same_scope(lists[k], lists[i]));
            FUZZ_MUST(!crl_delta_fits(lists[i], lists[k]) || crl_is_delta(lists[k]));
        }
        FUZZ_MUST(!crl_older(lists[i], lists[i]));
        FUZZ_MUST(crl_signed_by(lists[i], &trust_entry_at(t, 0)->cert));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t ca_b = size >= 2 ? (size_t)data[0] << 8 | data[1] : 0, n = 0;
    struct crl *lists[LISTS_MAX];
    struct report *r = report_new();
    char text[512];
    struct sb why = sb_of(text, sizeof(text));
    struct trust *t = NULL, *with = NULL;
    struct span ca;

    fake_sig_valid = true;
    if (r && size >= 2 + ca_b) {
        ca = span_of(data + 2, ca_b);
        if (IS_OK(trust_from_der("fuzz", &ca, 1, NULL, 0, false, r, &t))) {
            const struct trust *sets = t;
            struct revocation_signers signers = {&sets, 1, NULL, 0};

            if (IS_OK(revocation_read(&signers, span_of(data + 2 + ca_b, size - 2 - ca_b), &why,
                                      lists, LISTS_MAX, &n)))
                FUZZ_MUST(n > 0 && n <= LISTS_MAX);
            else
                FUZZ_MUST(n == 0 && why.len);
            use(t, lists, n);
            ask(t, lists, n, r);
            FUZZ_MUST(IS_OK(trust_with_lists(t, lists, n, NULL, 0, &with)));
            trust_unref(with);
            while (n)
                crl_unref(lists[--n]);
            trust_unref(t);
        }
    }
    report_free(r);
    return 0;
}
