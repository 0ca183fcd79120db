/* What core/ asks of dp.c. */
#ifndef SALLYPORT_CORE_DP_INTERNAL_H
#define SALLYPORT_CORE_DP_INTERNAL_H

struct dp;
struct net;

struct net *dp_net(struct dp *dp);

#endif
