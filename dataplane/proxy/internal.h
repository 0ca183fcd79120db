/**
 * internal: what the files of proxy/ share. Not for others: they see px.h.
 *
 *   client.c    a client's connection: handshake, heads, keep-alive, timers
 *   request.c   one request from head to log line
 *   policy.c    which host, which location, is the certificate enough
 *   balance.c   which member
 *   backend.c   connections to members: pool, connect, failures, retries
 *   response.c  what comes back
 *   body.c      moving bodies between streams
 *   head.c      writing heads
 *   hold.c      requests that wait for an OCSP answer
 *   ask.c       requests that wait for their client's certificate
 *   page.c      answers of our own
 *   sweep.c     open connections when what they stood on is gone
 *   view.c      values that headers, the log and rules ask for
 */
#ifndef SALLYPORT_PROXY_INTERNAL_H
#define SALLYPORT_PROXY_INTERNAL_H

#include "base/pool.h"
#include "base/wheel.h"
#include "http/h1.h"
#include "proxy/px.h"

#define PX_BUF_B      32768u  /* a head being read, and what came behind it */
#define PX_HEAD_OUT_B 49152u  /* a head being written: what came in and what we add */
#define PX_TURN_B     131072u /* body bytes that one stream may move in one turn */
#define PX_TURN_REQS  8u      /* pipelined requests of one client in one turn */
#define PX_TIMERS_MAX 256u

enum px_counter {
#define CTR(sym, name, help) PX_CTR_##sym,
#include "proxy/px_ctr.def"
#undef CTR
    PX_CTR_COUNT,
};

/* Bytes read and not yet used: [from, to) of a buffer. */
struct px_buf {
    struct px_buf *next; /* px_client.more */
    uint32_t from, to;
    uint8_t p[PX_BUF_B];
};

enum px_timer_kind { PX_TIMER_CLIENT, PX_TIMER_BACKEND };

struct px_timer {
    struct wheel_node node;
    uint64_t at_ns; /* the deadline; the node may fire earlier and is then armed again */
    uint8_t kind;
};

/* What a core knows of a member, by its slot; survives generations. */
struct px_member {
    struct px_backend *idle; /* newest first */
    uint32_t idle_count, conns;
    uint64_t out_until_ns; /* 0: in turn */
    int32_t lb;            /* smooth weighted round robin: mod_lbmethod_byrequests' lbstatus */
};

#define PX_CLIENT_STATES(X) X(HANDSHAKE) X(IDLE) X(HEAD) X(REQUEST) X(ENDING)

enum px_client_state {
#define X(name) PX_CL_##name,
    PX_CLIENT_STATES(X)
#undef X
};

struct px_client {
    struct stream *s;
    struct px *px;
    struct px_client *next, *prev; /* all clients of the core */
    struct px_buf *in;             /* NULL while nothing is being read */
    struct px_buf *more;           /* what had to be read before its time comes, behind `in` */
    struct px_req *req;
    struct px_timer timer;
    struct endpoint local, remote;
    uint64_t since_ns;      /* accepted; then: the first byte of the present request */
    uint64_t idle_ns;       /* when it began to wait for a request */
    uint64_t host_gen;      /* generation for which `host` was looked up */
    uint32_t host;          /* index of the handshake's host in that generation */
    uint64_t stood_on;      /* key of the trust set that the client was last let in by; 0: none */
    int64_t stands_until_s; /* when that verdict ends */
    uint32_t requests;
    uint32_t scanned; /* of the head in `in` */
    uint8_t state;
    bool tls : 1;
    bool last : 1;  /* no further request: the core drains */
    bool lost : 1;  /* what the client's identity stood on is gone */
    bool named : 1; /* the handshake named a host that we have */
};

#define PX_REQ_STATES(X)                                   \
    X(CONNECT)  /* waiting for a connection to a member */ \
    X(HOLD)     /* before that: for an OCSP answer */      \
    X(ASK)      /* before that: for the certificate */     \
    X(SEND)     /* head sent, body going up */             \
    X(RESPONSE) /* response head forwarded, bodies moving */

enum px_req_state {
#define X(name) PX_RQ_##name,
    PX_REQ_STATES(X)
#undef X
};

struct px_req {
    struct px *px;
    struct px_req *next_dead;
    struct px_req *next_held, *prev_held; /* HOLD */
    uint64_t held_ns;
    struct px_client *client;
    struct px_backend *backend;
    struct snap *snap; /* held */
    const struct snap_host *host;
    const struct snap_location *location;
    const struct snap_upstream *upstream;
    struct peer *peer; /* who the client is for this location; NULL: nobody. Borrowed */
    uint64_t start_ns;
    uint64_t ref;
    uint64_t bytes_up, bytes_down; /* body bytes */
    uint64_t body_max;
    struct h1_body up, down;
    uint32_t head_b; /* the request head is client->in->p[0, head_b) */
    uint64_t tried;  /* bit n: member n was tried */
    uint32_t tries;
    uint32_t member;        /* index of the one in use */
    const char *reason;     /* why it was answered here, or broke off; literal */
    const char *verify;     /* "NONE", "SUCCESS", "GENEROUS", "FAILED" */
    const char *verify_why; /* with FAILED */
    const struct trust_entry
        *anchor;                /* with a good verdict; NULL: none is needed. The snapshot's */
    uint8_t verdict, chain_len; /* on the client's certificate, as the location sees it */
    uint16_t status;            /* sent to the client; 0: nothing yet */
    uint16_t last_status;       /* what the latest failure of a member would be answered with */
    const char *last_reason;
    uint8_t state, method, minor;
    bool late : 1;       /* no OCSP answer came in time */
    bool hold : 1;       /* the verdict has to wait for one */
    bool ask : 1;        /* the client has to be asked for its certificate first */
    bool proven : 1;     /* the verdict on the client's certificate is good */
    bool keep_alive : 1; /* the client wants it */
    bool expect : 1;     /* 100-continue is still owed */
    bool chunk_up : 1;   /* body goes up in chunks */
    bool chunk_down : 1; /* body comes down in chunks of ours */
    bool up_done : 1;    /* request body sent whole */
    bool up_begun : 1;   /* some of it was taken from the client */
    bool head_sent : 1;  /* to a backend */
    bool fresh : 1;      /* no pooled connection any more: one was stale */
    bool down_done : 1;
    bool close : 1;       /* the client's connection ends with this response */
    bool aborted : 1;     /* the client went away */
    uint32_t head_down_b; /* bytes of response heads, or of an answer of our own */
    uint32_t captured_b;  /* response headers for the log, in `captured` */
    struct span log_line, log_path, log_query, log_host; /* in the client's buffer */
    struct span log_headers[SNAP_CAPTURE_MAX];
    char captured[512];
};

#define PX_BACKEND_STATES(X) X(CONNECT) X(BUSY) X(IDLE)

enum px_backend_state {
#define X(name) PX_BE_##name,
    PX_BACKEND_STATES(X)
#undef X
};

struct px_backend {
    struct stream *s;
    struct px *px;
    struct px_req *req;             /* BUSY and CONNECT */
    struct px_backend *next, *prev; /* in the member's idle list */
    struct px_buf *in;
    struct px_timer timer;
    uint64_t used; /* requests sent over it */
    uint32_t slot;
    uint32_t scanned;
    uint32_t response_ms;
    uint8_t state;
    bool got_bytes : 1; /* of the present response */
    bool head_done : 1; /* its final head was forwarded */
    bool keep : 1;      /* may be reused when the response is complete */
};

struct px {
    struct px_env env;
    struct px_bounds bounds;
    struct snap *snap;
    uint64_t now_ns;
    int64_t wall_s;
    struct wheel wheel;
    struct pool clients, reqs, backends, bufs;
    struct px_client *all;
    /* Ended in this turn; freed when the next begins, so that nobody holds what is gone. */
    struct px_client *dead_clients;
    struct px_req *dead_reqs;
    struct px_backend *dead_backends;
    const struct px_req *head_of; /* whose request head is in `head`; NULL: something else */
    uint32_t idle_backends;
    bool draining;
    bool sweeping;
    bool sweep_gen;                    /* for a generation, and not for an answer by OCSP only */
    bool sweep_again;                  /* when this one is over */
    uint64_t ocsp_version, ocsp_worse; /* of the table, when it was looked at */
    struct px_req *held, *held_at;     /* requests that wait; the next one to judge again */
    uint32_t held_count;
    struct px_client *sweep_at; /* the next one to look at */
    uint64_t effect_gen, effect_us;
    uint64_t ref_base;
    uint64_t ctr[PX_CTR_COUNT];
    int64_t date_s; /* of date[] */
    char date[32];  /* RFC 9110 5.6.7 */
    struct px_member members[SNAP_SLOTS_MAX];
    struct h1_head head; /* of the message being looked at: not kept over events */
    uint8_t out[PX_HEAD_OUT_B];
    struct view s_dn, i_dn, serial; /* of the headers that are always sent */
    char view[CERT_VIEW_MAX_B];     /* a value that is made for the moment */
};

static inline void px_count(struct px *px, enum px_counter c)
{
    ctr_add(&px->ctr[c], 1);
}

/* --- px.c --- */
struct px_buf *px_buf_get(struct px *px);
void px_buf_put(struct px *px, struct px_buf **b);
void px_buf_put_all(struct px *px, struct px_buf **first);
void px_arm(struct px *px, struct px_timer *t, uint32_t ms);
void px_disarm(struct px *px, struct px_timer *t);
const char *px_date(struct px *px);
/* Move what the stream has into the buffer. True: there is something new. */
bool px_fill(struct px_buf *b, struct stream *s);

/* --- client.c --- */
extern const struct stream_owner px_client_owner;
void px_client_timer(struct px_client *c);
/* The response is complete: next request or end. */
void px_client_next(struct px_client *c);
void px_client_close(struct px_client *c);
void px_client_abort(struct px_client *c);
/* It waits for a request: until when? */
void px_client_arm_idle(struct px_client *c);
/* Let the client's stream ask again soon: its request can go on. */
void px_client_poke(struct px_client *c);

/* --- request.c --- */
/* A head of head_b bytes was parsed into px->head. */
void px_req_begin(struct px_client *c, uint32_t head_b);
/* A head that is none: answered with `status`, and the connection ends. */
void px_req_bad(struct px_client *c, uint16_t status, const char *why);
/* The request's head, parsed again when px->head holds something else. */
const struct h1_head *px_req_head(struct px_req *r);
/* Something may be possible: body up, body down. */
void px_req_run(struct px_req *r);
/* Connected: send the head. */
void px_req_send(struct px_req *r);
/* The response is out, or never will be. Logs, frees, and lets the client go on. */
void px_req_end(struct px_req *r);
/* Is the client's certificate enough? Then on with it. Also when an answer by OCSP has come. */
void px_req_judge(struct px_req *r);
/* The client is gone. */
void px_req_client_gone(struct px_req *r, const char *reason);
/* Answer here. Only before a response head has gone out; ends the request. */
void px_req_answer(struct px_req *r, uint16_t status, const char *reason);
/* The response cannot be completed: the client must not take it for whole. */
void px_req_break(struct px_req *r, const char *reason);

/* --- policy.c --- */
/* 0: go on with r->location. Otherwise the status to answer with, and why. */
uint16_t px_policy(struct px_req *r, const struct h1_head *h, const char **reason);

/* --- hold.c --- */
void px_hold(struct px_req *r);
/* Off the list, if it is on it. */
void px_unhold(struct px_req *r);
/* Its deadline has come. */
void px_hold_over(struct px_req *r);

/* --- ask.c --- */
void px_ask(struct px_req *r);
/* Something has come, or there is room again. */
void px_ask_run(struct px_req *r);
/* The client has not answered in time. */
void px_ask_over(struct px_req *r);
/* What was read already and comes before what the stream has; NULL: nothing. Emptied buffers are given back. */
struct px_buf *px_kept(struct px_client *c);
/* Fill c->in: from what was read already, then from the stream. */
void px_client_fill(struct px_client *c);

/* --- balance.c --- */
/* Index of the member to try, among those not tried; SNAP_NONE: none is left. */
uint32_t px_pick(struct px_req *r, struct span sticky);
void px_member_failed(struct px *px, const struct snap_member *m, const char *what,
                      const char *reason);

/* --- backend.c --- */
extern const struct stream_owner px_backend_owner;
void px_backend_timer(struct px_backend *b);
/* Find a connection for the request: pooled, or a new one. Ends the request when there is none. */
void px_backend_seek(struct px_req *r);
/* The exchange is complete: back into the pool or closed. */
void px_backend_done(struct px_backend *b);
void px_backend_abort(struct px_backend *b);
/* It failed under a request: try again elsewhere, or answer. */
void px_backend_failed(struct px_backend *b, uint16_t status, const char *reason, bool blame);
void px_backends_close_idle(struct px *px);

/* --- response.c --- */
void px_response_run(struct px_backend *b);

/* --- body.c --- */
/**
 * Writing piece by piece into as few records or segments as possible. Nobody else writes to the stream
 * between the first put and the end.
 */
struct px_sink {
    struct stream *s;
    uint8_t *room;
    uint32_t got, used; /* of the room; used > 0: something is under way */
    uint32_t left;      /* what was promised and not yet put */
};

/* Room for it was asked for: px_sink_head says no when there is too little. */
bool px_sink_head(struct px_sink *k, struct span head);
void px_sink_put(struct px_sink *k, struct span bytes);
void px_sink_end(struct px_sink *k);

/* Move request body from client to backend. False: the request is broken (answered or ended). */
bool px_body_up(struct px_req *r);
enum px_down { PX_DOWN_MORE, PX_DOWN_DONE, PX_DOWN_BAD };
enum px_down px_body_down(struct px_req *r, struct px_sink *to, bool eof); /* ends the sink */

/* --- head.c --- */
/* The request head for the member, from px->head; empty: does not fit. */
struct span px_head_up(struct px_req *r, const struct h1_head *h);
struct span px_head_down(struct px_req *r, const struct h1_head *h);

/* --- page.c --- */
/* An answer of our own, head and body in one. */
struct span px_page(struct px *px, const struct px_req *r, uint16_t status, const char *reason,
                    bool json, bool head_only, bool close);
struct span px_page_fixed(struct px *px, const struct snap_location *l, bool head_only, bool close);

/* --- sweep.c --- */
/* A generation was adopted; `old` is the one before, or NULL. */
void px_sweep_begin(struct px *px, const struct snap *old);
void px_client_stands(struct px_client *c, const struct snap_trust *t, int64_t until_s);
/* All open connections have to be looked at, for another reason than a generation. */
void px_sweep_more(struct px *px);
/* What the client was let in for has ended: does it still hold? False: closed. */
bool px_client_still_stands(struct px_client *c);
/* Close a connection that waits. */
void px_client_lost(struct px_client *c);

/* --- view.c --- */
/**
 * What is known by this name; p == NULL: nothing. Good until the next call. `peer`: whose certificate the
 * client's is taken to be.
 */
struct span px_view(struct px_req *r, const struct view *v, struct peer *peer);
/* Do the location's rules let the request in? */
bool px_rules_hold(struct px_req *r);

/* --- access.c --- */
void px_access_begin(struct px_req *r, const struct h1_head *h);
void px_access_bad(struct px_req *r);
void px_access_response(struct px_req *r, const struct h1_head *h);
void px_access(struct px_req *r);

#endif
