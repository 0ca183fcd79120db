/**
 * prefix: how much of a core's state belongs to one source prefix (/24 of IPv4, /56 of IPv6), so that a single
 * network cannot take all of it. A count-min sketch: constant memory and time whoever comes; a collision
 * in both rows can only count too much.
 *
 * Thread  one core
 */
#ifndef SALLYPORT_TCP_PREFIX_H
#define SALLYPORT_TCP_PREFIX_H

#include "base/ip.h"
#include "base/siphash.h"

enum prefix_kind { PREFIX_REQS, PREFIX_CONNS, PREFIX_KINDS };

struct prefixes;

MUST_CHECK res prefixes_new(const struct sip_key *key, struct prefixes **out);
void prefixes_free(struct prefixes *p);

uint32_t prefix_count(const struct prefixes *p, enum prefix_kind kind, const struct ip_addr *a);
/* n: 1 or -1 */
void prefix_add(struct prefixes *p, enum prefix_kind kind, const struct ip_addr *a, int n);

#endif
