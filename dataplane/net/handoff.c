#include "net/handoff.h"

#include <stdlib.h>

#define PACKETS_B (16u << 10) /* 1024 of them: 8 bytes in front of each, and a pointer */
#define NEWS_B    (4u << 10)
#define PER_TURN  64u /* of one other core */
#define SEND      0x100u

enum news_what { NEWS_CLAIM, NEWS_ANSWER, NEWS_CONFLICT };

struct news {
    struct ip_addr ip;
    struct mac mac;
    uint8_t port, what;
};

static struct ring *packets_of(const struct handoff *h, uint32_t from, uint32_t to)
{
    return &h->packets[from * h->cores + to];
}

static struct ring *news_of(const struct handoff *h, uint32_t from, uint32_t to)
{
    return &h->news[from * h->cores + to];
}

res handoff_init(struct handoff *h, uint32_t cores, struct rng *rng)
{
    size_t pairs = (size_t)cores * cores, rings_b = pairs * sizeof(struct ring);
    uint8_t *at;

    memset(h, 0, sizeof(*h));
    h->cores = cores;
    steer_init(&h->steer, cores, STEER_RETA, rng);
    if (cores == 1)
        return OK;
    at = (uint8_t *)aligned_alloc(64, 2 * rings_b + pairs * (PACKETS_B + NEWS_B));
    if (!at)
        return ERR(NOMEM);
    h->mem = at;
    h->packets = (struct ring *)(void *)at;
    h->news = (struct ring *)(void *)(at + rings_b);
    at += 2 * rings_b;
    for (size_t i = 0; i < pairs; i++) {
        ring_init(&h->packets[i], at, PACKETS_B);
        ring_init(&h->news[i], at + PACKETS_B, NEWS_B);
        at += PACKETS_B + NEWS_B;
    }
    return OK;
}

static bool next_packet(struct ring *r, struct nbuf **m, uint16_t *how)
{
    struct span record;

    if (!ring_peek(r, how, &record))
        return false;
    memcpy(m, record.p, sizeof(*m));
    ring_next(r);
    return true;
}

void handoff_fini(struct handoff *h)
{
    struct nbuf *m;
    uint16_t how;

    for (uint32_t i = 0; h->mem && i < h->cores * h->cores; i++) {
        while (next_packet(&h->packets[i], &m, &how))
            nbuf_put_chain(m);
    }
    free(h->mem);
    h->mem = NULL;
}

bool handoff_owner(const struct handoff *h, uint32_t me, struct nbuf *m, uint32_t *owner,
                   uint32_t *hash)
{
    struct span frame = span_of(nbuf_data(m), nbuf_len(m));
    struct ip_addr src, dst;
    uint16_t sport, dport;

    *owner = me;
    if (!steer_tuple(frame, &src, &dst, &sport, &dport)) {
        if (h->reassembly && steer_fragment(frame, &src, &dst))
            *owner = steer_owner(&h->steer, &src, &dst, 0, 0);
        return false;
    }
    *hash = steer_hash(&h->steer, &src, &dst, sport, dport);
    *owner = steer_owner_of_hash(&h->steer, *hash);
    return true;
}

bool handoff_give(struct handoff *h, uint32_t me, uint32_t to, struct nbuf *m, uint8_t port,
                  bool send)
{
    struct ring *r = packets_of(h, me, to);
    void *record = ring_reserve(r, (uint16_t)(port | (send ? SEND : 0)), sizeof(m));

    if (!record) {
        nbuf_put_chain(m);
        return false;
    }
    memcpy(record, &m, sizeof(m));
    ring_commit(r, sizeof(m));
    return true;
}

static void tell(struct handoff *h, uint32_t me, const struct news *item)
{
    for (uint32_t to = 0; to < h->cores; to++) {
        void *record = to == me ? NULL : ring_reserve(news_of(h, me, to), 0, sizeof(*item));

        if (record) { /* no room: it will be said again, when it matters */
            memcpy(record, item, sizeof(*item));
            ring_commit(news_of(h, me, to), sizeof(*item));
        }
    }
}

void handoff_tell_heard(struct handoff *h, uint32_t me, uint8_t port, const struct ip_addr *ip,
                        const struct mac *mac, bool answer)
{
    const struct news item = {*ip, *mac, port, answer ? NEWS_ANSWER : NEWS_CLAIM};

    tell(h, me, &item);
}

void handoff_tell_conflict(struct handoff *h, uint32_t me, uint8_t port, const struct ip_addr *ip)
{
    const struct news item = {.ip = *ip, .port = port, .what = NEWS_CONFLICT};

    tell(h, me, &item);
}

static void poll_news(struct ring *r, const struct handoff_sink *sink)
{
    struct news item;
    struct span record;
    uint16_t kind;

    for (uint32_t n = 0; n < PER_TURN && ring_peek(r, &kind, &record); n++) {
        memcpy(&item, record.p, sizeof(item));
        ring_next(r);
        if (item.what == NEWS_CONFLICT)
            sink->conflict(sink->ctx, item.port, &item.ip);
        else
            sink->heard(sink->ctx, item.port, &item.ip, &item.mac, item.what == NEWS_ANSWER);
    }
}

uint32_t handoff_poll(struct handoff *h, uint32_t me, const struct handoff_sink *sink)
{
    uint32_t total = 0;

    if (h->cores == 1)
        return 0;
    for (uint32_t from = 0; from < h->cores; from++) {
        struct nbuf *m;
        uint16_t how;

        if (from == me)
            continue;
        for (uint32_t n = 0; n < PER_TURN && next_packet(packets_of(h, from, me), &m, &how); n++) {
            sink->packet(sink->ctx, m, (uint8_t)how, (how & SEND) != 0);
            total++;
        }
        poll_news(news_of(h, from, me), sink);
    }
    return total;
}
