/**
 * arena: many small things that live and die together (a configuration, a snapshot).
 *
 * Control side only. Zeroed memory; nothing is freed on its own. Heap failure answers NULL.
 */
#ifndef SALLYPORT_BASE_ARENA_H
#define SALLYPORT_BASE_ARENA_H

#include "base/span.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used_b; /* handed out in all */
};

void arena_init(struct arena *a);
void arena_fini(struct arena *a);

void *arena_get(struct arena *a, size_t n, size_t each); /* zeroed, aligned to 16 */
char *arena_text(struct arena *a, struct span text);     /* a copy that ends in NUL */
struct span arena_copy(struct arena *a, struct span bytes);

#define ARENA_NEW(a, type)      ((type *)arena_get(a, 1, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_get(a, n, sizeof(type)))

#endif
