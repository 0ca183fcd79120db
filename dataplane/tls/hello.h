/**
 * hello: a TLS ClientHello, read before the TLS library sees it (RFC 8446 4.1.2, RFC 5246 7.4.1.2), so
 * that virtual host, certificate and limits are chosen before any memory is spent. Pure and bounded.
 *
 * It judges nothing that the library judges again; it only refuses what is not a ClientHello.
 */
#ifndef SALLYPORT_TLS_HELLO_H
#define SALLYPORT_TLS_HELLO_H

#include "base/res.h"
#include "base/span.h"

#define HELLO_MAX_B  (16384u + 256u) /* of handshake bytes; real ones have 0.2 to 2 KB */
#define HELLO_NAME_B 255u

enum hello_result {
    HELLO_DONE,
    HELLO_MORE,  /* not yet all there */
    HELLO_BAD,   /* not TLS, or broken: alert decode_error */
    HELLO_PLAIN, /* looks like plain HTTP */
    HELLO_TOO_LARGE,
};

struct hello {
    uint16_t version;            /* legacy_version */
    bool tls13;                  /* supported_versions offers TLS 1.3 */
    bool tls12;                  /* 1.2 is offered, in either way */
    char name[HELLO_NAME_B + 1]; /* server_name, lower case; "" when none (RFC 6066 3) */
    bool has_name;
    struct span suites;  /* cipher_suites, 2 bytes each */
    struct span sigalgs; /* signature_algorithms, 2 bytes each; empty: none sent */
    struct span groups;  /* supported_groups */
    struct span alpn;    /* ProtocolNameList, without its length */
    bool has_alpn;
    struct span versions;   /* supported_versions, 2 bytes each; empty: none sent */
    struct span extensions; /* all of them, each with type and length in front */
    bool reneg;             /* RFC 5746, by extension or by suite */
    bool has_ticket;        /* session_ticket or pre_shared_key comes along */
    bool post_auth; /* post_handshake_auth: can be asked for a certificate later (RFC 8446 4.2.6) */
};

/**
 * `in` is the beginning of the connection: TLS records. The handshake message may be spread over
 * several records; `scratch` (HELLO_MAX_B) takes it together when it is, and spans point into it or
 * into `in`.
 */
enum hello_result hello_parse(struct span in, uint8_t *scratch, struct hello *out);

/* Is `proto` among the protocols offered? */
bool hello_offers_alpn(const struct hello *h, struct span proto);
bool hello_offers_u16(struct span list, uint16_t value);

/* Can the client check a signature by a key of this sort? curve: 23, 24, 25 (RFC 8446 4.2.7). */
bool hello_takes_ecdsa(const struct hello *h, uint16_t curve);
bool hello_takes_rsa(const struct hello *h);
bool hello_takes_ed25519(const struct hello *h);

#endif
