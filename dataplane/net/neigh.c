#include "net/neigh.h"

#include <stdlib.h>

#define HEADS 1024u

res neigh_init(struct neigh_table *t, uint64_t key)
{
    memset(t, 0, sizeof(*t));
    t->key = key;
    t->entries = (struct neigh *)calloc(NEIGH_MAX, sizeof(struct neigh));
    t->heads = (uint32_t *)calloc(HEADS, sizeof(uint32_t));
    if (t->entries && t->heads)
        return OK;
    neigh_fini(t);
    return ERR(NOMEM);
}

static void drop_queue(struct neigh *n)
{
    for (uint8_t i = 0; i < n->queued; i++)
        nbuf_put_chain(n->queue[i]);
    n->queued = 0;
}

void neigh_fini(struct neigh_table *t)
{
    for (uint32_t i = 0; t->entries && i < NEIGH_MAX; i++)
        drop_queue(&t->entries[i]);
    free(t->entries);
    free(t->heads);
    memset(t, 0, sizeof(*t));
}

static uint32_t *head_of(const struct neigh_table *t, uint8_t port, const struct ip_addr *ip)
{
    uint64_t a, b;

    memcpy(&a, ip->b, 8);
    memcpy(&b, ip->b + 8, 8);
    a = (a ^ t->key) * 0x9e3779b97f4a7c15ULL ^ b ^ port;
    a *= 0xff51afd7ed558ccdULL ^ t->key;
    return &t->heads[(a >> 40) % HEADS];
}

struct neigh *neigh_find(const struct neigh_table *t, uint8_t port, const struct ip_addr *ip)
{
    for (uint32_t i = *head_of(t, port, ip); i; i = t->entries[i - 1].link) {
        struct neigh *n = &t->entries[i - 1];

        if (n->port == port && ip_eq(&n->ip, ip))
            return n;
    }
    return NULL;
}

static void unlink_entry(struct neigh_table *t, struct neigh *n)
{
    uint32_t *at = head_of(t, n->port, &n->ip), me = (uint32_t)(n - t->entries) + 1;

    while (*at && *at != me)
        at = &t->entries[*at - 1].link;
    if (*at)
        *at = n->link;
}

/* Somebody has to go: whoever was not used for the longest time. */
static struct neigh *evict(struct neigh_table *t)
{
    struct neigh *oldest = &t->entries[0];

    for (uint32_t i = 1; i < NEIGH_MAX; i++) {
        if (t->entries[i].used_ns < oldest->used_ns)
            oldest = &t->entries[i];
    }
    if (neigh_waits(oldest))
        t->waiting--;
    unlink_entry(t, oldest);
    drop_queue(oldest);
    return oldest;
}

struct neigh *neigh_get(struct neigh_table *t, uint8_t port, const struct ip_addr *ip,
                        uint64_t now_ns)
{
    struct neigh *n = neigh_find(t, port, ip);
    uint32_t *head;

    if (n)
        return n;
    n = t->used < NEIGH_MAX ? &t->entries[t->used++] : evict(t);
    memset(n, 0, sizeof(*n));
    n->ip = *ip;
    n->port = port;
    n->used_ns = now_ns;
    head = head_of(t, port, ip);
    n->link = *head;
    *head = (uint32_t)(n - t->entries) + 1;
    return n;
}

bool neigh_queue(struct neigh *n, struct nbuf *m)
{
    bool full = n->queued == NEIGH_QUEUE;

    if (full) {
        nbuf_put_chain(n->queue[0]);
        memmove(n->queue, n->queue + 1, sizeof(n->queue[0]) * (NEIGH_QUEUE - 1));
        n->queued--;
    }
    n->queue[n->queued++] = m;
    return full;
}
