/**
 * heap: memory for a TLS library that wants malloc, from one core's own room. Size classes, O(1), no
 * locks, no system call after heap_new, a hard bound. What was once cut into pieces of one class stays
 * of that class.
 *
 * Thread  one; the addresses of one heap are recognised by any thread (heap_owns).
 */
#ifndef SALLYPORT_CRYPTO_HEAP_H
#define SALLYPORT_CRYPTO_HEAP_H

#include "base/res.h"

#include <stdint.h>

#define HEAP_LARGEST_B 65536u

struct heap;

struct heap_stats {
    uint64_t used_b; /* handed out, rounded to size classes */
    uint64_t peak_b;
    uint64_t cut_b; /* taken from the bound into classes */
    uint64_t bound_b;
    uint64_t refused; /* answers of NULL */
};

/* Reserves address room of bound_b; memory comes as it is touched. */
MUST_CHECK res heap_new(size_t bound_b, struct heap **out);
void heap_free(struct heap *h);

void *heap_get(struct heap *h,
               size_t n); /* aligned to 16; NULL: bound reached or n > HEAP_LARGEST_B */
void heap_put(struct heap *h, void *p);
size_t heap_size(const struct heap *h, const void *p); /* usable bytes */
bool heap_owns(const struct heap *h, const void *p);
void heap_stats(const struct heap *h, struct heap_stats *out);

#endif
