/**
 * l3_port: the one port that the network engine has in a fuzz target, and its neighbour.
 */
#ifndef SALLYPORT_TESTS_FUZZ_L3_PORT_H
#define SALLYPORT_TESTS_FUZZ_L3_PORT_H

#include "fuzz/fuzz.h"
#include "net/l3.h"

static const struct mac our_mac = {{2, 0, 0, 0, 0, 1}}, peer_mac = {{2, 0, 0, 0, 0, 2}};

static inline void fuzz_addrs(struct ip_addr out[2], const char *v4, const char *v6)
{
    FUZZ_MUST(IS_OK(ip_parse(span_str(v4), &out[0])) && IS_OK(ip_parse(span_str(v6), &out[1])));
}

static inline struct l3_port fuzz_port(const struct ip_addr us[2])
{
    return (struct l3_port){
        .mac = our_mac, .mtu = 1500, .addresses = {{us[0], 120}, {us[1], 64}}, .address_count = 2};
}

/* Nobody looks at what goes out. */
static inline void fuzz_tx(void *ctx, uint8_t port, struct nbuf *m)
{
    (void)ctx, (void)port;
    nbuf_put_chain(m);
}

#endif
