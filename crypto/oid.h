/* Object identifiers, as the content of their DER. */
#ifndef SALLYPORT_CRYPTO_OID_H
#define SALLYPORT_CRYPTO_OID_H

#include "base/span.h"

/* In initialisers of static tables a compound literal is no constant: hence braces. */
#define OID_(text)                                   \
    {                                                \
        (const uint8_t *)("" text), sizeof(text) - 1 \
    }
#define OID(text) ((struct span)OID_(text))

/* RFC 8017 */
#define OID_RSA        OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define OID_RSA_MD5    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04")
#define OID_RSA_SHA1   OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05")
#define OID_MGF1       OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08")
#define OID_RSA_PSS    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")
#define OID_RSA_SHA256 OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")
#define OID_RSA_SHA384 OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c")
#define OID_RSA_SHA512 OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d")
#define OID_RSA_SHA224 OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e")
#define OID_EMAIL      OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01")
/* RFC 5480, RFC 5758 */
#define OID_EC           OID("\x2a\x86\x48\xce\x3d\x02\x01")
#define OID_P256         OID("\x2a\x86\x48\xce\x3d\x03\x01\x07")
#define OID_P384         OID("\x2b\x81\x04\x00\x22")
#define OID_P521         OID("\x2b\x81\x04\x00\x23")
#define OID_ECDSA_SHA1   OID("\x2a\x86\x48\xce\x3d\x04\x01")
#define OID_ECDSA_SHA224 OID("\x2a\x86\x48\xce\x3d\x04\x03\x01")
#define OID_ECDSA_SHA256 OID("\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define OID_ECDSA_SHA384 OID("\x2a\x86\x48\xce\x3d\x04\x03\x03")
#define OID_ECDSA_SHA512 OID("\x2a\x86\x48\xce\x3d\x04\x03\x04")
/* RFC 8410 */
#define OID_ED25519 OID("\x2b\x65\x70")
/* NIST */
#define OID_SHA1   OID("\x2b\x0e\x03\x02\x1a")
#define OID_SHA256 OID("\x60\x86\x48\x01\x65\x03\x04\x02\x01")
#define OID_SHA384 OID("\x60\x86\x48\x01\x65\x03\x04\x02\x02")
#define OID_SHA512 OID("\x60\x86\x48\x01\x65\x03\x04\x02\x03")
#define OID_SHA224 OID("\x60\x86\x48\x01\x65\x03\x04\x02\x04")
/* RFC 5280, RFC 6960, RFC 7633 */
#define OID_EKU_ANY       OID("\x55\x1d\x25\x00")
#define OID_EKU_SERVER    OID("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define OID_EKU_CLIENT    OID("\x2b\x06\x01\x05\x05\x07\x03\x02")
#define OID_EKU_OCSP      OID("\x2b\x06\x01\x05\x05\x07\x03\x09")
#define OID_AIA           OID("\x2b\x06\x01\x05\x05\x07\x01\x01")
#define OID_TLS_FEATURE   OID("\x2b\x06\x01\x05\x05\x07\x01\x18")
#define OID_AD_OCSP       OID("\x2b\x06\x01\x05\x05\x07\x30\x01")
#define OID_OCSP_BASIC    OID("\x2b\x06\x01\x05\x05\x07\x30\x01\x01")
#define OID_OCSP_NONCE    OID("\x2b\x06\x01\x05\x05\x07\x30\x01\x02")
#define OID_OCSP_NO_CHECK OID("\x2b\x06\x01\x05\x05\x07\x30\x01\x05")
#define OID_ANY_POLICY    OID("\x55\x1d\x20\x00")

#endif
