/**
 * gossip: the certificate chains that one core has come to know, for all others, so that a session ticket
 * opens wherever the client's next connection lands. Between two cores there is one single-producer
 * ring per direction; a full one loses the newest, and that client has a full handshake.
 *
 * Thread  core i calls with me == i; new and free when no core runs
 */
#ifndef SALLYPORT_CORE_GOSSIP_H
#define SALLYPORT_CORE_GOSSIP_H

#include "crypto/peer.h"

struct gossip;

/* *out stays NULL for a single core, who has nobody to tell: all calls take that. */
MUST_CHECK res gossip_new(uint32_t cores, struct gossip **out);
void gossip_free(struct gossip *g);

/* A chain whose key was shown, once for each. Returns how many cores will hear of it. */
uint32_t gossip_tell(struct gossip *g, uint32_t me, struct peer *peer);

/* Takes in what others have told. Bound: 8 chains of each. Returns chains. */
uint32_t gossip_hear(struct gossip *g, uint32_t me, struct peers *peers);

#endif
