/**
 * packet: the world of the target of that name, and what can happen in it.
 */
#ifndef SALLYPORT_TESTS_FUZZ_PACKET_H
#define SALLYPORT_TESTS_FUZZ_PACKET_H

#include "fuzz/fuzz.h"
#include "net/l3.h"
#include "tcp/tcp.h"

#define STREAMS 8

struct world {
    uint64_t now;
    struct rng rng;
    struct nbuf_pool pool;
    struct l3 *l3;
    struct tcp *tcp;
    struct ip_addr us[2], peer[2]; /* IPv4, IPv6 */
    bool six;                      /* the family that the peer speaks now */
    struct stream *streams[STREAMS];
    bool reading;
    /* Of the segment that was last sent to the peer. */
    uint32_t seq_next, ack;
    uint16_t our_port, peer_port;
    struct ip_addr src, dst;
    uint8_t head[20];
};

/* --- the input --- */

struct reader {
    const uint8_t *p;
    size_t left;
};

static inline uint32_t take(struct reader *r, unsigned bytes)
{
    uint32_t v = 0;

    while (bytes--) {
        v = v << 8 | (r->left ? *r->p : 0);
        if (r->left) {
            r->p++;
            r->left--;
        }
    }
    return v;
}

static inline struct span take_span(struct reader *r, size_t n)
{
    struct span s = span_of(r->p, n < r->left ? n : r->left);

    r->p += s.len;
    r->left -= s.len;
    return s;
}

/* --- packet_world.c --- */

void world_begin(struct world *w);
/* All is closed, time goes by: nothing may be left. */
void world_end(struct world *w);
void world_pass(struct world *w, uint64_t ns);
/* What is due, after something happened. */
void world_settle(struct world *w);
void world_frame(struct world *w, struct span bytes);

void app_connects(struct world *w);
void app_writes(struct world *w, uint32_t which, uint32_t n);
void app_ends(struct world *w, uint32_t which);
void app_lets_go(struct world *w, uint32_t which);

/* --- packet_peer.c --- */

void peer_raw(struct world *w, struct reader *r, bool mended);
void peer_segment(struct world *w, struct reader *r);
void peer_sack(struct world *w, struct reader *r);
void peer_flood(struct world *w, uint32_t n);
void peer_icmp_error(struct world *w, struct reader *r);
void peer_ack(struct world *w);

#endif
