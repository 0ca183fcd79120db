/**
 * peer: one stack against a peer that is played by hand: segments are put in as bytes, and everything the
 * stack sends is kept with its time. Virtual time; one seed; for scripts (script.h) and for tests in C.
 *
 * Sequence numbers are relative: 0 is the SYN of the side whose space it is.
 */
#ifndef SALLYPORT_TESTS_PEER_H
#define SALLYPORT_TESTS_PEER_H

#include "sim/device.h"
#include "tcp/internal.h" /* scenarios look into connections */

#define PEER_MS(n)    ((uint64_t)((double)(n)*1000000))
#define PEER_PORT     443  /* ours, when we listen; the peer's, when we connect */
#define PEER_RPORT    4000 /* the peer's, when it connects */
#define PEER_TUPLES   64
#define PEER_IRS      1000000u /* the peer's initial sequence number, unless told otherwise */
#define PEER_PAYLOADS 65536u

/* A segment, to be put in or that came out. */
struct peer_seg {
    struct tcp_seg s; /* absolute numbers */
    uint16_t peer_port;
    uint8_t ecn;
    uint64_t at; /* when it came out */
    bool payload_wrong;
};

/* What the application above the stack sees and does. One per connection. */
struct peer_app {
    struct stream *s;
    uint16_t peer_port;
    uint32_t ev; /* since the last look */
    enum stream_why why;
    uint64_t got, wrote, to_write, answer; /* answer: written once, when something can be read */
    bool reads, eof, wrong, closed;
};

struct peer {
    struct tcp *t;
    struct tcp_settings set;
    struct device device;
    struct nbuf_pool pool, wire; /* wire: what comes in is not taken from the stack's buffers */
    struct rng rng;
    struct ip_addr us, them;
    uint64_t now;
    uint16_t mtu;
    bool v6, active;
    struct peer_seg *out; /* came out and was not looked at */
    uint32_t outs, cap;
    struct peer_app apps[PEER_TUPLES];
    uint32_t app_n;
    uint32_t irs, iss;
    bool iss_known, refuse, mute; /* mute: what comes out gets lost */
    uint32_t last_tsval;          /* newest that came out: what the peer echoes */
    uint32_t snd_hi;              /* end of what came out: what the peer acknowledges */
    uint16_t lport;               /* of our newest active open */
    uint64_t ctr0[TCP_CTR_COUNT];
    uint64_t sent;
};

/* Settings may be changed between open and start. */
void peer_open(struct peer *p, bool v6);
void peer_start(struct peer *p);
/* Frees everything; what is left behind, or NULL. */
const char *peer_close(struct peer *p);

void peer_listen(struct peer *p, uint16_t port);
enum stream_why peer_connect(struct peer *p);

/* One turn with these segments in it; late_ns: how long ago they arrived. Numbers are absolute. */
struct peer_in {
    struct tcp_hdr_plan h; /* ports are filled in */
    uint32_t len;          /* bytes of pattern */
    uint32_t pattern_at;   /* position of the first in the peer's stream */
    uint16_t peer_port;
    uint8_t ecn;
    uint64_t late_ns;
    int32_t flip;                        /* byte to spoil after the checksum; -1: none */
    const uint8_t *raw_options;          /* instead of h's, padded to words */
    uint8_t raw_options_b, offset_words; /* offset_words: 0 = what is right */
    uint16_t urgent;
    uint8_t fill; /* xor on the payload: for overlaps with other content */
    uint8_t reserved;
    bool no_turn; /* part of a burst: the turn comes with a later one */
};

void peer_put(struct peer *p, const struct peer_in *in);
void peer_turn(struct peer *p);

/* Let time pass up to `until`, or until something comes out. True: it did. */
bool peer_wait(struct peer *p, uint64_t until);
bool peer_take(struct peer *p, struct peer_seg *out);

struct peer_app *peer_app_of(struct peer *p, uint16_t peer_port);
void peer_app_write(struct peer *p, struct peer_app *a, uint64_t n);
struct tcp_conn *peer_conn(struct peer *p, uint16_t peer_port);
uint8_t peer_pattern(uint64_t n);

#endif
