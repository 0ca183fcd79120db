/* What core/ asks of dp.c. */
#ifndef SALLYPORT_CORE_DP_INTERNAL_H
#define SALLYPORT_CORE_DP_INTERNAL_H

struct dp;
struct net;

struct net *dp_net(struct dp *dp);

/* telemetry.c: endpoints of DPDK's telemetry socket that answer from this data plane; NULL ends it. */
void telemetry_of(struct dp *dp);

#endif
