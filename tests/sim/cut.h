/* cut: a link on the way that cuts TCP packets into fragments, as routers do to IPv4, and hosts to IPv6. */
#ifndef SALLYPORT_TESTS_CUT_H
#define SALLYPORT_TESTS_CUT_H

#include "net/wire.h"

/**
 * A frame, as fragments of at most `unit` bytes of payload, a multiple of 8; the last one first when id is odd.
 * What is no larger, or no TCP, goes as it is.
 */
void cut_frame(struct span frame, uint32_t unit, uint32_t id,
               void (*out)(void *ctx, struct span frame), void *ctx);

#endif
