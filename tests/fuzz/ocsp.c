/**
 * Target: answers of OCSP responders. The input: eight bytes of time, then the certificate and its issuer, each
 * with its length in two bytes, then the response. With the time odd every signature is taken for good, so that
 * mutations get past them.
 */
#include "crypto/ocsp.h"
#include "fuzz/fake_sig.h"
#include "fuzz/fuzz.h"

/* These are the true ones: certID has to match. */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

void sha256(struct span in, uint8_t out[32])
{
    (void)wc_Sha256Hash(in.p ? in.p : (const uint8_t *)"", (word32)in.len, out);
}

void sha1(struct span in, uint8_t out[20])
{
    (void)wc_ShaHash(in.p ? in.p : (const uint8_t *)"", (word32)in.len, out);
}

static bool take_cert(const uint8_t **p, size_t *size, struct cert *out)
{
    size_t n = *size >= 2 ? (size_t)(*p)[0] << 8 | (*p)[1] : 0;
    const char *why;

    if (*size < 2 + n || !IS_OK(cert_parse(span_of(*p + 2, n), out, &why)))
        return false;
    *p += 2 + n;
    *size -= 2 + n;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cert cert, issuer;
    struct ocsp_rules rules = {.now_s = 0};
    uint8_t out[OCSP_REQUEST_MAX_B];
    struct ocsp_answer a;
    const char *why = NULL;
    struct span url;
    size_t n;

    if (size < 8)
        return 0;
    for (int i = 0; i < 8; i++)
        rules.now_s = (int64_t)((uint64_t)rules.now_s << 8 | data[i]);
    if (rules.now_s < 0 || rules.now_s > INT64_MAX / 2)
        return 0;
    fake_sig_valid = rules.now_s & 1;
    data += 8;
    size -= 8;
    if (!take_cert(&data, &size, &cert) || !take_cert(&data, &size, &issuer))
        return 0;
    (void)ocsp_url(&cert, &url);
    n = ocsp_request(&cert, &issuer, span_of(data, size < 32 ? size : 32), out);
    FUZZ_MUST(n <= sizeof(out));
    rules.nonce = span_of(data, size & 15);
    if (IS_OK(ocsp_judge(span_of(data, size), &cert, &issuer, &rules, &a, &why))) {
        FUZZ_MUST(fake_sig_valid && a.status <= OCSP_UNKNOWN);
        FUZZ_MUST(rules.now_s <= a.until_s + OCSP_SKEW_S && a.this_s <= rules.now_s + OCSP_SKEW_S);
    } else {
        FUZZ_MUST(why && *why && a.status == OCSP_UNKNOWN && !a.nonce_seen);
    }
    return 0;
}
