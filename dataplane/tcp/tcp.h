/**
 * tcp: one core's TCP stack (RFC 9293). Everything that others may know of tcp/ is here; a connection
 * is a struct stream (stream/stream.h) to whoever owns it.
 *
 * The stack has no world of its own: clock, randomness, buffers, routes and the packet sink come in
 * from outside, so the product loop, the simulator and the fuzzers drive the same object.
 *
 * One turn of the caller's loop:
 *
 *     tcp_begin(t, now_ns);              the time of this turn
 *     tcp_input(t, m, &rx);              for every segment received
 *     tcp_timers(t);                     what is due
 *     tcp_upcalls(t);                    events to owners, once per stream; owners read and write
 *     tcp_flush(t);                      what owners wrote, ACKs and window updates go out
 *
 * Thread  one core. Nothing here is shared, locked, blocking or on the general heap after tcp_new.
 */
#ifndef SALLYPORT_TCP_TCP_H
#define SALLYPORT_TCP_TCP_H

#include "base/ctr.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/rng.h"
#include "net/nbuf.h"
#include "stream/stream.h"

struct tcp;

/* A connection's four-tuple as seen from here. */
struct tcp_tuple {
    struct ip_addr laddr, raddr;
    uint16_t lport, rport; /* host order */
};

/* What the IP layer knows of a received segment. */
struct tcp_rx {
    struct ip_addr src, dst;
    uint64_t arrived_ns; /* time of the burst: RACK and RTT measure from it (RFC 8985 6.2) */
    uint8_t ecn;         /* the two ECN bits of the IP header (RFC 3168) */
    uint8_t ahead;       /* announced by tcp_ahead() in this slot; 0: it was not */
};

/* What the IP layer needs to know to send one. */
struct tcp_tx {
    struct ip_addr src, dst;
    uint8_t ecn;
    uint8_t hdr_b;    /* TCP header with options */
    bool csum;        /* the device is to write the checksum */
    uint16_t tso_mss; /* payload is to be cut by the device; 0 = it is one segment */
};

#define TCP_OFFLOAD_CSUM 1u /* the device fills in TCP checksums */
#define TCP_OFFLOAD_TSO  2u /* it cuts runs of at most TCP_RUN_MAX segments; with TCP_OFFLOAD_CSUM */
#define TCP_RUN_MAX      16u

/* The world, handed in. */
struct tcp_env {
    void *ctx;
    struct nbuf_pool *pool;
    struct rng *rng;
    struct log_out *log; /* may be NULL */
    uint32_t offloads;

    /**
     * Send one segment. m begins with the TCP header; payload may go on in next buffers. The TCP
     * checksum is complete, or with TCP_OFFLOAD_CSUM the pseudo header's sum.
     * Takes  m, whatever comes of it; a packet that could not be sent counts as lost on the way
     */
    void (*output)(void *ctx, struct nbuf *m, const struct tcp_tx *tx);

    /**
     * Source address and path MTU (IP packet size) towards dst. When *src is not "any" it is kept and
     * only the MTU is asked. False: no route.
     */
    bool (*route)(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu);

    /* Do packets of this tuple reach this core? NULL: all do. Constant while the stack lives. */
    bool (*owns)(void *ctx, const struct tcp_tuple *t);

    /* Forward progress towards dst (RFC 4861 7.3.1): its neighbour is alive. May be NULL. */
    void (*confirm)(void *ctx, const struct ip_addr *dst);

    /* The opposite (RFC 1122 3.3.1.4): segments towards dst time out again and again. May be NULL. */
    void (*doubt)(void *ctx, const struct ip_addr *dst);
};

/* Bounds and times of one core; tcp_settings_default() fills in reference values. */
struct tcp_settings {
    uint32_t conns_max; /* connections */
    uint32_t reqs_max;  /* handshakes in progress; beyond: SYN cookies */
    uint32_t tw_max;    /* TIME_WAIT and ownerless FIN_WAIT_2 entries */
    uint32_t orphans_max;
    uint32_t reqs_per_prefix;  /* of one /24 or /56; beyond: SYN cookies */
    uint32_t conns_per_prefix; /* accepted; beyond: SYNs are dropped; 0: no such bound */
    uint64_t tx_budget_b;      /* memory for unacknowledged and unsent data, whole core */
    uint64_t rx_budget_b;      /* memory for received data not consumed, whole core */
    uint32_t rcvbuf_start_b, rcvbuf_max_b;
    uint32_t sndbuf_max_b;
    uint32_t rto_min_us, rto_max_us, rto_initial_us;
    uint32_t delack_us;
    uint32_t syn_retries; /* SYN and SYN-ACK resends at 1 s, 3 s, ...; then failure */
    uint32_t user_timeout_ms;
    uint32_t keep_idle_ms, keep_intvl_ms, keep_count;
    uint32_t persist_max_ms;
    uint32_t time_wait_ms, fin_wait2_ms, linger_ms, linger_b;
    uint32_t initial_window;   /* segments (RFC 6928) */
    uint16_t port_lo, port_hi; /* local ports of outgoing connections */
    uint16_t mss_max;          /* 0 = from the MTU */
    bool timestamps, sack, window_scaling, ecn;
    bool pacing; /* of large windows (pace.c) */
};

void tcp_settings_default(struct tcp_settings *s);

MUST_CHECK res tcp_new(const struct tcp_settings *s, const struct tcp_env *env, uint64_t now_ns,
                       struct tcp **out);
/* Drops all connections without a word to anybody. */
void tcp_free(struct tcp *t);

void tcp_begin(struct tcp *t, uint64_t now_ns);

/**
 * One segment from the IP layer, trimmed to the IP total length; m's data begins at the TCP header.
 * Takes  m
 * Bound  O(log n) in out-of-order ranges and segments in flight, both bounded
 */
void tcp_input(struct tcp *t, struct nbuf *m, const struct tcp_rx *rx);

/**
 * A segment of this tuple is about to come: fetch what finding its connection will touch, so that the cache
 * misses of a burst overlap. tcp_ahead() for all of the burst, then tcp_ahead_conn() for all, then
 * tcp_input(). Slots are 1 to TCP_AHEAD_MAX. Nothing is promised: what comes may be something else.
 */
#define TCP_AHEAD_MAX 32u
void tcp_ahead(struct tcp *t, uint32_t slot, const struct tcp_tuple *tuple);
void tcp_ahead_conn(struct tcp *t, uint32_t slot);

/* An ICMP error about a segment of ours (RFC 5927 checks are made here). */
enum tcp_icmp { TCP_ICMP_UNREACH_SOFT, TCP_ICMP_UNREACH_HARD, TCP_ICMP_TOO_BIG };
void tcp_icmp_error(struct tcp *t, const struct tcp_tuple *quoted, uint32_t quoted_seq,
                    enum tcp_icmp what, uint16_t mtu);

/* Bound: at most 256 timers per call; the rest is next turn's. */
void tcp_timers(struct tcp *t);
void tcp_upcalls(struct tcp *t);
void tcp_flush(struct tcp *t);

/* When the stack wants its next turn, packets or not. WHEEL_NEVER: only when packets come. */
uint64_t tcp_next_deadline(const struct tcp *t);

/* --- server side --- */

/**
 * A new connection was established. Its first event (OPEN, with READABLE when data came along)
 * follows in tcp_upcalls of the same turn. Returning false refuses it: RST.
 */
typedef bool tcp_accept_fn(void *ctx, struct stream *s, const struct tcp_tuple *tuple);

/* Replaces a listener of the same address and port. `local` may be "any". */
MUST_CHECK res tcp_listen(struct tcp *t, const struct endpoint *local, tcp_accept_fn *accept,
                          void *ctx);
/* Handshakes in progress are dropped, connections stay. */
void tcp_unlisten(struct tcp *t, const struct endpoint *local);

/* --- client side --- */

struct tcp_connect {
    struct endpoint remote;
    struct ip_addr local; /* "any": by route */
    uint32_t timeout_ms;  /* until OPEN; 0 = as syn_retries says */
    uint32_t rto_min_us;  /* 0 = as in the settings */
};

/**
 * Begin to connect. OPEN or CLOSED follows.
 * Returns  NULL with *why when it cannot even begin (no route, no port, no memory)
 */
struct stream *tcp_connect(struct tcp *t, const struct tcp_connect *how,
                           const struct stream_owner *ops, void *owner, enum stream_why *why);

/* --- looking in --- */

#define TCP_STATES(X) \
    X(CLOSED)         \
    X(SYN_SENT)       \
    X(SYN_RCVD)       \
    X(ESTABLISHED) X(FIN_WAIT_1) X(FIN_WAIT_2) X(CLOSE_WAIT) X(CLOSING) X(LAST_ACK) X(TIME_WAIT)

enum tcp_state {
#define X(name) TCP_ST_##name,
    TCP_STATES(X)
#undef X
        TCP_ST_COUNT,
};

const char *tcp_state_name(enum tcp_state st);

/* As `ss -ti` shows it. */
struct tcp_info {
    struct tcp_tuple tuple;
    enum tcp_state state;
    uint32_t srtt_us, rttvar_us, min_rtt_us, rto_us;
    uint32_t cwnd_b, ssthresh_b, in_flight_b, snd_wnd_b, rcv_wnd_b;
    uint32_t rx_queued_b, tx_queued_b;
    uint16_t snd_mss, rcv_mss;
    uint8_t snd_wscale, rcv_wscale, backoff;
    bool ts, sack, ecn, in_recovery, passive;
    uint64_t bytes_in, bytes_out;
    uint32_t retrans_segs;
    uint64_t idle_us;
    struct handle id;
};

/* `s` is a stream of this module. */
void tcp_stream_info(const struct stream *s, struct tcp_info *out);
const struct tcp_tuple *tcp_stream_tuple(const struct stream *s);
bool tcp_stream_is(const struct stream *s);

/**
 * Walk over all connections, a few at a time: begin with *cursor = 0, call until it returns 0.
 * Returns  the number of entries written to `out`, at most `max`; looks at no more than 4 * max slots
 */
uint32_t tcp_walk(const struct tcp *t, uint32_t *cursor, struct tcp_info *out, uint32_t max);

struct tcp_gauges {
    uint32_t conns, established, reqs, time_wait, orphans;
    uint64_t rx_queued_b, tx_queued_b;
    uint32_t ports_free_min;
    uint64_t mem_b; /* of connections in all their states, without what is queued */
};

void tcp_gauges(const struct tcp *t, struct tcp_gauges *out);

/* Counters, in the order of tcp/tcp_ctr.def; names are those of nstat where nstat has one. */
const uint64_t *tcp_counters(const struct tcp *t);
extern const struct ctr_desc tcp_ctr_desc[];
extern const unsigned tcp_ctr_count;

#endif
