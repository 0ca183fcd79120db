/**
 * ticket: keys for session tickets (RFC 5077 4, RFC 8446 4.6.1). Each core has its own copy of one
 * chain that all cores begin with: key n+1 and the chain's next state are both hashes of the present
 * state, which is then wiped. So all cores agree without talking, old keys cannot be computed from what
 * is in memory later, and nobody has to publish anything.
 *
 * The present key seals, the present and the previous one open.
 *
 * Appliances that stand side by side are given keys instead, all of them the same: the first seals, all open.
 * To rotate: put the new key first, and take the last one away later.
 */
#ifndef SALLYPORT_CRYPTO_TICKET_H
#define SALLYPORT_CRYPTO_TICKET_H

#include "base/report.h"
#include "base/span.h"

#define TICKET_SEED_B  32
#define TICKET_NAME_B  16
#define TICKET_NONCE_B 12
#define TICKET_TAG_B   16
#define TICKET_EPOCH_S 3600 /* a ticket lives one to two hours */

/* Secret. */
struct ticket_key {
    uint8_t name[TICKET_NAME_B];
    uint8_t key[32];
};

#define TICKET_KEYS_MAX 4

/* Secret. Keys that were given; n == 0: none. */
struct ticket_set {
    struct ticket_key k[TICKET_KEYS_MAX];
    uint32_t n;
};

/* Lines of 64 hex digits, the key that seals first; '#' begins a comment. `file`: for messages. */
MUST_CHECK res ticket_set_parse(struct span text, const char *file, struct report *report,
                                struct ticket_set *out);
MUST_CHECK res ticket_set_load(const char *file, struct report *report, struct ticket_set *out);

/* Secret. One core's. */
struct tickets {
    uint8_t chain[TICKET_SEED_B];
    int64_t epoch; /* of `now`; -1: not begun */
    struct ticket_key now, before;
    bool has_before;
    struct ticket_set given;
};

/* All cores of a process: the same seed and the same start time. */
void tickets_init(struct tickets *t, const uint8_t seed[TICKET_SEED_B], int64_t start_s);
void tickets_fini(struct tickets *t);

/* From now on these keys; none: those of the chain. Tickets of the chain's keys open in any case. */
void tickets_use(struct tickets *t, const struct ticket_set *set);

/* Bring the keys up to date. Bound: one step per hour gone by, at most 3 a call. */
void tickets_tick(struct tickets *t, int64_t now_s);

/**
 * AES-256-GCM in place; name and nonce are authenticated too. `nonce` is the caller's, random.
 * Returns false when the cipher fails.
 */
bool ticket_seal(const struct tickets *t, uint8_t name[TICKET_NAME_B],
                 const uint8_t nonce[TICKET_NONCE_B], uint8_t *text, size_t len,
                 uint8_t tag[TICKET_TAG_B]);

/* False: unknown key or not authentic; text is then of no use. */
bool ticket_open(const struct tickets *t, const uint8_t name[TICKET_NAME_B],
                 const uint8_t nonce[TICKET_NONCE_B], uint8_t *text, size_t len,
                 const uint8_t tag[TICKET_TAG_B]);

#endif
