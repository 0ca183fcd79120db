/**
 * capture: frames of one core, as they came and went, copied to a ring that control empties. Off, it costs a
 * predictable branch per burst. A full ring loses copies, never packets, and counts them.
 *
 * Thread  control switches and reads; the core writes
 */
#ifndef SALLYPORT_BASE_CAPTURE_H
#define SALLYPORT_BASE_CAPTURE_H

#include "base/ip.h"
#include "base/ring.h"

#define CAPTURE_RING_B (4u << 20)
#define CAPTURE_SNAP   9600u /* bytes kept of a frame, at most */

struct capture_filter {
    bool by_host;
    struct ip_prefix host; /* either end */
    uint16_t tcp_port;     /* either end; 0: any, and what is no TCP */
    int16_t port;          /* index of the port; -1: any */
    uint16_t snap;         /* bytes kept of a frame */
};

/* In front of each frame's bytes in the ring. */
struct capture_head {
    uint64_t ts_ns; /* of the core's clock */
    uint32_t len;   /* of the frame; fewer bytes may follow */
    uint8_t port, out;
    uint8_t pad[2];
};

struct capture {
    uint64_t filter[4]; /* a struct capture_filter; control stores, word by word */
    struct ring ring;
    void *mem;
    uint32_t on; /* odd: on; another number for each filter: control stores, the core loads */
};

MUST_CHECK res capture_init(struct capture *c);
void capture_fini(struct capture *c);

/* Control. Beginning throws away what is left of an earlier one. */
void capture_begin(struct capture *c, const struct capture_filter *f);
void capture_end(struct capture *c);

static inline bool capture_is_on(const struct capture *c)
{
    return __builtin_expect(__atomic_load_n(&c->on, __ATOMIC_RELAXED) & 1, 0);
}

/* Core: a frame in parts (head first; its headers lie in the first one). */
void capture_frame(struct capture *c, const struct span *parts, uint32_t n, bool out, uint8_t port,
                   uint64_t ts_ns);

#endif
