#include "base/arena.h"

#include <stdlib.h>

#define ARENA_BLOCK_B (64u * 1024)

struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    _Alignas(16) uint8_t mem[];
};

void arena_init(struct arena *a)
{
    memset(a, 0, sizeof(*a));
}

void arena_fini(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;

        a->blocks = b->next;
        free(b);
    }
    a->used_b = 0;
}

static struct arena_block *block_for(struct arena *a, size_t need)
{
    size_t cap = need > ARENA_BLOCK_B ? need : ARENA_BLOCK_B;
    struct arena_block *b = a->blocks;

    if (b && b->cap - b->used >= need)
        return b;
    b = (struct arena_block *)calloc(1, sizeof(*b) + cap);
    if (!b)
        return NULL;
    b->cap = cap;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

void *arena_get(struct arena *a, size_t n, size_t each)
{
    struct arena_block *b;
    size_t need;
    void *p;

    if (__builtin_mul_overflow(n, each, &need) || need > SIZE_MAX / 2)
        return NULL;
    need = (need + 15) & ~(size_t)15;
    if (need == 0)
        need = 16;
    b = block_for(a, need);
    if (!b)
        return NULL;
    p = b->mem + b->used;
    b->used += need;
    a->used_b += need;
    return p;
}

char *arena_text(struct arena *a, struct span text)
{
    char *p = (char *)arena_get(a, text.len + 1, 1);

    if (p && text.len)
        memcpy(p, text.p, text.len);
    return p;
}

struct span arena_copy(struct arena *a, struct span bytes)
{
    char *p = arena_text(a, bytes);

    return p ? span_of(p, bytes.len) : SPAN_NONE;
}
