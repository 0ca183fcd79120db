/* What a certificate of a path says by itself, whoever signed it. */
#include "crypto/der.h"
#include "crypto/path.h"

#define RSA_BITS_MIN 2048u
#define SERIAL_B_MAX 20u /* RFC 5280 4.1.2.2 */

static bool serial_ok(struct span s)
{
    bool zero = true;

    for (size_t i = 0; i < s.len; i++)
        zero &= s.p[i] == 0;
    return !zero && !(s.p[0] & 0x80) && s.len <= SERIAL_B_MAX + (s.p[0] == 0 ? 1u : 0u);
}

bool path_cert_key_ok(const struct verdict_input *in, const struct cert *c)
{
    uint16_t least = in->min_rsa_bits ? in->min_rsa_bits : RSA_BITS_MIN;

    switch (c->key_type) {
    case CERT_KEY_RSA:
        return c->key_bits >= least && c->key_bits <= 16384;
    case CERT_KEY_EC:
        return c->curve != CERT_CURVE_OTHER;
    case CERT_KEY_ED25519:
        return true;
    case CERT_KEY_OTHER:
        break;
    }
    return false;
}

bool path_cert_algorithm_ok(const struct cert *c)
{
    if (c->sig_alg == CERT_SIG_OTHER || c->sig_alg_differs)
        return false;
    return c->sig_hash != CERT_HASH_MD5 && c->sig_hash != CERT_HASH_SHA1 &&
           c->sig_hash != CERT_HASH_OTHER;
}

enum verdict_code path_cert_extensions(const struct cert *c)
{
    if (c->ext_twice)
        return VERDICT_MALFORMED;
    return c->ext & CERT_EXT_UNKNOWN_CRITICAL ? VERDICT_CRITICAL_EXTENSION : VERDICT_OK;
}

enum verdict_code path_cert_form(const struct cert *c)
{
    struct span issuer = c->issuer, rdns;

    if (!serial_ok(c->serial))
        return VERDICT_MALFORMED;
    if (!der_get(&issuer, DER_SEQUENCE, &rdns) || rdns.len == 0) /* RFC 5280 4.1.2.4 */
        return VERDICT_MALFORMED;
    return path_cert_extensions(c);
}

static uint32_t wanted_eku(enum verdict_purpose p)
{
    return p == VERDICT_FOR_CLIENT   ? CERT_EKU_CLIENT_AUTH
           : p == VERDICT_FOR_SERVER ? CERT_EKU_SERVER_AUTH
                                     : CERT_EKU_CLIENT_AUTH | CERT_EKU_SERVER_AUTH;
}

bool path_cert_eku_ok(const struct cert *c, enum verdict_purpose p)
{
    return !(c->ext & CERT_EXT_EKU) || p == VERDICT_FOR_ANY ||
           c->eku & (wanted_eku(p) | CERT_EKU_ANY);
}

enum verdict_code path_cert_leaf_usage(const struct cert *c, enum verdict_purpose p)
{
    uint16_t want = CERT_KU_DIGITAL_SIGNATURE | CERT_KU_KEY_AGREEMENT;

    if (p == VERDICT_FOR_SERVER)
        want |= CERT_KU_KEY_ENCIPHERMENT;
    if (!path_cert_eku_ok(c, p))
        return VERDICT_PURPOSE;
    if (p != VERDICT_FOR_ANY && (c->ext & CERT_EXT_KEY_USAGE) && !(c->key_usage & want))
        return VERDICT_KEY_USAGE;
    return VERDICT_OK;
}

enum verdict_code path_cert_ca_usage(const struct cert *c)
{
    if (!c->is_ca)
        return VERDICT_NOT_A_CA;
    if ((c->ext & CERT_EXT_KEY_USAGE) && !(c->key_usage & CERT_KU_KEY_CERT_SIGN))
        return VERDICT_KEY_USAGE;
    return VERDICT_OK;
}
