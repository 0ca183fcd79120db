/**
 * tls_names: what two sides have agreed on in a handshake, as IANA's registries call it (TLS Supported Groups, TLS
 * SignatureScheme). Literals; NULL: there was no such thing, "unknown": it has no name here.
 */
#ifndef SALLYPORT_CRYPTO_TLS_NAMES_H
#define SALLYPORT_CRYPTO_TLS_NAMES_H

#include "base/res.h"

struct WOLFSSL;

/**
 * The group of the key exchange: "x25519", "X25519MLKEM768". A resumed session has one when keys were exchanged
 * again: as a rule with TLS 1.3, never with 1.2. After the handshake.
 */
const char *tls_session_group(struct WOLFSSL *ssl);

/**
 * With what the peer, or we, have signed in the handshake: "ecdsa_secp256r1_sha256". NULL in resumed sessions, and
 * for a client without certificate. In TLS 1.2 hash and curve are not tied together: the name tells the hash.
 * `pss_key`: that side's key is for RSASSA-PSS alone, which the library does not keep.
 */
const char *tls_session_peer_sigalg(struct WOLFSSL *ssl, bool pss_key);
const char *tls_session_own_sigalg(struct WOLFSSL *ssl, bool pss_key);

#endif
