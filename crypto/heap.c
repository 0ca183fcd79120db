#include "crypto/heap.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Classes: 16-byte steps up to 128, then four to each doubling: at most a quarter is wasted. */
#define SMALL_CLASSES 8u
#define CLASSES       (SMALL_CLASSES + 4u * 9u)
#define PAGE_B        65536u

struct piece {
    struct piece *next;
};

struct heap {
    uint8_t *mem;
    size_t bound_b;
    uint32_t pages, pages_used;
    uint8_t *page_class; /* class of each page */
    struct piece *free[CLASSES];
    uint8_t *cut_at[CLASSES], *cut_end[CLASSES]; /* rest of the page being cut */
    struct heap_stats st;
};

static uint32_t class_size(uint32_t c)
{
    uint32_t step, base;

    if (c < SMALL_CLASSES)
        return 16 * (c + 1);
    c -= SMALL_CLASSES;
    base = 128u << (c / 4);
    step = base / 4;
    return base + step * (c % 4 + 1);
}

static uint32_t class_of(size_t n)
{
    uint32_t log2, base, c;

    if (n <= 128)
        return n ? (uint32_t)((n - 1) / 16) : 0;
    log2 = 31 - (uint32_t)__builtin_clz((uint32_t)(n - 1));
    base = 1u << log2;
    c = ((uint32_t)n - 1 - base) / (base / 4);
    return SMALL_CLASSES + 4 * (log2 - 7) + c;
}

res heap_new(size_t bound_b, struct heap **out)
{
    struct heap *h = (struct heap *)calloc(1, sizeof(*h));

    if (!h)
        return ERR(NOMEM);
    h->pages = (uint32_t)(bound_b / PAGE_B);
    h->bound_b = (size_t)h->pages * PAGE_B;
    h->page_class = (uint8_t *)calloc(h->pages ? h->pages : 1, 1);
    h->mem = (uint8_t *)mmap(NULL, h->bound_b + PAGE_B, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!h->page_class || h->mem == MAP_FAILED) {
        free(h->page_class);
        free(h);
        return ERR(NOMEM);
    }
    /* Session keys live here. Best effort: an old kernel may not know the advice. */
    (void)madvise(h->mem, h->bound_b + PAGE_B, MADV_DONTDUMP);
    h->st.bound_b = h->bound_b;
    *out = h;
    return OK;
}

void heap_free(struct heap *h)
{
    if (!h)
        return;
    munmap(h->mem, h->bound_b + PAGE_B);
    free(h->page_class);
    free(h);
}

bool heap_owns(const struct heap *h, const void *p)
{
    return (const uint8_t *)p >= h->mem && (const uint8_t *)p < h->mem + h->bound_b;
}

/* A new page for class c. */
static bool cut_page(struct heap *h, uint32_t c)
{
    uint8_t *page;

    if (h->pages_used == h->pages)
        return false;
    page = h->mem + (size_t)h->pages_used * PAGE_B;
    h->page_class[h->pages_used++] = (uint8_t)c;
    h->cut_at[c] = page;
    h->cut_end[c] = page + PAGE_B;
    h->st.cut_b += PAGE_B;
    return true;
}

void *heap_get(struct heap *h, size_t n)
{
    uint32_t c, size;
    void *p;

    if (n > HEAP_LARGEST_B) {
        h->st.refused++;
        return NULL;
    }
    c = class_of(n);
    size = class_size(c);
    if (h->free[c]) {
        p = h->free[c];
        h->free[c] = h->free[c]->next;
    } else {
        if ((size_t)(h->cut_end[c] - h->cut_at[c]) < size && !cut_page(h, c)) {
            h->st.refused++;
            return NULL;
        }
        p = h->cut_at[c];
        h->cut_at[c] += size;
    }
    h->st.used_b += size;
    if (h->st.used_b > h->st.peak_b)
        h->st.peak_b = h->st.used_b;
    return p;
}

static uint32_t class_at(const struct heap *h, const void *p)
{
    return h->page_class[(size_t)((const uint8_t *)p - h->mem) / PAGE_B];
}

void heap_put(struct heap *h, void *p)
{
    uint32_t c = class_at(h, p);
    struct piece *piece = (struct piece *)p;

    MUST_HOT(heap_owns(h, p));
    piece->next = h->free[c];
    h->free[c] = piece;
    h->st.used_b -= class_size(c);
}

size_t heap_size(const struct heap *h, const void *p)
{
    return class_size(class_at(h, p));
}

void heap_stats(const struct heap *h, struct heap_stats *out)
{
    *out = h->st;
}
