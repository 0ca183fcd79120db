#include "crypto/sig.h"

#include "base/must.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/sha.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include <x86intrin.h>

#define SIG_MAX_B 2048u /* RSA with 16384 bits */

void sha256(struct span in, uint8_t out[32])
{
    (void)wc_Sha256Hash(in.p ? in.p : (const uint8_t *)"", (word32)in.len, out);
}

void sha1(struct span in, uint8_t out[20])
{
    (void)wc_ShaHash(in.p ? in.p : (const uint8_t *)"", (word32)in.len, out);
}

static enum wc_HashType hash_type(enum cert_hash h)
{
    switch (h) {
    case CERT_HASH_SHA1:
        return WC_HASH_TYPE_SHA;
    case CERT_HASH_SHA224:
        return WC_HASH_TYPE_SHA224;
    case CERT_HASH_SHA256:
        return WC_HASH_TYPE_SHA256;
    case CERT_HASH_SHA384:
        return WC_HASH_TYPE_SHA384;
    case CERT_HASH_SHA512:
        return WC_HASH_TYPE_SHA512;
    case CERT_HASH_OTHER:
    case CERT_HASH_MD5:
    case CERT_HASH_NONE:
        break;
    }
    return WC_HASH_TYPE_NONE;
}

struct digest {
    enum wc_HashType type;
    uint8_t b[WC_MAX_DIGEST_SIZE];
    word32 len;
};

static bool digest_of(const struct sig_input *in, struct digest *d)
{
    int n;

    d->type = hash_type(in->hash);
    if (d->type == WC_HASH_TYPE_NONE)
        return false;
    n = wc_HashGetDigestSize(d->type);
    if (n <= 0)
        return false;
    d->len = (word32)n;
    return wc_Hash(d->type, in->tbs.p, (word32)in->tbs.len, d->b, d->len) == 0;
}

/* Recover the block and compare it with the one that must be there: nothing in it is parsed. */
static enum sig_result rsa_pkcs1(RsaKey *key, const struct digest *d, struct span sig)
{
    uint8_t got[SIG_MAX_B], want[128];
    int got_len = wc_RsaSSL_Verify(sig.p, (word32)sig.len, got, sizeof(got), key);
    word32 want_len = wc_EncodeSignature(want, d->b, d->len, wc_HashGetOID(d->type));

    if (got_len <= 0 || want_len == 0 || want_len > sizeof(want))
        return SIG_INVALID;
    return (word32)got_len == want_len && memcmp(got, want, want_len) == 0 ? SIG_VALID
                                                                           : SIG_INVALID;
}

static int mgf_of(enum wc_HashType type)
{
    if (type == WC_HASH_TYPE_SHA256)
        return WC_MGF1SHA256;
    if (type == WC_HASH_TYPE_SHA384)
        return WC_MGF1SHA384;
    return type == WC_HASH_TYPE_SHA512 ? WC_MGF1SHA512 : WC_MGF1SHA1;
}

static enum sig_result rsa_pss(RsaKey *key, const struct digest *d, struct span sig, uint8_t salt_b)
{
    uint8_t got[SIG_MAX_B];
    int mgf = mgf_of(d->type), bits = wc_RsaEncryptSize(key) * 8, n;

    n = wc_RsaPSS_Verify_ex((byte *)(uintptr_t)sig.p, (word32)sig.len, got, sizeof(got), d->type,
                            mgf, salt_b, key);
    if (n <= 0)
        return SIG_INVALID;
    n = wc_RsaPSS_CheckPadding_ex2(d->b, d->len, got, (word32)n, d->type, salt_b, bits, NULL);
    return n == 0 ? SIG_VALID : SIG_INVALID;
}

static enum sig_result check_rsa(const struct cert *signer, const struct sig_input *in)
{
    enum sig_result r = SIG_INVALID;
    struct digest d;
    word32 at = 0;
    RsaKey key;

    if (in->sig.len > SIG_MAX_B || !digest_of(in, &d))
        return SIG_UNSUPPORTED;
    if (wc_InitRsaKey(&key, NULL) != 0)
        return SIG_UNSUPPORTED;
    /* The inner RSAPublicKey: the algorithm in front of it was judged with the certificate. */
    if (wc_RsaPublicKeyDecode(signer->key.p, &at, &key, (word32)signer->key.len) == 0 &&
        in->sig.len == (size_t)wc_RsaEncryptSize(&key))
        r = in->alg == CERT_SIG_RSA_PSS ? rsa_pss(&key, &d, in->sig, in->pss_salt_b)
                                        : rsa_pkcs1(&key, &d, in->sig);
    wc_FreeRsaKey(&key);
    return r;
}

static enum sig_result check_ecdsa(const struct cert *signer, const struct sig_input *in)
{
    static const int ids[] = {ECC_CURVE_INVALID, ECC_SECP256R1, ECC_SECP384R1, ECC_SECP521R1};
    enum sig_result r = SIG_INVALID;
    struct digest d;
    int verified = 0;
    ecc_key key;

    if (signer->curve == CERT_CURVE_OTHER || !digest_of(in, &d))
        return SIG_UNSUPPORTED;
    if (wc_ecc_init(&key) != 0)
        return SIG_UNSUPPORTED;
    if (wc_ecc_import_x963_ex(signer->key.p, (word32)signer->key.len, &key, ids[signer->curve]) ==
            0 &&
        wc_ecc_verify_hash(in->sig.p, (word32)in->sig.len, d.b, d.len, &verified, &key) == 0 &&
        verified == 1)
        r = SIG_VALID;
    wc_ecc_free(&key);
    return r;
}

static enum sig_result check_ed25519(const struct cert *signer, const struct sig_input *in)
{
    enum sig_result r = SIG_INVALID;
    int verified = 0;
    ed25519_key key;

    if (in->sig.len != ED25519_SIG_SIZE)
        return SIG_INVALID;
    if (wc_ed25519_init(&key) != 0)
        return SIG_UNSUPPORTED;
    if (wc_ed25519_import_public(signer->key.p, (word32)signer->key.len, &key) == 0 &&
        wc_ed25519_verify_msg(in->sig.p, (word32)in->sig.len, in->tbs.p, (word32)in->tbs.len,
                              &verified, &key) == 0 &&
        verified == 1)
        r = SIG_VALID;
    wc_ed25519_free(&key);
    return r;
}

static enum sig_result check(const struct cert *signer, const struct sig_input *in)
{
    switch (in->alg) {
    case CERT_SIG_RSA_PKCS1:
        return signer->key_type == CERT_KEY_RSA && !signer->key_pss_only ? check_rsa(signer, in)
                                                                         : SIG_INVALID;
    case CERT_SIG_RSA_PSS:
        return signer->key_type == CERT_KEY_RSA ? check_rsa(signer, in) : SIG_INVALID;
    case CERT_SIG_ECDSA:
        return signer->key_type == CERT_KEY_EC ? check_ecdsa(signer, in) : SIG_INVALID;
    case CERT_SIG_ED25519:
        return signer->key_type == CERT_KEY_ED25519 ? check_ed25519(signer, in) : SIG_INVALID;
    case CERT_SIG_OTHER:
        break;
    }
    return SIG_UNSUPPORTED;
}

static bool add(wc_Sha256 *h, struct span s)
{
    uint32_t len = (uint32_t)s.len;

    return wc_Sha256Update(h, (const byte *)&len, sizeof(len)) == 0 &&
           wc_Sha256Update(h, s.p ? s.p : (const byte *)"", len) == 0;
}

/* Everything that the answer hangs on, each part with its length in front. */
static bool key_of(const struct cert *signer, const struct sig_input *in, uint8_t out[32])
{
    uint8_t how[4] = {(uint8_t)in->alg, (uint8_t)in->hash, in->pss_salt_b,
                      (uint8_t)(signer->key_type | signer->curve << 3 | signer->key_pss_only << 6)};
    wc_Sha256 h;
    bool ok;

    if (wc_InitSha256(&h) != 0)
        return false;
    ok = add(&h, span_of(how, sizeof(how))) && add(&h, signer->key) && add(&h, in->tbs) &&
         add(&h, in->sig) && wc_Sha256Final(&h, out) == 0;
    wc_Sha256Free(&h);
    return ok;
}

enum sig_result sig_check(const struct cert *signer, const struct sig_input *in, struct memo *memo)
{
    uint8_t key[32];
    enum sig_result r;
    uint64_t begin;
    bool valid;

    if (!memo || !key_of(signer, in, key))
        return check(signer, in);
    if (memo_get(memo, key, &valid))
        return valid ? SIG_VALID : SIG_INVALID;
    begin = __rdtsc();
    r = check(signer, in);
    if (r != SIG_UNSUPPORTED)
        memo_put(memo, key, r == SIG_VALID, (uint32_t)(__rdtsc() - begin));
    return r;
}

enum sig_result sig_check_cert(const struct cert *signer, const struct cert *subject,
                               struct memo *memo)
{
    struct sig_input in = {subject->tbs, subject->sig, subject->sig_alg, subject->sig_hash,
                           subject->pss_salt_b};

    return sig_check(signer, &in, memo);
}
