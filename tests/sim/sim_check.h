/**
 * sim_check: what holds of every connection of a node after every event, whatever the network does.
 */
#ifndef SALLYPORT_TESTS_SIM_CHECK_H
#define SALLYPORT_TESTS_SIM_CHECK_H

#include "sim/sim.h"

/* Ends the process where it does not hold, with the connection in words. */
void sim_check(struct sim *s, struct sim_node *n);

#endif
