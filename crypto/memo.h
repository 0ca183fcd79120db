/**
 * memo: a bounded, per-core memory of signature checks. A check is a pure function of key, algorithm,
 * signed bytes and signature, so its answer may be kept by the hash of all of them; negative answers
 * too, so a flood of bad certificates costs one hash each. Old entries give way to new ones.
 */
#ifndef SALLYPORT_CRYPTO_MEMO_H
#define SALLYPORT_CRYPTO_MEMO_H

#include "base/res.h"
#include "base/span.h"

struct memo;

struct memo_stats {
    uint64_t hits, misses, evicted;
    uint64_t saved_cycles; /* TSC cycles of the checks that hits saved */
};

/* entries: rounded up to a power of two; 48 bytes each. */
MUST_CHECK res memo_new(uint32_t entries, struct memo **out);
void memo_free(struct memo *m);

bool memo_get(struct memo *m, const uint8_t key[32], bool *valid);
void memo_put(struct memo *m, const uint8_t key[32], bool valid, uint32_t cost_cycles);
void memo_stats(const struct memo *m, struct memo_stats *out);

#endif
