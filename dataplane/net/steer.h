/**
 * steer: which core owns a flow. owner(tuple) = reta[toeplitz(tuple) mod size], the function that RSS
 * devices compute too; with the device's key and table it is the same in software and hardware.
 *
 * Pure: no device, no ring. The hash is linear, so it is computed from byte tables (12 KB).
 * Source: Microsoft RSS hashing types; DPDK rte_softrss.
 */
#ifndef SALLYPORT_NET_STEER_H
#define SALLYPORT_NET_STEER_H

#include "base/ip.h"
#include "base/rng.h"

#define STEER_KEY_B    40u
#define STEER_RETA_MAX 512u
#define STEER_RETA     128u /* entries of our own table */
#define STEER_INPUT_B  36u  /* two IPv6 addresses and two ports */

struct steer {
    uint8_t key[STEER_KEY_B];
    uint32_t reta_size;            /* power of two */
    uint16_t reta[STEER_RETA_MAX]; /* core */
    uint32_t cores;
    uint32_t table[STEER_INPUT_B][256];
};

/* A random key that spreads ports well, and an even table. */
void steer_init(struct steer *s, uint32_t cores, uint32_t reta_size, struct rng *rng);
/* With the key of a device. */
void steer_set_key(struct steer *s, const uint8_t key[STEER_KEY_B]);

/* Over source, destination, source port, destination port of a received packet. */
uint32_t steer_hash(const struct steer *s, const struct ip_addr *src, const struct ip_addr *dst,
                    uint16_t sport, uint16_t dport);

static inline uint32_t steer_owner_of_hash(const struct steer *s, uint32_t hash)
{
    return s->reta[hash & (s->reta_size - 1)];
}

static inline uint32_t steer_owner(const struct steer *s, const struct ip_addr *src,
                                   const struct ip_addr *dst, uint16_t sport, uint16_t dport)
{
    return s->cores == 1 ? 0 : steer_owner_of_hash(s, steer_hash(s, src, dst, sport, dport));
}

/**
 * What a received Ethernet frame is to be steered by: the tuple of a TCP segment, or of the segment that
 * an ICMP error quotes (turned round, so that it goes where the connection lives).
 * False: by nothing, whoever has it keeps it.
 */
bool steer_tuple(struct span frame, struct ip_addr *src, struct ip_addr *dst, uint16_t *sport,
                 uint16_t *dport);

/**
 * A fragment of a TCP packet? All of one packet have to meet on a core: they are steered by addresses
 * alone, with ports zero.
 */
bool steer_fragment(struct span frame, struct ip_addr *src, struct ip_addr *dst);

#endif
