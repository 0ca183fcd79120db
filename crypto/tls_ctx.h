/**
 * tls_ctx: WOLFSSL_CTXs, which live longer than connections: one per core, so that no reference count
 * or lock is shared. A profile is what a virtual host or an upstream needs: settings and, for each
 * key type, an identity.
 *
 * Client chains are never judged by wolfSSL: contexts are in parse-only mode (certificates are asked for,
 * parsed, possession of the key is checked; no trust store is looked at or grows). The chain goes to the
 * callback of tls/, which asks crypto/verdict.
 */
#ifndef SALLYPORT_CRYPTO_TLS_CTX_H
#define SALLYPORT_CRYPTO_TLS_CTX_H

#include "base/report.h"
#include "crypto/identity.h"

struct WOLFSSL_CTX;
struct tls_profile;

#define TLS_IDENTITIES_MAX 4
#define TLS_ALPN_MAX       4

enum tls_version { TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 };

struct tls_settings {
    const char *name; /* of the host or upstream, for messages */
    bool server;
    struct identity *identities[TLS_IDENTITIES_MAX];
    uint32_t identity_count; /* a client may have none */
    enum tls_version min, max;
    const char *ciphers12, *ciphers13, *groups; /* colon-separated names; NULL: our defaults */
    const char *alpn[TLS_ALPN_MAX];             /* in order of preference */
    uint32_t alpn_count;
    bool ask_cert;        /* server: send CertificateRequest */
    bool ask_late;        /* but later, and only when needed, to clients that can be asked then */
    struct span ca_names; /* in it; struct ca_names' v. Empty: any CA's certificate may be shown */
    bool tickets;
};

/* Builds `cores` contexts per identity. Unknown names and empty results are mistakes in the report. */
MUST_CHECK res tls_profile_new(const struct tls_settings *s, unsigned cores, struct report *report,
                               struct tls_profile **out);
struct tls_profile *tls_profile_ref(struct tls_profile *p); /* control side only */

/**
 * Control side: give back a reference. Contexts that sessions still use are freed when they are gone:
 * the profile goes on a list that tls_profile_reap() walks.
 */
void tls_profile_unref(struct tls_profile *p);
uint32_t tls_profile_reap(void);

/* Hash over all settings and identities: same hash, interchangeable profiles (kept across reloads). */
const uint8_t *tls_profile_hash(const struct tls_profile *p);
MUST_CHECK res tls_settings_hash(const struct tls_settings *s, uint8_t out[32]);

/* --- for tls/, on a core --- */

/* One WOLFSSL_CTX of one core. tls/ sets its callbacks at first use. */
struct tls_core_ctx {
    struct span ca_names;
    struct WOLFSSL_CTX *wolf;
    uint32_t sessions; /* that hold it: written by its core, read by tls_profile_reap() */
    bool armed;
};

const struct tls_settings *tls_profile_settings(const struct tls_profile *p);
/* Its key agreement groups, as RFC 8446 4.2.7 numbers them. */
const uint16_t *tls_profile_groups(const struct tls_profile *p, uint32_t *count);
struct tls_core_ctx *tls_profile_ctx(struct tls_profile *p, unsigned core, uint32_t identity);

/* What tls/ hangs into a context; signatures are wolfSSL's (CallbackIORecv and so on). */
struct WOLFSSL;
struct WOLFSSL_X509_STORE_CTX;

struct tls_ctx_hooks {
    int (*recv)(struct WOLFSSL *ssl, char *buf, int len, void *io);
    int (*send)(struct WOLFSSL *ssl, char *buf, int len, void *io);
    int (*verify)(int preverify, struct WOLFSSL_X509_STORE_CTX *store);
    int (*sni)(struct WOLFSSL *ssl, int *alert, void *user);
    int (*status)(struct WOLFSSL *ssl, void *arg); /* where an identity has a staple */
    int (*ticket)(struct WOLFSSL *ssl, unsigned char *key_name, unsigned char *iv,
                  unsigned char *mac, int enc, unsigned char *ticket, int in_len, int *out_len,
                  void *user);
    void *user;
};

/* Once per context, by its core. */
void tls_core_ctx_arm(struct tls_core_ctx *c, const struct tls_settings *s,
                      const struct tls_ctx_hooks *hooks);

/* Hook compiled into wolfSSL (deploy/wolfssl-ca-names.patch): what a CertificateRequest names. */
const unsigned char *sallyport_ca_names(struct WOLFSSL *ssl, unsigned short *len);

/* Memory that only a client's wish for our OCSP response has cost. */
void tls_session_forget_status(struct WOLFSSL *ssl);

/* Send a fatal alert on a session; the library has no public call for it. */
void tls_session_alert(struct WOLFSSL *ssl, uint8_t alert);

/**
 * Post-handshake authentication (RFC 8446 4.6.2), for a session whose client has offered it. Before the handshake:
 * no CertificateRequest is to be sent in it, and what a later one needs is kept (2.5 KB).
 */
void tls_session_ask_late(struct WOLFSSL *ssl);
/* Ask now, once; the certificate comes to the hook `verify` of a later read. False: no memory, or no room below. */
bool tls_session_ask(struct WOLFSSL *ssl);

enum tls_answer {
    TLS_ANSWER_NONE_YET,
    TLS_ANSWER_CERT,    /* possession of its key is proven, and the answer is whole */
    TLS_ANSWER_NO_CERT, /* the client has none to show */
    TLS_ANSWER_UNPROVEN /* a certificate without proof, or no answer to the question: not to be trusted */
};

/* After tls_session_ask(), when something was read. */
enum tls_answer tls_session_answer(const struct WOLFSSL *ssl);
/* Nothing will be asked (any more): gives back what was kept for it. */
void tls_session_ask_no_more(struct WOLFSSL *ssl);

/* The session's identifier; with TLS 1.3 nothing but what a client of 1.2 would make of it (RFC 8446 D.4). */
struct span tls_session_id(struct WOLFSSL *ssl);

/* Plaintext that the library has decrypted and nobody has taken: look, and take n bytes. */
struct span tls_session_clear(struct WOLFSSL *ssl);
void tls_session_take(struct WOLFSSL *ssl, uint32_t n, bool more_coming);

static inline void tls_core_ctx_hold(struct tls_core_ctx *c)
{
    __atomic_store_n(&c->sessions, c->sessions + 1, __ATOMIC_RELEASE);
}

static inline void tls_core_ctx_drop(struct tls_core_ctx *c)
{
    __atomic_store_n(&c->sessions, c->sessions - 1, __ATOMIC_RELEASE);
}

/* The defaults, as `sallyport --help-config` shows them. */
const char *tls_default_ciphers(bool tls13);
const char *tls_default_groups(void);

#endif
