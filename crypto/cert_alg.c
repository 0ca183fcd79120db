/* AlgorithmIdentifiers of signatures, in certificates, CRLs and OCSP answers. */
#include "crypto/cert.h"
#include "crypto/der.h"
#include "crypto/oid.h"

static enum cert_hash hash_of_oid(struct span oid)
{
    static const struct {
        struct span oid;
        enum cert_hash hash;
    } known[] = {
        {OID_SHA1, CERT_HASH_SHA1},     {OID_SHA224, CERT_HASH_SHA224},
        {OID_SHA256, CERT_HASH_SHA256}, {OID_SHA384, CERT_HASH_SHA384},
        {OID_SHA512, CERT_HASH_SHA512},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (span_eq(oid, known[i].oid))
            return known[i].hash;
    }
    return CERT_HASH_OTHER;
}

/* AlgorithmIdentifier of a hash: parameters NULL or absent (RFC 4055 2.1). */
static bool hash_algorithm(struct span seq, enum cert_hash *out)
{
    struct span oid, null;
    bool there;

    if (!der_get(&seq, DER_OID, &oid) || !der_maybe(&seq, DER_NULL, &null, &there) || seq.len)
        return false;
    *out = hash_of_oid(oid);
    return true;
}

/* RSASSA-PSS-params (RFC 4055 3.1): only the same hash twice, and trailer 1. */
static bool pss_params(struct span alg, struct cert_alg *out)
{
    struct span seq, part, mgf, oid;
    enum cert_hash mgf_hash = CERT_HASH_SHA1;
    uint32_t salt = 20, trailer = 1;
    bool there;

    out->hash = CERT_HASH_SHA1;
    if (!der_get(&alg, DER_SEQUENCE, &seq) || alg.len)
        return false;
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 0, &part, &there))
        return false;
    if (there &&
        (!der_get(&part, DER_SEQUENCE, &mgf) || part.len || !hash_algorithm(mgf, &out->hash)))
        return false;
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 1, &part, &there))
        return false;
    if (there) {
        if (!der_get(&part, DER_SEQUENCE, &mgf) || part.len || !der_get(&mgf, DER_OID, &oid) ||
            !span_eq(oid, OID_MGF1) || !der_get(&mgf, DER_SEQUENCE, &part) || mgf.len ||
            !hash_algorithm(part, &mgf_hash))
            return false;
    }
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 2, &part, &there))
        return false;
    if (there && (!der_get(&part, DER_INTEGER, &oid) || part.len || !der_small(oid, &salt)))
        return false;
    if (!der_maybe(&seq, DER_CONTEXT_CONS | 3, &part, &there))
        return false;
    if (there && (!der_get(&part, DER_INTEGER, &oid) || part.len || !der_small(oid, &trailer)))
        return false;
    if (seq.len || trailer != 1 || salt > 64)
        return false;
    out->salt_b = (uint8_t)salt;
    if (mgf_hash != out->hash)
        out->hash = CERT_HASH_OTHER;
    return true;
}

bool cert_alg_parse(struct span seq, struct cert_alg *out)
{
    static const struct {
        struct span oid;
        enum cert_sig sig;
        enum cert_hash hash;
    } known[] = {
        {OID_RSA_SHA256, CERT_SIG_RSA_PKCS1, CERT_HASH_SHA256},
        {OID_RSA_SHA384, CERT_SIG_RSA_PKCS1, CERT_HASH_SHA384},
        {OID_RSA_SHA512, CERT_SIG_RSA_PKCS1, CERT_HASH_SHA512},
        {OID_RSA_SHA224, CERT_SIG_RSA_PKCS1, CERT_HASH_SHA224},
        {OID_RSA_SHA1, CERT_SIG_RSA_PKCS1, CERT_HASH_SHA1},
        {OID_RSA_MD5, CERT_SIG_RSA_PKCS1, CERT_HASH_MD5},
        {OID_ECDSA_SHA256, CERT_SIG_ECDSA, CERT_HASH_SHA256},
        {OID_ECDSA_SHA384, CERT_SIG_ECDSA, CERT_HASH_SHA384},
        {OID_ECDSA_SHA512, CERT_SIG_ECDSA, CERT_HASH_SHA512},
        {OID_ECDSA_SHA224, CERT_SIG_ECDSA, CERT_HASH_SHA224},
        {OID_ECDSA_SHA1, CERT_SIG_ECDSA, CERT_HASH_SHA1},
        {OID_ED25519, CERT_SIG_ED25519, CERT_HASH_NONE},
    };
    struct span oid, null;
    bool there;

    *out = (struct cert_alg){CERT_SIG_OTHER, CERT_HASH_OTHER, 0};
    if (!der_get(&seq, DER_OID, &oid) || !der_oid_ok(oid))
        return false;
    if (span_eq(oid, OID_RSA_PSS)) {
        out->sig = CERT_SIG_RSA_PSS;
        return pss_params(seq, out);
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!span_eq(oid, known[i].oid))
            continue;
        out->sig = known[i].sig;
        out->hash = known[i].hash;
        /* RSA has NULL (RFC 4055 5; some leave it out), the others nothing (RFC 5758, RFC 8410). */
        if (!der_maybe(&seq, DER_NULL, &null, &there) || seq.len)
            return false;
        return !there || (null.len == 0 && out->sig == CERT_SIG_RSA_PKCS1);
    }
    return true; /* not known: the verdict refuses it by name */
}
