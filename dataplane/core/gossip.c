#include "core/gossip.h"

#include "base/ring.h"

#include <stdlib.h>

#define RING_B      (64u << 10) /* for one pair; less when there are many */
#define RING_MIN_B  (16u << 10)
#define RINGS_B_MAX (64u << 20)
#define PER_TURN    8u

struct gossip {
    uint32_t cores;
    struct ring *rings; /* [from * cores + to] */
    uint8_t *mem;
};

res gossip_new(uint32_t cores, struct gossip **out)
{
    uint32_t each = RING_B;
    size_t pairs = (size_t)cores * cores;
    struct gossip *g;

    *out = NULL;
    if (cores < 2)
        return OK;
    while (each > RING_MIN_B && pairs * each > RINGS_B_MAX)
        each /= 2;
    g = (struct gossip *)calloc(1, sizeof(*g));
    if (!g)
        return ERR(NOMEM);
    g->cores = cores;
    g->rings = (struct ring *)aligned_alloc(64, pairs * sizeof(struct ring));
    g->mem = (uint8_t *)aligned_alloc(64, pairs * each);
    if (!g->rings || !g->mem) {
        gossip_free(g);
        return ERR(NOMEM);
    }
    for (size_t i = 0; i < pairs; i++)
        ring_init(&g->rings[i], g->mem + i * each, each);
    *out = g;
    return OK;
}

void gossip_free(struct gossip *g)
{
    if (!g)
        return;
    free(g->rings);
    free(g->mem);
    free(g);
}

uint32_t gossip_tell(struct gossip *g, uint32_t me, struct peer *peer)
{
    uint32_t len = g ? peer_packed_b(peer) : 0, told = 0;

    if (len == 0)
        return 0;
    for (uint32_t to = 0; to < g->cores; to++) {
        struct ring *r = &g->rings[me * g->cores + to];
        uint8_t *at = to == me ? NULL : (uint8_t *)ring_reserve(r, 0, len);

        if (!at)
            continue;
        peer_pack(peer, at);
        ring_commit(r, len);
        told++;
    }
    peer_offered(peer);
    return told;
}

uint32_t gossip_hear(struct gossip *g, uint32_t me, struct peers *peers)
{
    uint32_t total = 0;

    for (uint32_t from = 0; g && from < g->cores; from++) {
        struct ring *r = &g->rings[from * g->cores + me];
        struct span packed;
        uint16_t kind;

        for (uint32_t n = 0; n < PER_TURN && from != me && ring_peek(r, &kind, &packed); n++) {
            peers_hear(peers, packed);
            ring_next(r);
            total++;
        }
    }
    return total;
}
