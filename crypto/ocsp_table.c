#include "crypto/ocsp_table.h"

#include <stdlib.h>

#define WAYS  8u
#define TRIES 8

/* One cache line. All fields are read and written as whole words: `seq` says whether they belong together. */
struct slot {
    _Alignas(64) uint32_t seq; /* odd while it is being written */
    uint32_t what;             /* OCSP_IS_NEW: free */
    int64_t this_s, until_s;
    uint64_t id[OCSP_ID_B / 8];
    uint32_t touched; /* the only word that cores write */
};

_Static_assert(sizeof(struct slot) == 64, "an entry is one cache line");

struct ocsp_table {
    _Alignas(64) uint64_t version;
    uint64_t worse;
    _Alignas(64) struct slot *slots;
    void *mem;
    uint32_t mask; /* of buckets */
};

res ocsp_table_new(uint32_t entries, struct ocsp_table **out)
{
    struct ocsp_table *t = (struct ocsp_table *)aligned_alloc(64, sizeof(*t));
    uint32_t buckets = 8;
    size_t size;

    *out = NULL;
    if (!t)
        return ERR(NOMEM);
    memset(t, 0, sizeof(*t));
    while (buckets < entries / (WAYS / 2)) /* half full when all are there: few buckets overflow */
        buckets *= 2;
    t->mask = buckets - 1;
    size = (size_t)buckets * WAYS * sizeof(struct slot);
    /* Zero pages of the kernel's: what nobody asks about costs nothing. */
    t->mem = calloc(1, size + sizeof(struct slot));
    if (!t->mem) {
        free(t);
        return ERR(NOMEM);
    }
    t->slots = (struct slot *)(((uintptr_t)t->mem + 63) & ~(uintptr_t)63);
    *out = t;
    return OK;
}

void ocsp_table_free(struct ocsp_table *t)
{
    if (!t)
        return;
    free(t->mem);
    free(t);
}

/* An id is a hash already. */
static void words_of(const uint8_t id[OCSP_ID_B], uint64_t w[OCSP_ID_B / 8])
{
    memcpy(w, id, OCSP_ID_B);
}

static struct slot *bucket(const struct ocsp_table *t, const uint64_t w[OCSP_ID_B / 8])
{
    return &t->slots[((uint32_t)(w[0] >> 32) & t->mask) * WAYS];
}

static bool same_id(const struct slot *s, const uint64_t w[OCSP_ID_B / 8])
{
    bool same = true;

    for (unsigned i = 0; i < OCSP_ID_B / 8; i++)
        same &= __atomic_load_n(&s->id[i], __ATOMIC_ACQUIRE) == w[i];
    return same;
}

/* --- the one writer: orders by its words, as crypto/staple.c --- */

static struct slot *find(const struct ocsp_table *t, const uint64_t w[OCSP_ID_B / 8])
{
    struct slot *b = bucket(t, w);

    for (unsigned i = 0; i < WAYS; i++) {
        if (b[i].what != OCSP_IS_NEW && same_id(&b[i], w))
            return &b[i];
    }
    return NULL;
}

/* A free one, or the one that is over first. */
static struct slot *victim(const struct ocsp_table *t, const uint64_t w[OCSP_ID_B / 8])
{
    struct slot *b = bucket(t, w), *v = &b[0];

    for (unsigned i = 0; i < WAYS; i++) {
        if (b[i].what == OCSP_IS_NEW)
            return &b[i];
        if (b[i].until_s < v->until_s)
            v = &b[i];
    }
    return v;
}

static void write_slot(struct slot *s, const uint64_t w[OCSP_ID_B / 8], const struct ocsp_entry *e)
{
    __atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&s->what, (uint32_t)e->what, __ATOMIC_RELEASE);
    __atomic_store_n(&s->this_s, e->this_s, __ATOMIC_RELEASE);
    __atomic_store_n(&s->until_s, e->until_s, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < OCSP_ID_B / 8; i++)
        __atomic_store_n(&s->id[i], w[i], __ATOMIC_RELEASE);
    __atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
}

void ocsp_table_put(struct ocsp_table *t, const uint8_t id[OCSP_ID_B], const struct ocsp_entry *e)
{
    uint64_t w[OCSP_ID_B / 8];
    struct slot *s;
    bool worse;

    words_of(id, w);
    s = find(t, w);
    worse = e->what != OCSP_IS_GOOD && (!s || s->what != (uint32_t)e->what);
    write_slot(s ? s : victim(t, w), w, e);
    if (worse)
        __atomic_store_n(&t->worse, t->worse + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&t->version, t->version + 1, __ATOMIC_RELEASE);
}

void ocsp_table_drop(struct ocsp_table *t, const uint8_t id[OCSP_ID_B])
{
    static const struct ocsp_entry none = {OCSP_IS_NEW, 0, 0};
    uint64_t w[OCSP_ID_B / 8];
    struct slot *s;

    words_of(id, w);
    s = find(t, w);
    if (s)
        write_slot(s, w, &none);
}

bool ocsp_table_touched(struct ocsp_table *t, const uint8_t id[OCSP_ID_B])
{
    uint64_t w[OCSP_ID_B / 8];
    struct slot *s;

    words_of(id, w);
    s = find(t, w);
    return s && __atomic_exchange_n(&s->touched, 0, __ATOMIC_RELAXED);
}

/* --- readers --- */

/* False: it is not the one, or changes too fast to be read. */
static bool read_slot(const struct slot *s, const uint64_t w[OCSP_ID_B / 8], struct ocsp_entry *out)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint32_t seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);
        bool same;

        if (seq & 1)
            continue;
        same = same_id(s, w);
        out->what = (enum ocsp_what)__atomic_load_n(&s->what, __ATOMIC_ACQUIRE);
        out->this_s = __atomic_load_n(&s->this_s, __ATOMIC_ACQUIRE);
        out->until_s = __atomic_load_n(&s->until_s, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&s->seq, __ATOMIC_RELAXED) == seq)
            return same;
    }
    return false;
}

void ocsp_table_ask(struct ocsp_table *t, const uint8_t id[OCSP_ID_B], int64_t now_s,
                    struct ocsp_entry *out)
{
    uint64_t w[OCSP_ID_B / 8];
    struct slot *b;

    words_of(id, w);
    b = bucket(t, w);
    for (unsigned i = 0; i < WAYS; i++) {
        if (__atomic_load_n(&b[i].id[0], __ATOMIC_RELAXED) != w[0] || !read_slot(&b[i], w, out) ||
            out->what == OCSP_IS_NEW)
            continue;
        if (!__atomic_load_n(&b[i].touched, __ATOMIC_RELAXED))
            __atomic_store_n(&b[i].touched, 1, __ATOMIC_RELAXED);
        if (now_s <= out->until_s)
            return;
        break;
    }
    *out = (struct ocsp_entry){OCSP_IS_NEW, 0, 0};
}

uint64_t ocsp_table_version(const struct ocsp_table *t)
{
    return __atomic_load_n(&t->version, __ATOMIC_ACQUIRE);
}

uint64_t ocsp_table_worse(const struct ocsp_table *t)
{
    return __atomic_load_n(&t->worse, __ATOMIC_ACQUIRE);
}
