#include "base/pool.h"

#include "base/must.h"

#include <string.h>
#include <sys/mman.h>

#define HUGE_FROM_B (32u << 20)

static void *map_zeroed(size_t len)
{
    void *p =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    if (len >= HUGE_FROM_B) /* visited at random: fewer pages, fewer misses of the TLB */
        (void)madvise(p, len, MADV_HUGEPAGE);
    return p;
}

res pool_init(struct pool *p, uint32_t obj_b, uint32_t cap)
{
    memset(p, 0, sizeof(*p));
    p->obj_b = (obj_b < 8 ? 8 : obj_b + 7u) & ~7u;
    p->cap = cap;
    p->mem = (uint8_t *)map_zeroed((size_t)p->obj_b * cap);
    if (!p->mem)
        return ERR(NOMEM);
    p->gens = (uint32_t *)map_zeroed(sizeof(uint32_t) * (size_t)cap);
    if (!p->gens) {
        munmap(p->mem, (size_t)p->obj_b * cap);
        return ERR(NOMEM);
    }
    return OK;
}

void pool_fini(struct pool *p)
{
    if (!p->mem)
        return;
    munmap(p->mem, (size_t)p->obj_b * p->cap);
    munmap(p->gens, sizeof(uint32_t) * (size_t)p->cap);
    memset(p, 0, sizeof(*p));
}

void *pool_get(struct pool *p)
{
    uint32_t i;

    if (p->free_head) {
        i = p->free_head - 1;
        memcpy(&p->free_head, pool_at(p, i), sizeof(uint32_t));
    } else if (p->touched < p->cap) {
        i = p->touched++;
    } else {
        p->refused++;
        return NULL;
    }
    p->gens[i]++;
    if (++p->used > p->peak)
        p->peak = p->used;
    return pool_at(p, i);
}

void pool_put(struct pool *p, void *obj)
{
    uint32_t i = pool_index(p, obj);

    MUST_HOT(i < p->touched && (p->gens[i] & 1));
    p->gens[i]++;
    memcpy(obj, &p->free_head, sizeof(uint32_t));
    p->free_head = i + 1;
    p->used--;
}
