/**
 * rng: ChaCha20 with fast key erasure. One per core; seeded once from the kernel by whoever owns the
 * world (core/), from a number in simulations, so that a run replays.
 *
 * After each refill the first 32 bytes of the block become the next key, so what was handed out
 * cannot be computed from a later state. Not shared between threads.
 * Source: RFC 8439 2.3 (block function); Bernstein, "Fast-key-erasure random-number generators".
 */
#ifndef SALLYPORT_BASE_RNG_H
#define SALLYPORT_BASE_RNG_H

#include "base/siphash.h"

#define RNG_SEED_B  32
#define RNG_BLOCK_B 64
#define RNG_BLOCKS  8

/* Secret: the key and all bytes not yet handed out. */
struct rng {
    uint32_t key[8];
    uint32_t pos; /* first byte of `out` not handed out */
    uint8_t out[RNG_BLOCKS * RNG_BLOCK_B];
};

void rng_init(struct rng *r, const uint8_t seed[RNG_SEED_B]);
void rng_init_u64(struct rng *r, uint64_t seed); /* tests and simulations */

void rng_bytes(struct rng *r, void *out, size_t len);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); /* 0..n-1 without bias, n >= 1 */
struct sip_key rng_sip_key(struct rng *r);

/* One ChaCha20 block (RFC 8439 2.3), for the test against the RFC's vectors. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                    uint8_t out[RNG_BLOCK_B]);

#endif
