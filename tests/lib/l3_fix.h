/**
 * l3_fix: the network engine with one port, in virtual time, for tests that play its neighbour.
 */
#ifndef SALLYPORT_TESTS_L3_FIX_H
#define SALLYPORT_TESTS_L3_FIX_H

#include "lib/t.h"
#include "net/l3.h"

#define SEC 1000000000ULL

static const struct mac our_mac = {{2, 0, 0, 0, 0, 1}}, peer_mac = {{2, 0, 0, 0, 0, 2}};

struct l3_fix {
    struct l3 *l3;
    struct rng rng;
    struct nbuf_pool pool;
    uint64_t now;
};

static inline struct ip_addr ip(const char *text)
{
    struct ip_addr a;

    T_NEED(IS_OK(ip_parse(span_str(text), &a)));
    return a;
}

/* Of `port` the addresses are the test's business, of `env` all but pool and randomness. */
static inline void l3_fix_begin(struct l3_fix *f, struct l3_env *env, struct l3_port *port,
                                uint32_t bufs)
{
    uint8_t seed[RNG_SEED_B] = {7};

    f->now = 100 * SEC;
    f->pool = (struct nbuf_pool){.cap = bufs};
    rng_init(&f->rng, seed);
    env->pool = &f->pool;
    env->rng = &f->rng;
    port->mac = our_mac;
    port->mtu = 1500;
    T_NEED(IS_OK(l3_new(env, port, 1, f->now, &f->l3)));
}

static inline void l3_fix_end(struct l3_fix *f)
{
    l3_free(f->l3);
    T_EQ(f->pool.out, 0);
}

#endif
