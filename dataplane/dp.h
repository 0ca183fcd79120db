/**
 * dp: all that control/ may call of the data plane.
 *
 * control/ changes the data plane in one way: it builds a snapshot and publishes it. It learns in two:
 * counters and the cores' rings. No call here waits for a core, but dp_publish, dp_stop and dp_connections,
 * which wait with a deadline.
 */
#ifndef SALLYPORT_DP_H
#define SALLYPORT_DP_H

#include "base/capture.h"
#include "base/ctr.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/report.h"
#include "snap/snap.h"

struct dp;

/* What is fixed at start. Strings live as long as the data plane. */
#define DP_PORTS_MAX 16
#define DP_ADDRS_MAX 32

/* Work left to the device: what it does better than we, nothing, all it can. */
enum dp_offload { DP_OFFLOAD_AUTO, DP_OFFLOAD_OFF, DP_OFFLOAD_ON };

struct dp_port {
    const char *name;   /* for logs; may be NULL */
    const char *device; /* "0000:3b:00.0", "af_packet:veth0", "tap:name", or a DPDK vdev string */
    struct ip_prefix addresses[DP_ADDRS_MAX];
    uint32_t address_count;
    struct ip_addr gateway4, gateway6; /* "any": none */
    uint16_t mtu;                      /* 0: the device's */
    uint16_t vlan;                     /* 0: untagged */
    enum dp_offload offload;
};

enum dp_poll { DP_POLL_ADAPTIVE, DP_POLL_ALWAYS };

struct dp_config {
    struct dp_port ports[DP_PORTS_MAX];
    uint32_t port_count;
    unsigned lcores[SNAP_CORES_MAX]; /* CPUs that poll, one thread each */
    uint32_t core_count;
    enum dp_poll poll;
    bool ecn;                     /* RFC 3168 */
    bool no_pacing;               /* large windows may go out in one burst */
    bool reassembly;              /* of IP fragments */
    bool telemetry;               /* DPDK's socket for numbers */
    uint32_t conns_per_prefix;    /* accepted, of one core; 0: no bound */
    int hugepages;                /* 1: must, 0: never, -1: when there are any */
    uint32_t memory_mb;           /* packet buffers of all cores together; 0: by core and port */
    uint32_t conns_max;           /* per core */
    uint32_t tls_heap_mb;         /* per core */
    bool forget_verdicts;         /* certificates are judged anew each time */
    const char *const *eal_extra; /* further EAL arguments, for experts; NULL-terminated or NULL */
    uint32_t time_wait_ms;        /* 0: default */
    bool log_tcp_resets;
    struct ocsp_table
        *ocsp; /* control's, which it fills; NULL: none. Lives longer than the data plane */
};

/**
 * Start EAL, open ports, start the cores. They answer nothing until the first dp_publish.
 * Once per process. Mistakes go into the report.
 */
MUST_CHECK res dp_start(const struct dp_config *cfg, struct report *report, struct dp **out);

/**
 * Make `next` what all cores use. Returns when each of them has adopted it.
 * Takes  next on success; *old is what it replaces (NULL at first), to be freed by the caller once
 *        snap_held() is 0
 * Returns  TIMEOUT when a core did not answer; it takes `next` as soon as it runs, until dp_status() shows
 *        that it has, older ones must be kept
 */
MUST_CHECK res dp_publish(struct dp *dp, struct snap *next, uint32_t timeout_ms, struct snap **old,
                          uint64_t *took_ns);

/**
 * Stop accepting, finish requests in progress, close; at the latest after `deadline_ms` abort.
 * Cores have ended when it returns. Returns TIMEOUT when connections had to be aborted.
 */
MUST_CHECK res dp_stop(struct dp *dp, uint32_t deadline_ms);
void dp_free(struct dp *dp); /* after dp_stop: ports closed, memory given back */

/* The ring of a core's events and access records; control is its only reader. */
struct ring *dp_ring(struct dp *dp, unsigned core);
uint32_t dp_cores(const struct dp *dp);

/* Wall-clock time of the cores' clock: add to a record's ts_ns to get ns since 1970. */
uint64_t dp_wall_offset_ns(const struct dp *dp);

/* Counters: for each block (net, tcp, tls, proxy, core, ...) name, descriptions and sum or one core. */
struct dp_block {
    const char *name;
    const struct ctr_desc *desc;
    unsigned count;
};

uint32_t dp_blocks(const struct dp *dp, const struct dp_block **blocks);
void dp_counters(const struct dp *dp, uint32_t block, int core /* -1: all */, uint64_t *out);

/* Gauges of one core, cheap and slightly old: for `status`. */
struct dp_status {
    bool running, draining;
    uint64_t gen; /* adopted generation */
    /* The generation that has reached all open connections, and how long after its publication. */
    uint64_t effect_gen, effect_us;
    uint64_t turns, idle_turns, turn_ns_max;
    uint32_t tcp_conns, tcp_reqs, tcp_time_wait;
    uint32_t clients, requests, backends_idle, backends_busy;
    uint32_t nbufs_free, nbufs_total;
    uint64_t tls_heap_used_b, tls_heap_max_b;
    uint64_t mem_used_b; /* by connections and sessions, packet buffers not counted */
    uint32_t peers;
    uint64_t log_lost; /* records that found the ring full */
};

void dp_status(const struct dp *dp, unsigned core, struct dp_status *out);

/* A TCP connection of a core, as `ss -ti` would show it. */
struct dp_conn {
    struct endpoint local, peer;
    const char *state;
    bool accepted, recovery; /* accepted: a client's; else one of ours to a backend */
    uint8_t backoff;
    uint16_t mss;
    uint32_t srtt_us, rttvar_us, min_rtt_us, rto_us;
    uint32_t cwnd_b, ssthresh_b, in_flight_b, snd_wnd_b, rcv_wnd_b, rx_queued_b, tx_queued_b;
    uint32_t retrans, idle_ms;
    uint64_t bytes_in, bytes_out;
};

struct dp_conn_filter {
    bool by_peer;
    struct ip_prefix peer;
    uint16_t port;  /* of either end; 0: any */
    char state[16]; /* "": any */
};

/**
 * Connections of a core from *cursor on (0: from the start); *cursor becomes where to go on, or 0. The core
 * is not stopped: what comes and goes meanwhile may be missing.
 * Returns  how many of `out`, which has room for DP_CONNS_BATCH; -1: no answer within timeout_ms
 */
#define DP_CONNS_BATCH 64
int dp_connections(struct dp *dp, unsigned core, const struct dp_conn_filter *f, uint32_t *cursor,
                   uint32_t timeout_ms, struct dp_conn *out);

/* Copies of a core's packets: control begins, ends, and empties the ring. */
struct capture *dp_capture(struct dp *dp, unsigned core);

/* One line per port: device, driver, steering mode and why, link, offloads. */
void dp_port_text(const struct dp *dp, uint32_t port, struct sb *out);

/* "DPDK 22.11.11, wolfSSL 5.9.2, ..." and, verbose, which CPU paths are active. */
void dp_version_text(struct sb *out, bool verbose);

#endif
