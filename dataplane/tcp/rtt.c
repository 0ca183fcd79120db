#include "tcp/internal.h"

void tcp_rtt_init(struct tcp *t, struct tcp_conn *c)
{
    c->srtt_us = 0;
    c->rttvar_us = 0;
    c->min_rtt_us = UINT32_MAX;
    c->rto_us = t->set.rto_initial_us;
}

/* A windowed minimum: forgotten after 10 s, so that a path that became longer is believed. */
static void note_min(struct tcp *t, struct tcp_conn *c, uint32_t us)
{
    if (us <= c->min_rtt_us || t->now_ms - c->min_rtt_ms > 10000) {
        c->min_rtt_us = us ? us : 1;
        c->min_rtt_ms = t->now_ms;
    }
}

void tcp_rtt_sample(struct tcp *t, struct tcp_conn *c, uint32_t us)
{
    uint32_t var;

    note_min(t, c, us);
    if (us == 0)
        us = 1;
    if (c->srtt_us == 0) { /* RFC 6298 2.2 */
        c->srtt_us = us;
        c->rttvar_us = us / 2;
    } else {
        uint32_t err = c->srtt_us > us ? c->srtt_us - us : us - c->srtt_us;
        /* Several samples per round trip: each weighs less (RFC 7323 appendix G). */
        uint32_t per_rtt = tcp_in_flight(c) / (2u * c->snd_mss) + 1;
        int64_t d_var = ((int64_t)err - c->rttvar_us) / (int64_t)(4 * per_rtt);
        int64_t d_srtt = ((int64_t)us - c->srtt_us) / (int64_t)(8 * per_rtt);

        c->rttvar_us = (uint32_t)((int64_t)c->rttvar_us + d_var);
        c->srtt_us = (uint32_t)((int64_t)c->srtt_us + d_srtt);
    }
    /* RFC 6298 2.3. The variance shrinks away on a steady path, and a peer may still wait with its ACK: the
     * minimum is one of the variance's part, as hosts have it. */
    var = 4 * c->rttvar_us;
    if (var < c->rto_min_us)
        var = c->rto_min_us;
    c->rto_us = c->srtt_us + var;
    if (c->rto_us > t->set.rto_max_us)
        c->rto_us = t->set.rto_max_us;
}

uint64_t tcp_rto_us(const struct tcp *t, const struct tcp_conn *c)
{
    uint64_t us = (uint64_t)c->rto_us << (c->backoff > 16 ? 16 : c->backoff);

    return us > t->set.rto_max_us ? t->set.rto_max_us : us; /* RFC 6298 5.5 */
}
