/* Target: revocation lists: read, kept, asked. The first two bytes: how long the certificate is that follows. */
#include "crypto/crl.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cert cert;
    struct crl_view v;
    struct crl *c;
    const char *why = NULL;
    size_t cert_b = size >= 2 ? (size_t)data[0] << 8 | data[1] : 0;

    if (size < 2 + cert_b || !IS_OK(cert_parse(span_of(data + 2, cert_b), &cert, &why)))
        return 0;
    if (!IS_OK(crl_parse(span_of(data + 2 + cert_b, size - 2 - cert_b), &v, &why))) {
        FUZZ_MUST(why && *why);
        return 0;
    }
    if (!IS_OK(crl_new(&v, &cert, &c)))
        return 0;
    FUZZ_MUST(crl_bytes(c) >= (uint64_t)crl_count(c) * 22);
    (void)crl_covers(c, &cert, &cert);
    FUZZ_MUST(crl_ask(c, NULL, &cert, v.this_s) != CRL_NO_LIST);
    crl_unref(c);
    return 0;
}
