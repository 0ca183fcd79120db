#include "fuzz/fake_sig.h"

bool fake_sig_valid;

enum sig_result sig_check(const struct cert *signer, const struct sig_input *in, struct memo *memo)
{
    (void)signer, (void)in, (void)memo;
    return fake_sig_valid ? SIG_VALID : SIG_INVALID;
}

enum sig_result sig_check_cert(const struct cert *signer, const struct cert *subject,
                               struct memo *memo)
{
    (void)signer, (void)subject, (void)memo;
    return fake_sig_valid ? SIG_VALID : SIG_INVALID;
}
