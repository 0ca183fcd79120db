#include "tcp/internal.h"

/* Pacing: windows of many segments over paths of some length are spread over the round trip, as fast as the
 * window may grow within it (twice in slow start, a quarter more later). Short paths and small windows are
 * left alone: there the bursts are small, and the wheel is too coarse. Retransmissions are not held back;
 * proportional rate reduction spreads those. */

#define PACE_FROM_SEGS   32u
#define PACE_FROM_RTT_US 2000u
#define CREDIT           1000u /* units of 1024 ns: what was not used in time may be sent at once */

static uint32_t now_units(const struct tcp *t)
{
    return (uint32_t)(t->now_ns >> 10);
}

static bool is_paced(const struct tcp *t, const struct tcp_conn *c)
{
    return t->set.pacing && c->cwnd >= PACE_FROM_SEGS * c->snd_mss &&
           c->srtt_us >= PACE_FROM_RTT_US;
}

bool tcp_pace_ok(struct tcp *t, struct tcp_conn *c)
{
    int32_t ahead = (int32_t)(c->pace_at - now_units(t));

    if (!is_paced(t, c))
        return true;
    if (ahead <= 0)
        return true;
    if (ahead > (int32_t)(1u << 20)) { /* a second: older than any round trip that is paced */
        c->pace_at = now_units(t);
        return true;
    }
    c->dl_pace = tcp_tick_after_us(t, (uint64_t)ahead + 1);
    tcp_rearm(t, c);
    tcp_count(t, TCP_CTR_PACED);
    return false;
}

void tcp_paced(struct tcp *t, struct tcp_conn *c, uint32_t bytes)
{
    uint32_t now = now_units(t);
    uint64_t per_rtt; /* in quarters of a window */

    if (!is_paced(t, c))
        return;
    per_rtt = c->cwnd < c->ssthresh ? 8 : 5;
    if ((int32_t)(c->pace_at - now) < -(int32_t)CREDIT)
        c->pace_at = now - CREDIT;
    c->pace_at += (uint32_t)((uint64_t)bytes * c->srtt_us * 4 / (per_rtt * c->cwnd));
}
