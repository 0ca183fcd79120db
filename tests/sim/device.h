/**
 * device: a network device as the stack sees one. It writes checksums and cuts runs of segments when it is
 * asked to (TSO), and may keep buffers for a while after they were handed to it, as a real one does.
 */
#ifndef SALLYPORT_TESTS_DEVICE_H
#define SALLYPORT_TESTS_DEVICE_H

#include "tcp/tcp.h"

#define DEVICE_RING 8u

struct device {
    bool on;    /* else everything passes as it is */
    bool keeps; /* a chain goes back only when DEVICE_RING others have come */
    struct nbuf *ring[DEVICE_RING];
    uint32_t next;
};

/* What goes out: one segment, complete. Takes m. */
typedef void device_out(void *ctx, struct nbuf *m, const struct tcp_tx *tx);

/* Takes m. `wire` gives the buffers of what is cut. */
void device_send(struct device *d, struct nbuf_pool *wire, struct nbuf *m, const struct tcp_tx *tx,
                 device_out *out, void *ctx);
/* Gives back all that it keeps. */
void device_idle(struct device *d);

uint32_t device_offloads(const struct device *d);

#endif
