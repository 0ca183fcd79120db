/**
 * px: the HTTP reverse proxy of one core: the only place that knows both sides. Clients come in as
 * streams, requests are judged against the snapshot, and go out to a member of an upstream over a
 * stream that is connected or reused. Bytes are moved between streams, never collected: what one side
 * cannot take stays in the other's receive queue and closes its window.
 *
 * Thread  one core. Bounds in struct px_bounds; reaching one has an answer (503, refused) and a counter.
 */
#ifndef SALLYPORT_PROXY_PX_H
#define SALLYPORT_PROXY_PX_H

#include "base/ctr.h"
#include "base/log.h"
#include "base/rng.h"
#include "snap/snap.h"
#include "stream/stream.h"
#include "tls/tls.h"

struct px;

struct px_env {
    void *ctx;
    unsigned core;
    struct tls_core *tls;
    struct peers *peers;
    struct rng *rng;
    struct log_out *log;
    struct ring *ring;       /* access records */
    struct ocsp_table *ocsp; /* answers come into it; NULL: never */

    /* A transport to a backend: as tcp_connect. Events come later, never inside the call. */
    struct stream *(*connect)(void *ctx, const struct endpoint *to, uint32_t timeout_ms,
                              const struct stream_owner *ops, void *owner, enum stream_why *why);
};

struct px_bounds {
    uint32_t clients_max;
    uint32_t requests_max; /* in progress */
    uint32_t backends_max; /* connections to backends */
    uint32_t bufs_max;     /* PX_BUF_B each: heads of messages being read */
};

MUST_CHECK res px_new(const struct px_bounds *b, const struct px_env *env, struct px **out);
void px_free(struct px *px); /* all streams must be gone */

/* Once per turn, before events: the core's clock and seconds since 1970. */
void px_begin(struct px *px, uint64_t now_ns, int64_t wall_s);

/* From now on new requests are judged by `snap`. The old one is held by what is in progress. */
void px_adopt(struct px *px, struct snap *snap);
/* Once per turn: look at some of the open connections after px_adopt. */
void px_sweep(struct px *px);
/* Once per turn: what has come by OCSP since, for requests that wait and for open connections. */
void px_ocsp(struct px *px);
bool px_sweeping(const struct px *px);
/* The generation that has reached all open connections, and the time from its publication to that. */
uint64_t px_effect(const struct px *px, uint64_t *us);
struct snap *px_snap(const struct px *px);

/* A transport was accepted on `local`. False: refused, and the stream is still the caller's. */
bool px_accept(struct px *px, struct stream *s, const struct endpoint *local,
               const struct endpoint *remote);

/* At most 256 timers a call. */
void px_timers(struct px *px);
uint64_t px_next_deadline(const struct px *px);

/* Finish what is in progress and close: idle clients at once, others with their response. */
void px_drain(struct px *px);
/* End everything now. */
void px_abort_all(struct px *px);

struct px_gauges {
    uint32_t clients, requests, backends_idle, backends_busy;
    uint64_t mem_b;
};

void px_gauges(const struct px *px, struct px_gauges *out);

const uint64_t *px_counters(const struct px *px);
extern const struct ctr_desc px_ctr_desc[];
extern const unsigned px_ctr_count;

#endif
