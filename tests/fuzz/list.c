/**
 * Target: what a server says when it is asked for revocation lists: PEM or DER, to lists that are judged and paired.
 * The first two bytes: how long the CA's certificate is that follows. Every signature is taken for good.
 */
#include "crypto/sig.h"
#include "crypto/trust.h"
#include "fuzz/fuzz.h"

#include <string.h>

#define LISTS_MAX 8

/* Instead of crypto/sig.c: no arithmetic here, a fuzzer would never get it right. */
enum sig_result sig_check(const struct cert *signer, const struct sig_input *in, struct memo *memo)
{
    (void)signer, (void)in, (void)memo;
    return SIG_VALID;
}

enum sig_result sig_check_cert(const struct cert *signer, const struct cert *subject,
                               struct memo *memo)
{
    (void)signer, (void)subject, (void)memo;
    return SIG_VALID;
}

/* Not SHA-256, but as wide: fingerprints here only have to differ. */
void sha256(struct span in, uint8_t out[32])
{
    uint64_t h = 1469598103934665603u;

    for (size_t i = 0; i < in.len; i++)
        h = (h ^ in.p[i]) * 1099511628211u;
    for (int i = 0; i < 4; i++, h = h * 6364136223846793005u + 1)
        memcpy(out + 8 * i, &h, 8);
}

void sha1(struct span in, uint8_t out[20])
{
    uint8_t wide[32];

    sha256(in, wide);
    memcpy(out, wide, 20);
}

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
