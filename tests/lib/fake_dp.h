/**
 * fake_dp: dp.h without a network: what control/ does to it can be looked at, and how it answers be set.
 */
#ifndef SALLYPORT_TESTS_FAKE_DP_H
#define SALLYPORT_TESTS_FAKE_DP_H

#include "dp.h"

#define FAKE_RING_B (64u * 1024)

extern struct fake_dp {
    /* How it answers. */
    bool start_fails;
    enum res_code publish;
    uint32_t stop_takes_ms;
    bool stop_forced;
    bool chatty; /* an event and an access record at each publication */

    /* What was done to it. */
    struct dp_config cfg;
    struct snap *now;
    uint64_t gen; /* that the cores work by: after TIMEOUT it is still the one before */
    uint32_t started, published, stopped, freed, deadline_ms;
} fake_dp;

void fake_dp_reset(void);

/* As a core would. False: the ring is full. */
bool fake_dp_event(unsigned core, const char *name);
bool fake_dp_request(unsigned core, const char *line, const char *agent, uint16_t status);
bool fake_dp_rubbish(unsigned core);

#endif
