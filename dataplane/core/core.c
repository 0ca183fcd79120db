#include "core/core.h"

#include "base/must.h"
#include "core/dp_internal.h"
#include "core/icmp.h"

#include <rte_rcu_qsbr.h>

#include <stdlib.h>
#include <sys/random.h>

#define LOG_LEVEL_START LOG_INFO
#define MEMO_ENTRIES    16384u
#define PEERS_ENTRIES   16384u
#define PEERS_BYTES     (64u << 20)

const struct ctr_desc core_ctr_desc[] = {
#define CTR(sym, name, help) {name, help},
#include "core/core_ctr.def"
#undef CTR
};
const unsigned core_ctr_count = CORE_CTR_COUNT;

/* --- glue: what one layer asks of another --- */

static void glue_output(void *ctx, struct nbuf *m, const struct tcp_tx *tx)
{
    struct core *c = (struct core *)ctx;
    struct l3_out o = {tx->src, tx->dst, tx->ecn, tx->csum ? tx->hdr_b : 0, tx->tso_mss};

    l3_output(net_core_l3(c->net), m, &o, c->now_ns);
}

static bool glue_route(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    struct core *c = (struct core *)ctx;

    return l3_route(net_core_l3(c->net), dst, src, mtu);
}

static bool glue_owns(void *ctx, const struct tcp_tuple *t)
{
    const struct core *c = (const struct core *)ctx;

    return net_core_owns(c->net, &t->laddr, &t->raddr, t->lport, t->rport);
}

static void glue_confirm(void *ctx, const struct ip_addr *dst)
{
    struct core *c = (struct core *)ctx;

    l3_confirm(net_core_l3(c->net), dst, c->now_ns);
}

static void glue_doubt(void *ctx, const struct ip_addr *dst)
{
    struct core *c = (struct core *)ctx;

    l3_doubt(net_core_l3(c->net), dst, c->now_ns);
}

static void glue_tcp(void *ctx, struct nbuf *m, const struct l3_segment *s)
{
    struct core *c = (struct core *)ctx;
    struct tcp_rx rx = {s->src, s->dst, s->arrived_ns, s->ecn, (uint8_t)net_core_ahead(c->net)};

    tcp_input(c->tcp, m, &rx);
}

_Static_assert(NET_AHEAD_MAX <= TCP_AHEAD_MAX, "a burst fits");

static void glue_ahead(void *ctx, uint32_t slot, const struct ip_addr *src,
                       const struct ip_addr *dst, uint16_t sport, uint16_t dport)
{
    const struct core *c = (const struct core *)ctx;
    struct tcp_tuple t = {*dst, *src, dport, sport};

    tcp_ahead(c->tcp, slot, &t);
}

static void glue_ahead_conn(void *ctx, uint32_t slot)
{
    const struct core *c = (const struct core *)ctx;

    tcp_ahead_conn(c->tcp, slot);
}

static void glue_icmp(void *ctx, const struct l3_icmp_error *e)
{
    core_icmp_error(((const struct core *)ctx)->tcp, e);
}

static struct stream *glue_connect(void *ctx, const struct endpoint *to, uint32_t timeout_ms,
                                   const struct stream_owner *ops, void *owner,
                                   enum stream_why *why)
{
    struct core *c = (struct core *)ctx;
    struct tcp_connect how = {.remote = *to, .timeout_ms = timeout_ms};

    return tcp_connect(c->tcp, &how, ops, owner, why);
}

static void glue_met(void *ctx, struct peer *peer)
{
    struct core *c = (struct core *)ctx;

    ctr_add(&c->ctr[CORE_CTR_CHAINS_TOLD], gossip_tell(c->gossip, c->id, peer));
}

/* A certificate that nothing is known of: to the control side, which asks the responder. */
static void glue_ask(void *ctx, const struct trust *trust, const struct cert *cert,
                     const struct cert *issuer)
{
    struct core *c = (struct core *)ctx;
    uint32_t size = (uint32_t)(sizeof(struct ocsp_rec) + cert->der.len + issuer->der.len);
    struct ocsp_rec *rec = (struct ocsp_rec *)ring_reserve(&c->ring, OCSP_REC_KIND, size);

    if (!rec)
        return; /* counted there; whoever waits asks again */
    memcpy(rec->trust_id, trust_id(trust), sizeof(rec->trust_id));
    rec->cert_b = (uint32_t)cert->der.len;
    rec->issuer_b = (uint32_t)issuer->der.len;
    memcpy(rec->der, cert->der.p, cert->der.len);
    memcpy(rec->der + cert->der.len, issuer->der.p, issuer->der.len);
    ring_commit(&c->ring, size);
    ctr_add(&c->ctr[CORE_CTR_OCSP_ASKED], 1);
}

/* A list that nobody has: to the control side, which learns from the path where it is. */
static bool glue_teach(void *ctx, const struct trust *trust, const struct cert *const *path,
                       uint32_t n)
{
    struct core *c = (struct core *)ctx;
    uint32_t size = crl_rec_b(path, n);
    struct crl_rec *rec = (struct crl_rec *)ring_reserve(&c->ring, CRL_REC_KIND, size);

    if (!rec)
        return false; /* counted there */
    crl_rec_put(rec, trust_id(trust), path, n);
    ring_commit(&c->ring, size);
    ctr_add(&c->ctr[CORE_CTR_LISTS_TAUGHT], 1);
    return true;
}

/* --- life --- */

static uint32_t offloads(const struct net *n)
{
    return (net_offloads_csum(n) ? TCP_OFFLOAD_CSUM : 0) |
           (net_offloads_tso(n) ? TCP_OFFLOAD_TSO : 0);
}

static res make_tcp(struct core *c, const struct core_args *a)
{
    struct tcp_settings set;
    struct tcp_env env = {.ctx = c,
                          .pool = net_core_pool(c->net),
                          .rng = &c->rng,
                          .log = &c->log,
                          .offloads = offloads(dp_net(a->dp)),
                          .output = glue_output,
                          .route = glue_route,
                          .owns = glue_owns,
                          .confirm = glue_confirm,
                          .doubt = glue_doubt};

    tcp_settings_default(&set);
    set.conns_max = 2 * a->conns_max + 1024; /* clients, and as many to backends */
    set.ecn = a->ecn;
    set.pacing = !a->no_pacing;
    set.conns_per_prefix = a->conns_per_prefix;
    if (a->time_wait_ms)
        set.time_wait_ms = a->time_wait_ms;
    return tcp_new(&set, &env, c->now_ns, &c->tcp);
}

static res make_layers(struct core *c, const struct core_args *a)
{
    struct tls_core_args tls = {.core = a->id, .conns_max = 2 * a->conns_max, .rng = &c->rng};
    struct px_env px = {.ctx = c,
                        .core = a->id,
                        .rng = &c->rng,
                        .log = &c->log,
                        .ring = &c->ring,
                        .ocsp = a->ocsp,
                        .connect = glue_connect};
    struct px_bounds bounds = {.clients_max = a->conns_max,
                               .requests_max = a->conns_max,
                               .backends_max = a->conns_max,
                               .bufs_max = 2 * a->conns_max};
    struct sip_key key = rng_sip_key(&c->rng);
    struct net_up up = {c, glue_tcp, glue_icmp, glue_ahead, glue_ahead_conn};

    TRY(net_core_begin(c->net, &up, &c->rng, &c->log, c->now_ns));
    TRY(make_tcp(c, a));
    TRY(heap_new(a->heap_b, &c->wolf.heap));
    c->wolf.rng = &c->rng;
    if (!a->forget_verdicts)
        TRY(memo_new(MEMO_ENTRIES, &c->memo));
    TRY(peers_new(PEERS_ENTRIES, PEERS_BYTES, c->memo, &c->peers));
    peers_use_ocsp(c->peers, a->ocsp, glue_ask, c);
    peers_use_lists(c->peers, &key, glue_teach, c);
    tickets_init(&c->tickets, a->ticket_seed, a->start_s);
    tls.peers = c->peers;
    tls.tickets = &c->tickets;
    tls.met = glue_met;
    tls.ctx = c;
    TRY(tls_core_new(&tls, &c->tls));
    px.tls = c->tls;
    px.peers = c->peers;
    return px_new(&bounds, &px, &c->px);
}

res core_new(const struct core_args *a, struct report *report, struct core **out)
{
    struct core *c = (struct core *)aligned_alloc(64, (sizeof(*c) + 63) & ~(size_t)63);
    uint8_t seed[RNG_SEED_B];
    res r;

    if (!c)
        return ERR(NOMEM);
    memset(c, 0, sizeof(*c));
    c->ring_mem = aligned_alloc(64, CORE_RING_B);
    if (!c->ring_mem || getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
        core_free(c);
        return ERR(NOMEM);
    }
    c->id = a->id;
    c->dp = a->dp;
    c->clock = a->clock;
    c->poll = a->poll;
    c->qsbr = a->qsbr;
    c->gossip = a->gossip;
    c->published = a->published;
    c->net = net_core_of(dp_net(a->dp), a->id);
    c->now_ns = clock_now(c->clock);
    rng_init(&c->rng, seed);
    memset(seed, 0, sizeof(seed));
    ring_init(&c->ring, c->ring_mem, CORE_RING_B);
    c->log.ring = &c->ring;
    c->log.level = LOG_LEVEL_START;
    c->log.now_ns = c->now_ns;
    r = make_layers(c, a);
    if (!IS_OK(r)) {
        report_add(report, REPORT_ERROR, NULL, 0,
                   "smaller memory.connections or memory.tls_heap_mb, or more memory",
                   "core %u: out of memory", a->id);
        core_free(c);
        return r;
    }
    *out = c;
    return OK;
}

void core_free(struct core *c)
{
    if (!c)
        return;
    wolf_bind(&c->wolf); /* sessions were this core's */
    px_free(c->px);
    tls_core_free(c->tls);
    wolf_bind(NULL);
    if (c->peers)
        peers_free(c->peers);
    if (c->memo)
        memo_free(c->memo);
    tcp_free(c->tcp);
    if (c->net && net_core_l3(c->net))
        net_core_end(c->net);
    heap_free(c->wolf.heap);
    tickets_fini(&c->tickets);
    memset(&c->rng, 0, sizeof(c->rng));
    free(c->ring_mem);
    free(c);
}
