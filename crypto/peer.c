#include "crypto/peer_internal.h"

#include "base/must.h"
#include "crypto/heap.h"
#include "crypto/sig.h"

#include <stdlib.h>

#define CHAIN_BYTES_MAX 32768u

res peers_new(uint32_t entries, size_t bytes, struct memo *memo, struct peers **out)
{
    struct peers *p = (struct peers *)calloc(1, sizeof(*p));
    uint32_t slots = 64;

    if (!p)
        return ERR(NOMEM);
    while (slots < 2 * entries)
        slots *= 2;
    p->mask = slots - 1;
    p->cap = entries;
    p->memo = memo;
    p->entries = (struct peer *)calloc(entries, sizeof(struct peer));
    p->heads = (uint32_t *)calloc(slots, sizeof(uint32_t));
    if (!p->entries || !p->heads || !IS_OK(heap_new(bytes, &p->heap))) {
        peers_free(p);
        return ERR(NOMEM);
    }
    *out = p;
    return OK;
}

void peers_free(struct peers *p)
{
    if (!p)
        return;
    heap_free(p->heap);
    free(p->entries);
    free(p->heads);
    free(p);
}

void peers_stats(const struct peers *p, struct peers_stats *out)
{
    struct heap_stats h;

    heap_stats(p->heap, &h);
    *out = p->st;
    out->bytes = h.used_b;
}

static uint32_t index_of(const struct peers *p, const struct peer *e)
{
    return (uint32_t)(e - p->entries) + 1;
}

static struct peer *at(struct peers *p, uint32_t i)
{
    return i ? &p->entries[i - 1] : NULL;
}

/* --- unused ones, oldest first --- */

static void lru_add(struct peers *p, struct peer *e)
{
    e->lru_next = 0;
    e->lru_prev = p->lru_tail;
    if (p->lru_tail)
        at(p, p->lru_tail)->lru_next = index_of(p, e);
    else
        p->lru_head = index_of(p, e);
    p->lru_tail = index_of(p, e);
}

static void lru_remove(struct peers *p, struct peer *e)
{
    if (e->lru_prev)
        at(p, e->lru_prev)->lru_next = e->lru_next;
    else
        p->lru_head = e->lru_next;
    if (e->lru_next)
        at(p, e->lru_next)->lru_prev = e->lru_prev;
    else
        p->lru_tail = e->lru_prev;
}

/* --- the table --- */

static uint32_t *head_of(struct peers *p, const uint8_t id[32])
{
    uint32_t h;

    memcpy(&h, id, sizeof(h));
    return &p->heads[h & p->mask];
}

static struct peer *look_up(struct peers *p, const uint8_t id[32])
{
    for (struct peer *e = at(p, *head_of(p, id)); e; e = at(p, e->hash_next)) {
        if (memcmp(e->id, id, 32) == 0)
            return e;
    }
    return NULL;
}

static void give_up_texts(struct peers *p, struct peer *e)
{
    while (e->texts) {
        struct text *t = e->texts;

        e->texts = t->next;
        heap_put(p->heap, t);
    }
    e->texts_b = 0;
}

static void destroy(struct peers *p, struct peer *e)
{
    uint32_t *link = head_of(p, e->id);

    while (*link != index_of(p, e))
        link = &at(p, *link)->hash_next;
    *link = e->hash_next;
    lru_remove(p, e);
    give_up_texts(p, e);
    heap_put(p->heap, e->mem);
    memset(e, 0, sizeof(*e));
    e->hash_next = p->free_head;
    p->free_head = index_of(p, e);
    p->st.entries--;
    p->st.evicted++;
}

static struct peer *new_slot(struct peers *p)
{
    struct peer *e;

    if (p->free_head) {
        e = at(p, p->free_head);
        p->free_head = e->hash_next;
        return e;
    }
    return p->touched < p->cap ? &p->entries[p->touched++] : NULL;
}

static bool evict(struct peers *p)
{
    struct peer *e = at(p, p->lru_head);

    if (!e)
        return false;
    destroy(p, e);
    return true;
}

static void chain_id(const struct span *chain, uint32_t n, uint8_t scratch[CHAIN_BYTES_MAX + 64],
                     size_t *len, uint8_t id[32])
{
    size_t at_b = 0;

    for (uint32_t i = 0; i < n; i++) {
        scratch[at_b++] = (uint8_t)(chain[i].len >> 16);
        scratch[at_b++] = (uint8_t)(chain[i].len >> 8);
        scratch[at_b++] = (uint8_t)chain[i].len;
        memcpy(scratch + at_b, chain[i].p, chain[i].len);
        at_b += chain[i].len;
    }
    *len = at_b;
    sha256(span_of(scratch, at_b), id);
}

/* Parsed certificates first, their DER behind them. */
static bool fill(struct peers *p, struct peer *e, const struct span *chain, uint32_t n)
{
    size_t der_b = 0, certs_b = n * sizeof(struct cert);
    uint8_t *der;
    const char *why;

    for (uint32_t i = 0; i < n; i++)
        der_b += chain[i].len;
    e->mem = heap_get(p->heap, certs_b + der_b);
    while (!e->mem && evict(p))
        e->mem = heap_get(p->heap, certs_b + der_b);
    if (!e->mem)
        return false;
    e->certs = (struct cert *)e->mem;
    der = (uint8_t *)e->mem + certs_b;
    e->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(der, chain[i].p, chain[i].len);
        /* What cannot be read helps nobody; but without a leaf there is nothing to judge. */
        if (IS_OK(cert_parse(span_of(der, chain[i].len), &e->certs[e->n], &why)))
            e->n++;
        else if (i == 0)
            break;
        der += chain[i].len;
    }
    e->whole = e->n == n;
    return true;
}

static struct peer *add(struct peers *p, const uint8_t id[32], const struct span *chain, uint32_t n)
{
    struct peer *e = new_slot(p);
    uint32_t *head;

    if (!e && evict(p))
        e = new_slot(p);
    if (!e)
        return NULL;
    memset(e, 0, sizeof(*e));
    if (!fill(p, e, chain, n)) {
        e->hash_next = p->free_head;
        p->free_head = index_of(p, e);
        return NULL;
    }
    memcpy(e->id, id, 32);
    head = head_of(p, id);
    e->hash_next = *head;
    *head = index_of(p, e);
    p->st.entries++;
    return e;
}

struct peer *peer_get(struct peers *p, const struct span *chain, uint32_t n)
{
    uint8_t scratch[CHAIN_BYTES_MAX + 64], id[32];
    size_t total = 0, len;
    struct peer *e;

    for (uint32_t i = 0; i < n && n <= CERT_CHAIN_MAX; i++)
        total += chain[i].len;
    if (n == 0 || n > CERT_CHAIN_MAX || total > CHAIN_BYTES_MAX) {
        p->st.refused++;
        return NULL;
    }
    chain_id(chain, n, scratch, &len, id);
    e = look_up(p, id);
    if (e) {
        p->st.hits++;
        if (e->refs++ == 0)
            lru_remove(p, e);
        return e;
    }
    p->st.misses++;
    e = add(p, id, chain, n);
    if (!e) {
        p->st.refused++;
        return NULL;
    }
    e->refs = 1;
    return e;
}

void peer_ref(struct peer *peer)
{
    peer->refs++;
}

void peer_put(struct peers *p, struct peer *peer)
{
    MUST_HOT(peer->refs > 0);
    if (--peer->refs == 0)
        lru_add(p, peer);
}

struct peer *peer_find(struct peers *p, const uint8_t id[32])
{
    struct peer *e = look_up(p, id);

    if (e && e->refs++ == 0)
        lru_remove(p, e);
    return e;
}

const uint8_t *peer_id(const struct peer *peer)
{
    return peer->id;
}

const struct cert *peer_leaf(const struct peer *peer)
{
    return peer->n ? &peer->certs[0] : NULL;
}

uint32_t peer_chain(const struct peer *peer, const struct cert **chain)
{
    *chain = peer->certs;
    return peer->n;
}
