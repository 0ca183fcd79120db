/**
 * peer: the certificates a peer has shown, interned per core. Connections of the same client share one
 * entry, which keeps the raw chain, its parsed form, the texts that logs and headers want, and the
 * latest verdicts. So a returning client costs one SHA-256 of what it sent and no signature check,
 * and an idle connection only a pointer.
 *
 * Possession of the key is not proven by being here; that is the handshake's business, every time.
 */
#ifndef SALLYPORT_CRYPTO_PEER_H
#define SALLYPORT_CRYPTO_PEER_H

#include "crypto/crl_learn.h"
#include "crypto/view.h"

struct peers; /* one core's table */
struct peer;  /* one chain */

/* Something has to be asked about by OCSP: cert, which issuer has signed. Borrowed. */
typedef void (*peers_ask_fn)(void *ctx, const struct trust *trust, const struct cert *cert,
                             const struct cert *issuer);

/* Lists are missing: what a path teaches, first the certificate that names them (crypto/crl_learn.h). False: no
 * room now. Borrowed. */
typedef bool (*peers_teach_fn)(void *ctx, const struct trust *trust, const struct cert *const *path,
                               uint32_t n);

struct peers_stats {
    uint64_t hits, misses, refused, evicted;
    uint32_t entries;
    uint64_t bytes;
};

/**
 * Room for `entries` chains and `bytes` of DER; unused chains are kept until the room is needed, the
 * least recently used go first. All memory is taken here. Without a memo no verdict is remembered.
 */
MUST_CHECK res peers_new(uint32_t entries, size_t bytes, struct memo *memo, struct peers **out);
/* From now on: verdicts look into `table`, and what is missing there is asked for, once a second for each chain. */
void peers_use_ocsp(struct peers *p, struct ocsp_table *table, peers_ask_fn ask, void *ctx);
/* From now on: chains that are good but for lists that nobody has are told of. `key` is random. */
void peers_use_lists(struct peers *p, const struct sip_key *key, peers_teach_fn teach, void *ctx);
void peers_free(struct peers *p);
void peers_stats(const struct peers *p, struct peers_stats *out);

/**
 * Find or add a chain, leaf first; the caller gets a reference.
 * Returns  NULL when the table is full of chains in use, or the chain is longer than CERT_CHAIN_MAX or
 *          larger than 32 KB. A chain whose leaf cannot be parsed is kept too: its verdict is MALFORMED.
 */
struct peer *peer_get(struct peers *p, const struct span *chain, uint32_t n);
void peer_ref(struct peer *peer);
void peer_put(struct peers *p, struct peer *peer);

/* By the SHA-256 of the chain, as kept in session tickets; a reference, or NULL. */
struct peer *peer_find(struct peers *p, const uint8_t id[32]);
const uint8_t *peer_id(const struct peer *peer);

/**
 * For other cores' tables: the chain as bytes, offered once, when possession of the key has been shown.
 * peer_packed_b is 0 when it was offered before, came from there, or is not whole.
 */
uint32_t peer_packed_b(const struct peer *peer);
void peer_pack(struct peer *peer, uint8_t *to); /* peer_packed_b() bytes */
void peer_offered(struct peer *peer);
/* Takes in what another core has packed; known ones are left as they are. */
void peers_hear(struct peers *p, struct span packed);

/* The verdict on this chain, kept per (trust set with its revocation lists, purpose) until it could change. */
void peer_verdict(struct peers *p, struct peer *peer, const struct trust *trust,
                  enum verdict_purpose purpose, int64_t now_s, struct verdict *out);

/* The same when nobody waits any more for an OCSP answer that has not come. Not kept. */
void peer_verdict_late(struct peers *p, struct peer *peer, const struct trust *trust,
                       enum verdict_purpose purpose, int64_t now_s, struct verdict *out);

const struct cert *peer_leaf(const struct peer *peer); /* NULL when it cannot be parsed */
uint32_t peer_chain(const struct peer *peer, const struct cert **chain);

/**
 * The value of a view of the certificate (base/view.h). Made when first asked for and kept with the chain,
 * PEER_TEXTS_B for each and only while there is room; what is not kept is made again.
 * Returns p == NULL when there is no such thing; otherwise good until the next call, and a NUL behind it
 */
#define PEER_TEXTS_B 32768u
struct span peer_view(struct peers *p, struct peer *peer, const struct view *v, int64_t now_s);

/* Its subject, for log lines. Never NULL. */
const char *peer_subject(struct peers *p, struct peer *peer);

#endif
