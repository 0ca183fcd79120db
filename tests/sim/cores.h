/**
 * cores: two hosts of several cores each, on one wire. A core is what the appliance has: l3 and tcp of its own,
 * buffers of its own, net/handoff.h to the others of its host; only the device is a model.
 *
 * The same cores run in virtual time, all in one thread, from one seed (cores_run); or each in a thread
 * of its own by the real clock (cores_run_threads), which is what a race detector wants to see.
 */
#ifndef SALLYPORT_TESTS_CORES_H
#define SALLYPORT_TESTS_CORES_H

#include "base/capture.h"
#include "core/walk.h"
#include "net/handoff.h"
#include "net/l3.h"
#include "tcp/tcp.h"

#define CORES_MAX   8u
#define CORES_ADDRS 3u
#define CORES_PORT  443

/* To which queue the device of a host brings a packet. */
enum cores_spread {
    SPREAD_RSS,   /* by our key and our table */
    SPREAD_KEY,   /* by a key of its own: ours in another order of bytes */
    SPREAD_ANY,   /* any, for each packet anew */
    SPREAD_FIRST, /* all to the first */
};

struct cores_world;
struct cores_host;

/* Connections that a core makes to the other host; each sends some bytes and has them back. */
struct cores_plan {
    uint32_t connects, parallel, bytes_max;
    bool v6;
};

/* Written by the core alone, read by anybody. */
struct cores_stats {
    uint64_t made, accepted, done, failed, bytes;
    uint64_t wrong;     /* bytes that came back are not those that were sent */
    uint64_t misplaced; /* connections on a core that does not own them */
    uint64_t agreed, mismatched;
    uint64_t crowded; /* frames for which the wire had no room */
};

struct cores_core {
    struct cores_host *host;
    uint32_t id;
    struct l3 *l3;
    struct tcp *tcp;
    struct nbuf_pool pool;
    struct rng rng;
    struct log_out log;
    struct ring log_ring;
    struct capture capture;
    struct walk walk;
    struct ring wire[CORES_MAX]; /* from each core of the other host */
    void *mem;
    uint64_t now_ns;
    uint32_t gave; /* frames in this turn, to the wire or to another core */
    struct cores_plan plan;
    uint32_t open; /* connections of its own, not done */
    uint32_t cut_id;
    struct cores_stats stats;
};

struct cores_host {
    struct cores_world *world;
    uint32_t cores, queues;
    enum cores_spread spread;
    struct handoff handoff;
    struct steer device;
    struct mac mac;
    struct ip_addr addr4[CORES_ADDRS], addr6[CORES_ADDRS];
    struct cores_core core[CORES_MAX];
};

struct cores_config {
    uint64_t seed;
    struct {
        uint32_t cores, queues; /* queues 0: one for each core */
        enum cores_spread spread;
    } host[2];
    uint32_t loss;     /* per million */
    uint16_t path_mtu; /* larger packets are refused by a router that says so; 0: none are */
    bool same_address; /* the second host has the first one's first addresses, too */
    uint16_t cut_b;    /* TCP segments that are larger come in fragments of so much; 0: whole */
    bool by_gateway;   /* the first host reaches the second by its first address, as a gateway */
    const struct tcp_settings *settings;
};

struct cores_world {
    struct cores_config cfg;
    struct cores_host host[2];
    uint64_t now_ns;
    uint32_t stop;
    bool dark; /* the wire loses everything */
};

struct cores_world *cores_new(const struct cores_config *cfg);
/* What was left behind, or NULL. Buffers that are on their way do not count. */
const char *cores_free(struct cores_world *w);

/* All cores are done with their plans. */
bool cores_done(const struct cores_world *w);
/* Virtual time, until all plans are done or max_ns have passed. Returns cores_done(). */
bool cores_run(struct cores_world *w, uint64_t max_ns);
/* Time passes, done or not. */
void cores_idle(struct cores_world *w, uint64_t ns);
/* One thread for each core; this one is control, and calls `watch` again and again. */
bool cores_run_threads(struct cores_world *w, uint32_t max_ms, void (*watch)(struct cores_world *));

/* Sums over the cores of a host. */
struct cores_stats cores_stats(const struct cores_host *h);
uint64_t cores_tcp(const struct cores_host *h, unsigned counter);
uint64_t cores_net(const struct cores_host *h, enum l3_counter counter);

/* --- between the files of this module --- */

/* In front of each frame on the wire: what the device of the receiver says of it. */
struct cores_wired {
    uint32_t hash;
    uint32_t hashed;
};

/* cores_wire.c */
void cores_transmit(struct cores_core *c, struct nbuf *m); /* takes m */
uint32_t cores_poll_wire(struct cores_core *c);

/* cores.c */
void cores_received(struct cores_core *c, struct span f, const struct cores_wired *meta);

/* cores_app.c: the ends of connections */
void cores_app_listen(struct cores_core *c);
void cores_app_turn(struct cores_core *c);

#endif
