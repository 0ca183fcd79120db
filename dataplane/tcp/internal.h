/**
 * internal: what the files of tcp/ share. Not for others: they see tcp.h.
 *
 *   stack.c    the core's stack: one turn, lists, lookups
 *   conn.c     life of a connection, state, events, its stream
 *   syn.c      listeners, requests (SYN_RCVD), cookies
 *   connect.c  active open            port.c   local ports
 *   in.c       segment arrives (RFC 9293 3.10.7)
 *   ack.c      acknowledgments, SACK scoreboard
 *   rack.c     loss detection (RFC 8985)
 *   recover.c  recovery, PRR, undo    cc.c     CUBIC, HyStart++    rtt.c   RTO
 *   rx.c       receive queue, out of order, window
 *   out.c      segments go out        reply.c  segments without a connection
 *   timer.c    what is due            tw.c     TIME_WAIT
 *   prefix.c   how much belongs to one source prefix
 *   info.c     looking in
 */
#ifndef SALLYPORT_TCP_INTERNAL_H
#define SALLYPORT_TCP_INTERNAL_H

#include "base/pool.h"
#include "base/wheel.h"
#include "tcp/flow.h"
#include "tcp/prefix.h"
#include "tcp/seq.h"
#include "tcp/tcp.h"
#include "tcp/wire.h"

/* --- bounds --- */
#define TCP_LISTENERS_MAX 64
#define TCP_OOO_MAX       256u  /* runs in the out-of-order queue of a connection */
#define TCP_TX_SEGS_MAX   2048u /* buffers in the send queue of a connection */
#define TCP_TIMERS_MAX    256u
#define TCP_MSS_MIN       216u /* smaller ones are refused: CVE-2019-11479 */
#define TCP_MSS_V4        536u /* RFC 9293 3.7.1 */
#define TCP_MSS_V6        1220u
#define TCP_ACK_BURST     8u  /* full segments that one ACK may cover */
#define TCP_QUICK_ACKS    16u /* first segments of a connection: each turn is acknowledged at once */
#define TCP_REQ_STAGES    3
#define TCP_SNDBUF_MIN_B  131072u /* what a stream may queue on any path */

enum tcp_counter {
#define CTR(sym, name, help) TCP_CTR_##sym,
#include "tcp/tcp_ctr.def"
#undef CTR
    TCP_CTR_COUNT,
};

/* --- one segment in the send queue: lives in its buffer's meta area --- */

enum {
    TSEG_SACKED = 1,
    TSEG_LOST = 2,
    TSEG_RETRANS = 4, /* sent again, and that copy is under way */
    TSEG_FIN = 8,
    TSEG_EVER = 16,  /* was ever sent again (Karn) */
    TSEG_TIMED = 32, /* in the list by time: sent, not SACKed, not lost */
};

struct tseg {
    struct nbuf *next, *prev;   /* in sequence */
    struct nbuf *tnext, *tprev; /* in order of latest transmission */
    uint64_t sent_ns;
    uint32_t seq;
    uint16_t len;
    uint8_t flags, times; /* times sent, saturates */
    uint32_t cut;         /* bytes at the end of the buffer that are not the segment's any more */
};

_Static_assert(sizeof(struct tseg) <= NBUF_META_B, "a segment's bookkeeping fits into its buffer");

static inline struct tseg *tseg_of(struct nbuf *m)
{
    return (struct tseg *)nbuf_meta(m);
}

static inline uint32_t tseg_space(const struct tseg *t)
{
    return t->len + (t->flags & TSEG_FIN ? 1u : 0u);
}

static inline uint32_t tseg_end(const struct tseg *t)
{
    return t->seq + tseg_space(t);
}

/* --- one buffer in the receive queues --- */

/* Out of order: ascending, without overlaps. What lies side by side is a run; its first buffer knows its end, so
 * that finding a place takes as many steps as there are holes, however much has come. */
struct rseg {
    struct nbuf *next;
    uint32_t seq, end;
    uint32_t run_end;  /* of a run's first buffer only, as is */
    struct nbuf *last; /* the run's last buffer */
};

static inline struct rseg *rseg_of(struct nbuf *m)
{
    return (struct rseg *)nbuf_meta(m);
}

/* --- a connection --- */

enum { TCP_OPT_TS = 1, TCP_OPT_SACK = 2, TCP_OPT_WS = 4, TCP_OPT_ECN = 8 };

enum {
    TCPF_UP = 1u << 0,          /* in the list of upcalls */
    TCPF_OUT = 1u << 1,         /* in the list of output */
    TCPF_ACK_NOW = 1u << 2,     /* an ACK goes out at the end of the turn */
    TCPF_ACK_DELAYED = 1u << 3, /* one is owed, by dl_ack at the latest */
    TCPF_FIN_WANTED = 1u << 4,  /* the owner will write nothing more */
    TCPF_FIN_QUEUED = 1u << 5,  /* FIN has its place in the send queue */
    TCPF_FIN_RCVD = 1u << 6,    /* FIN was received in order */
    TCPF_FIN_OOO = 1u << 7,     /* FIN was received, with bytes missing before it */
    TCPF_ORPHAN = 1u << 8,      /* closed by its owner */
    TCPF_WANT_WRITE = 1u << 9,  /* the owner found too little room */
    TCPF_RECOVERY = 1u << 10,   /* fast recovery */
    TCPF_LOSS = 1u << 11,       /* after a retransmission timeout */
    TCPF_TLP = 1u << 12,        /* a loss probe is out (RFC 8985 7) */
    TCPF_CWND_LIMITED = 1u << 13,
    TCPF_AGAIN = 1u << 14,    /* the owner wants an event in the next turn */
    TCPF_DSACK = 1u << 15,    /* dsack_from..dsack_to are to be reported */
    TCPF_REO_SEEN = 1u << 16, /* reordering was seen (RFC 8985 6.2) */
    TCPF_HYSTART = 1u << 17,  /* slow start watches delay (RFC 9406) */
    TCPF_CSS = 1u << 18,      /* conservative slow start */
    TCPF_SYN_LOST = 1u << 19, /* the SYN or SYN-ACK was sent again */
    TCPF_KEEP = 1u << 20,     /* keep-alive probes are out */
    TCPF_PASSIVE = 1u << 21,
    TCPF_DEAD = 1u << 22,       /* state CLOSED, waiting to be buried */
    TCPF_MTU_PROBED = 1u << 23, /* black hole: the MSS was lowered on suspicion */
    TCPF_ECE = 1u << 24,     /* congestion was marked: tell the peer until it says CWR (RFC 3168) */
    TCPF_CWR = 1u << 25,     /* our window was reduced for a mark: tell the peer once */
    TCPF_BIG_OK = 1u << 27,  /* a full-sized segment has come through */
    TCPF_REDUCED = 1u << 26, /* ... and not again before recovery_point */
};

/* In prr_out outside of recovery: the loss probe was a retransmission. */
#define TCP_TLP_RETRANS UINT32_MAX

/* What dl_rtx is for. */
enum tcp_rtx_kind { TCP_RTX_NONE, TCP_RTX_RTO, TCP_RTX_TLP, TCP_RTX_REO, TCP_RTX_PERSIST };

struct tcp_conn {
    /* line 0: who */
    struct stream s;
    struct tcp_tuple tuple;
    uint32_t flags;

    /* line 1: what every segment touches */
    uint32_t rcv_nxt, snd_una, snd_nxt, rcv_adv; /* rcv_adv: announced right edge, never retreats */
    uint32_t snd_wnd, snd_wl1, snd_wl2, snd_wnd_max;
    uint8_t state, rcv_wscale, snd_wscale, opts;
    uint8_t ev;       /* pending events */
    uint8_t why;      /* enum stream_why */
    uint8_t rtx_kind; /* enum tcp_rtx_kind */
    uint8_t quick;    /* segments still acknowledged without delay */
    uint32_t ts_recent, ts_recent_s, ts_off, last_ack_sent;
    uint16_t snd_mss; /* payload of a full segment, options taken off */
    uint16_t rcv_mss; /* largest payload received */
    uint32_t ack_b;   /* bytes received and not yet acknowledged */

    /* line 2: round trip, congestion */
    uint32_t srtt_us, rttvar_us, rto_us, min_rtt_us;
    uint32_t cwnd, ssthresh, prior_cwnd, prior_ssthresh; /* bytes */
    uint32_t recovery_point, prr_delivered, prr_out, undo_marker;
    int32_t undo_retrans;
    uint32_t sacked_b, lost_b, retrans_b; /* of the send queue, in sequence space */

    /* line 3: RACK, TLP, CUBIC, HyStart++ */
    uint64_t rack_sent_ns;
    uint32_t rack_end, rack_rtt_us, rack_fack, tlp_end;
    uint8_t reo_incr, reo_persist, dupacks, backoff;
    uint32_t min_rtt_ms; /* when min_rtt_us was taken */
    uint32_t cub_wmax, cub_k_ms, cub_epoch_ms, cub_west;
    uint32_t hs_round_end, hs_last_rtt, hs_rtt, hs_samples;

    /* line 4: queues */
    struct nbuf *tx_head, *tx_next, *tx_tail; /* tx_next: first never sent */
    struct nbuf *rx_head, *rx_tail, *ooo;
    uint32_t tx_b, tx_unsent_b, rx_b, rx_true_b;

    /* line 5: timers and links */
    struct wheel_node timer;
    uint32_t dl_rtx, dl_ack, dl_misc, dl_user; /* wheel ticks; 0: none */
    struct tcp_conn *next_up, *next_out, *next_orphan;

    /* line 6 */
    struct nbuf *time_head, *time_tail;      /* segments in flight by time of transmission */
    uint32_t dsack_from, dsack_to, ooo_last; /* ooo_last: newest out-of-order segment */
    uint32_t rcv_hi;                         /* where a FIN that came early sits */
    uint32_t rcvbuf, rcvq_b, rcvq_ms;        /* window tuning: bytes consumed since rcvq_ms */
    uint32_t last_rx_ms, retrans_total;
    uint16_t ooo_n, tx_n;
    uint8_t persist_n, keep_n, syn_n, challenge_n;

    /* line 7 */
    uint64_t bytes_in, bytes_out;
    struct tcp *t;
    uint32_t pace_at; /* when new data may go; unit of 1024 ns, wraps */
    uint32_t dl_pace; /* wheel tick; 0: nothing waits for it */
    uint32_t sndbuf, rto_min_us;
    uint32_t linger_left, challenge_ms, progress_ms, pmtu_ms; /* progress: of what we send */
    uint32_t undo_ts; /* our time stamp when the first retransmission of this recovery went out */
};

/* Eight cache lines; an idle connection touches three of them. */
_Static_assert(sizeof(struct tcp_conn) <= 512, "a connection stays in eight lines");

/* --- a handshake in progress, server side --- */
struct tcp_req {
    struct tcp_tuple tuple;
    uint32_t irs, iss, ts_recent, ts_off;
    struct tcp_req *next, *prev; /* in the FIFO of its stage */
    uint64_t hash;
    uint32_t expiry; /* tick */
    uint16_t listener, mss, wnd;
    uint8_t stage, opts;
    int8_t wscale;
    bool resent;
};

_Static_assert(sizeof(struct tcp_req) <= 128, "a request stays in two lines");

/* --- TIME_WAIT, and FIN_WAIT_2 without an owner --- */
struct tcp_tw {
    struct tcp_tuple tuple;
    uint32_t snd_nxt, rcv_nxt, ts_recent, ts_off;
    uint32_t expiry;     /* tick */
    uint32_t next, prev; /* index + 1 in the pool */
};

struct tcp_listener {
    struct endpoint local;
    tcp_accept_fn *accept;
    void *ctx;
    bool used;
};

struct tcp_keys { /* Secret */
    struct sip_key isn, ts, flow, port, cookie[2];
};

struct tcp_ports; /* port.c */

/* A tuple of whom a segment is about to come. */
struct tcp_ahead {
    struct tcp_tuple tuple;
    uint64_t hash;
};

struct tcp {
    struct tcp_ahead ahead[TCP_AHEAD_MAX];
    struct tcp_settings set;
    struct tcp_env env;
    struct tcp_keys keys;
    uint64_t now_ns;
    uint32_t now_tick; /* never 0: 0 says "no deadline" */
    uint32_t now_ms;
    uint64_t ctr[TCP_CTR_COUNT];

    struct flow flow;
    struct pool conns, reqs, tws;
    struct wheel wheel;
    struct tcp_listener listeners[TCP_LISTENERS_MAX];
    struct tcp_ports *ports;
    struct prefixes *prefixes; /* who has how many requests and accepted connections */

    struct {
        struct tcp_req *head, *tail;
    } req_fifo[TCP_REQ_STAGES];
    struct {
        uint32_t head, tail; /* index + 1 */
    } tw_fifo;

    struct tcp_conn *up, *out, *dead;
    struct tcp_conn **up_end, **out_end;
    struct tcp_conn *again; /* upcalls of the next turn */
    uint32_t orphans;
    uint32_t established;

    uint64_t tx_used_b, rx_used_b; /* memory of all connections' queues */
    uint32_t pool_reserve;         /* buffers that sending leaves alone */
    uint32_t cookies_until_ms;     /* cookies are accepted until then */
    bool cookies_seen;

    uint32_t second; /* of the rate limits below */
    uint32_t rsts_left, challenges_left, cookies_left;
};

/* Seconds of 2^30 ns: coarse time that does not wrap. */
static inline uint32_t tcp_coarse(const struct tcp *t)
{
    return (uint32_t)(t->now_ns >> 30);
}

/* --- small helpers --- */

static inline void tcp_count(struct tcp *t, enum tcp_counter c)
{
    ctr_add(&t->ctr[c], 1);
}

/* Counts, and says so in the log, now and then. */
static inline void tcp_at_bound(struct tcp *t, enum tcp_counter c, enum bound b,
                                const struct ip_addr *peer)
{
    tcp_count(t, c);
    bound_hit(t->env.log, b, peer);
}

static inline uint32_t tcp_ts_now(const struct tcp *t, uint32_t ts_off)
{
    return t->now_ms + ts_off;
}

static inline uint32_t tcp_tick_after_us(const struct tcp *t, uint64_t us)
{
    uint32_t at =
        t->now_tick + (uint32_t)((us * 1000 + (1u << WHEEL_TICK_SHIFT) - 1) >> WHEEL_TICK_SHIFT);

    return at ? at : 1;
}

static inline bool tcp_tick_due(const struct tcp *t, uint32_t at)
{
    return at && seq_leq(at, t->now_tick);
}

static inline uint32_t tcp_in_flight(const struct tcp_conn *c)
{
    /* RFC 6675 4 SetPipe, kept by counting */
    return c->snd_nxt - c->snd_una - c->sacked_b - c->lost_b + c->retrans_b;
}

static inline bool tcp_v4(const struct tcp_conn *c)
{
    return ip_is_v4(&c->tuple.raddr);
}

/* --- stack.c --- */
uint64_t tcp_hash(const struct tcp *t, const struct tcp_tuple *tuple);
/* slot: as announced by tcp_ahead(), or 0 */
struct tcp_conn *tcp_find_conn(struct tcp *t, const struct tcp_tuple *tuple, uint32_t slot);
void tcp_want_up(struct tcp *t, struct tcp_conn *c, uint8_t ev);
void tcp_want_out(struct tcp *t, struct tcp_conn *c);
/* Buffers that writers may take now; what peer's connection waits for when there are none. */
uint32_t tcp_bufs_to_write(struct tcp *t, const struct ip_addr *peer);
/* peer: an example for the log when there is none left */
bool tcp_take_rst(struct tcp *t, const struct ip_addr *peer);
bool tcp_take_challenge(struct tcp *t, const struct ip_addr *peer);

/* --- conn.c --- */
extern const struct stream_ops tcp_stream_ops;
struct tcp_conn *tcp_conn_new(struct tcp *t, const struct tcp_tuple *tuple);
void tcp_set_state(struct tcp *t, struct tcp_conn *c, enum tcp_state st);
/* The connection is over: queues are given back, the owner hears CLOSED, freed next turn. */
void tcp_conn_kill(struct tcp *t, struct tcp_conn *c, enum stream_why why);
/* The same when its entry in the flow table has been given to TIME_WAIT. */
void tcp_conn_replaced(struct tcp *t, struct tcp_conn *c, enum stream_why why);
void tcp_conn_established(struct tcp *t, struct tcp_conn *c);
void tcp_conn_room(struct tcp *t, struct tcp_conn *c);
struct nbuf *tcp_tx_new(struct tcp *t, struct tcp_conn *c);
void tcp_tx_free(struct tcp *t, struct tcp_conn *c, struct nbuf *m);
uint32_t tcp_clock_isn(struct tcp *t, const struct tcp_tuple *tuple);
uint32_t tcp_ts_offset(struct tcp *t, const struct tcp_tuple *tuple);
/* Effective MSS from the peer's option and the path. */
uint16_t tcp_effective_mss(const struct tcp *t, const struct tcp_tuple *tuple, uint16_t peer,
                           uint16_t mtu, uint8_t opts);
uint16_t tcp_own_mss(const struct tcp *t, const struct tcp_tuple *tuple, uint16_t mtu);
uint8_t tcp_own_wscale(const struct tcp *t);

/* --- in.c --- */
void tcp_segment(struct tcp *t, struct tcp_conn *c, struct nbuf *m, const struct tcp_seg *s,
                 const struct tcp_rx *rx);

/* --- syn.c --- */
void tcp_syn_arrives(struct tcp *t, const struct tcp_tuple *tuple, uint64_t hash,
                     const struct tcp_seg *s, uint32_t iss_above);
void tcp_req_segment(struct tcp *t, struct tcp_req *r, struct nbuf *m, const struct tcp_seg *s,
                     const struct tcp_rx *rx);
/* An ACK for which there is no state: a cookie's? True: taken care of, m with it. */
bool tcp_cookie_ack(struct tcp *t, const struct tcp_tuple *tuple, uint64_t hash, struct nbuf *m,
                    const struct tcp_seg *s, const struct tcp_rx *rx);
void tcp_req_timers(struct tcp *t);
uint64_t tcp_req_deadline(const struct tcp *t);

/* --- tw.c --- */
void tcp_tw_enter(struct tcp *t, struct tcp_conn *c);
void tcp_tw_segment(struct tcp *t, struct tcp_tw *w, uint64_t hash, const struct tcp_tuple *tuple,
                    const struct tcp_seg *s);
void tcp_tw_timers(struct tcp *t);
void tcp_tw_remove(struct tcp *t, struct tcp_tw *w);
uint64_t tcp_tw_deadline(const struct tcp *t);

/* --- port.c --- */
MUST_CHECK res tcp_ports_new(struct tcp *t, struct tcp_ports **out);
void tcp_ports_free(struct tcp_ports *p);
/* A local port for (laddr, remote) that is ours and free; 0: none. */
uint16_t tcp_port_get(struct tcp *t, const struct ip_addr *laddr, const struct endpoint *remote);
void tcp_port_put(struct tcp *t, const struct tcp_tuple *tuple);
uint32_t tcp_ports_least(const struct tcp *t);

/* --- reply.c: segments without a connection --- */
void tcp_reply_rst(struct tcp *t, const struct tcp_tuple *tuple, const struct tcp_seg *s);
void tcp_reply_ack(struct tcp *t, const struct tcp_tuple *tuple, uint32_t seq, uint32_t ack,
                   uint16_t wnd, bool ts, uint32_t tsval, uint32_t tsecr);
void tcp_reply_synack(struct tcp *t, const struct tcp_req *r, uint32_t tsval);
/* Checksum and hand over. m begins with the header; hdr_b as written. Takes m. */
void tcp_emit(struct tcp *t, struct nbuf *m, const struct ip_addr *src, const struct ip_addr *dst,
              uint8_t hdr_b, uint8_t ecn);
/* A run of segments, for the device to cut. Fills in what is left to it. Takes m. */
void tcp_emit_run(struct tcp *t, struct nbuf *m, struct tcp_tx *tx);
/* A buffer with the header written and nothing else; NULL: out of buffers. */
struct nbuf *tcp_bare(struct tcp *t, const struct tcp_hdr_plan *p, uint8_t *hdr_b);

/* --- pace.c: large windows do not go out in one burst --- */
/* May new data go now? If not, a timer is set for when it may. */
bool tcp_pace_ok(struct tcp *t, struct tcp_conn *c);
/* New data of so many bytes has gone out. */
void tcp_paced(struct tcp *t, struct tcp_conn *c, uint32_t bytes);

/* --- out.c --- */
/* Send what may be sent, and the ACK that is owed. */
void tcp_output(struct tcp *t, struct tcp_conn *c);
void tcp_send_ack(struct tcp *t, struct tcp_conn *c);
void tcp_send_rst(struct tcp *t, struct tcp_conn *c);
void tcp_send_syn(struct tcp *t, struct tcp_conn *c);
void tcp_send_probe(struct tcp *t, struct tcp_conn *c); /* empty, one below: asks for an ACK */
/* Send the segment in m (again). False: out of buffers. */
bool tcp_send_seg(struct tcp *t, struct tcp_conn *c, struct nbuf *m);
/* Cut the segment in m after n bytes. False: out of buffers. */
bool tcp_tx_split(struct tcp *t, struct tcp_conn *c, struct nbuf *m, uint32_t n);

/* --- ack.c --- */
struct tcp_acked {
    uint32_t acked_b;  /* cumulatively, new */
    uint32_t sacked_b; /* by SACK, new */
    uint32_t lost_b;   /* newly marked lost */
    int64_t rtt_us;    /* -1: no sample */
    bool dsack, dup, advanced, reneged;
    bool all_dup; /* every retransmission of this recovery was reported as a duplicate */
    uint64_t arrived_ns;
    uint32_t resent_ms; /* oldest of the latest transmissions of what was sent more than once */
    bool used;          /* so much of the window was in use that it may grow */
};

/* Process the acknowledgment part of a segment. False: the segment is to be dropped. */
bool tcp_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s, uint64_t arrived_ns);
void tcp_time_remove(struct tcp_conn *c, struct nbuf *m); /* when it is in there */
void tcp_time_insert(struct tcp_conn *c, struct nbuf *m);

/* --- rack.c --- */
void tcp_rack_delivered(struct tcp_conn *c, const struct tseg *g, struct tcp_acked *a);
/* Mark what is lost by time. Returns newly lost bytes; *wait_us: 0, or when to look again. */
uint32_t tcp_rack_detect(struct tcp *t, struct tcp_conn *c, uint64_t now_ns, uint32_t *wait_us);
void tcp_rack_dsack(struct tcp_conn *c);
void tcp_mark_lost(struct tcp_conn *c, struct nbuf *m);
void tcp_arm_rtx(struct tcp *t, struct tcp_conn *c);

/* --- recover.c --- */
void tcp_recover_acked(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s,
                       struct tcp_acked *a);
/* The peer echoes a congestion mark (RFC 3168 6.1.2). */
void tcp_recover_ece(struct tcp *t, struct tcp_conn *c);
void tcp_recover_rto(struct tcp *t, struct tcp_conn *c);
void tcp_recover_reo(struct tcp *t, struct tcp_conn *c);

/* --- cc.c --- */
void tcp_cc_init(struct tcp *t, struct tcp_conn *c);
void tcp_cc_grow(struct tcp *t, struct tcp_conn *c, uint32_t acked_b, int64_t rtt_us);
uint32_t tcp_cc_reduce(struct tcp *t, struct tcp_conn *c); /* new ssthresh */
void tcp_cc_idle(struct tcp *t, struct tcp_conn *c, uint32_t idle_ms);

/* --- rtt.c --- */
void tcp_rtt_init(struct tcp *t, struct tcp_conn *c);
void tcp_rtt_sample(struct tcp *t, struct tcp_conn *c, uint32_t us);
uint64_t tcp_rto_us(const struct tcp *t, const struct tcp_conn *c); /* with back-off */

/* --- rx.c --- */
/* Text of a segment that was found acceptable. Takes m. */
void tcp_rx_data(struct tcp *t, struct tcp_conn *c, struct nbuf *m, const struct tcp_seg *s);
uint32_t tcp_rx_window(struct tcp *t, struct tcp_conn *c);
void tcp_rx_consumed(struct tcp *t, struct tcp_conn *c, uint32_t n);
void tcp_rx_free(struct tcp *t, struct tcp_conn *c);
/* Nothing more comes: what has a hole in front is of no use. */
void tcp_rx_no_more(struct tcp *t, struct tcp_conn *c);
uint8_t tcp_rx_sacks(const struct tcp_conn *c, struct tcp_sack out[TCP_SACK_MAX], uint8_t max);

/* --- timer.c --- */
void tcp_rearm(struct tcp *t, struct tcp_conn *c);
void tcp_timer_fired(void *ctx, struct wheel_node *node, uint64_t now_ns);

#endif
