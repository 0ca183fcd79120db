#include "tcp/internal.h"

/* CUBIC (RFC 9438): C = 0.4, beta = 0.7, windows in bytes, time in ms. */
#define BETA_NUM 7u
#define BETA_DEN 10u

/* HyStart++ (RFC 9406 4.2) */
#define HS_MIN_US     4000u
#define HS_MAX_US     16000u
#define HS_SAMPLES    8u
#define HS_CSS_GROWTH 4u
#define HS_CSS_ROUNDS 5u

void tcp_cc_init(struct tcp *t, struct tcp_conn *c)
{
    uint32_t segs = t->set.initial_window;

    /* RFC 6928 2: after a lost SYN the window is one segment. */
    c->cwnd = (c->flags & TCPF_SYN_LOST ? 1 : segs) * c->snd_mss;
    c->ssthresh = UINT32_MAX;
    c->flags |= TCPF_HYSTART;
    c->hs_round_end = c->snd_nxt;
    c->hs_last_rtt = UINT32_MAX;
    c->hs_rtt = UINT32_MAX;
    c->hs_samples = 0;
    c->cub_epoch_ms = 0;
    c->cub_wmax = 0;
}

/* --- HyStart++: leave slow start when the round trip grows --- */

static void hs_round(struct tcp_conn *c)
{
    c->hs_last_rtt = c->hs_rtt;
    c->hs_rtt = UINT32_MAX;
    c->hs_samples = 0;
    c->hs_round_end = c->snd_nxt;
}

static void hs_sample(struct tcp_conn *c, int64_t rtt_us)
{
    uint32_t thresh;

    if (rtt_us < 0)
        return;
    if (rtt_us < c->hs_rtt)
        c->hs_rtt = (uint32_t)rtt_us;
    c->hs_samples++;
    if (c->hs_samples < HS_SAMPLES || c->hs_last_rtt == UINT32_MAX)
        return;
    thresh = c->hs_last_rtt / 8;
    thresh = thresh < HS_MIN_US ? HS_MIN_US : thresh > HS_MAX_US ? HS_MAX_US : thresh;
    if (!(c->flags & TCPF_CSS)) {
        if (c->hs_rtt >= c->hs_last_rtt + thresh) {
            c->flags |= TCPF_CSS;
            c->cub_k_ms = c->hs_rtt; /* baseline; CUBIC itself has not begun yet */
            c->cub_west = HS_CSS_ROUNDS;
        }
    } else if (c->hs_rtt < c->cub_k_ms) {
        c->flags &= ~TCPF_CSS; /* it was a passing burst */
    }
}

static void leave_slow_start(struct tcp_conn *c)
{
    c->ssthresh = c->cwnd;
    c->flags &= ~(TCPF_HYSTART | TCPF_CSS);
}

static void slow_start(struct tcp_conn *c, uint32_t acked_b, int64_t rtt_us)
{
    bool round_over = seq_gt(c->snd_una, c->hs_round_end);

    if (c->flags & TCPF_HYSTART) {
        hs_sample(c, rtt_us);
        if (round_over) {
            if ((c->flags & TCPF_CSS) && --c->cub_west == 0) {
                leave_slow_start(c);
                return;
            }
            hs_round(c);
        }
        if (c->flags & TCPF_CSS)
            acked_b /= HS_CSS_GROWTH;
    }
    c->cwnd += acked_b; /* by bytes, so splitting ACKs gains nothing (RFC 3465) */
    if (c->cwnd > c->ssthresh)
        c->cwnd = c->ssthresh;
}

/* --- CUBIC --- */

static uint32_t cube_root(uint64_t v)
{
    uint32_t lo = 0, hi = 2642245; /* cube root of 2^64 */

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo + 1) / 2;

        if ((uint64_t)mid * mid * mid <= v)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

/* A new epoch of congestion avoidance begins (RFC 9438 4.2). */
static void begin_epoch(struct tcp *t, struct tcp_conn *c)
{
    c->cub_epoch_ms = t->now_ms ? t->now_ms : 1;
    c->cub_west = c->cwnd;
    c->hs_samples = 0; /* slow start is over: bytes acknowledged and not counted yet */
    if (c->cwnd < c->cub_wmax) {
        /* K = cbrt((W_max - cwnd) / C) seconds, windows in segments; here in ms */
        uint64_t segs_milli = (uint64_t)(c->cub_wmax - c->cwnd) * 1000 / c->snd_mss;

        c->cub_k_ms = cube_root(segs_milli * 10 / 4 * 1000000);
    } else {
        c->cub_k_ms = 0;
        c->cub_wmax = c->cwnd;
    }
}

/* W_cubic(t) = C * (t - K)^3 + W_max, in bytes. */
static uint64_t w_cubic(const struct tcp_conn *c, uint64_t t_ms)
{
    int64_t d = (int64_t)t_ms - c->cub_k_ms;
    int64_t delta;

    if (d > 200000)
        d = 200000;
    /* 0.4 * (d/1000)^3 segments = d^3 * mss * 4 / 10^10 bytes */
    delta = d * d / 100 * d / 100 * c->snd_mss / 1000 * 4 / 1000;
    if (delta < -(int64_t)c->cub_wmax)
        return 0;
    return (uint64_t)((int64_t)c->cub_wmax + delta);
}

static void avoid(struct tcp *t, struct tcp_conn *c, uint32_t acked_b)
{
    uint64_t target, since;
    uint32_t grow;

    if (c->cub_epoch_ms == 0)
        begin_epoch(t, c);
    /* In parts of a window that are large enough to divide: with single ACKs a large window would round
     * its growth away. */
    c->hs_samples += acked_b;
    if (c->hs_samples < c->cwnd / 16)
        return;
    acked_b = c->hs_samples;
    c->hs_samples = 0;
    since = t->now_ms - c->cub_epoch_ms;
    target = w_cubic(c, since + c->srtt_us / 1000);
    if (target > (uint64_t)c->cwnd * 3 / 2) /* RFC 9438 4.2: at most half more per round trip */
        target = (uint64_t)c->cwnd * 3 / 2;
    /* What Reno would have: alpha = 3 * (1 - beta) / (1 + beta) = 9/17 until W_max, then 1 (4.3). */
    grow = (uint32_t)((uint64_t)acked_b * c->snd_mss / c->cwnd);
    c->cub_west += c->cub_west < c->cub_wmax ? (uint32_t)((uint64_t)grow * 9 / 17) : grow;
    if (target < c->cub_west)
        target = c->cub_west;
    if (target > c->cwnd) {
        grow = (uint32_t)((target - c->cwnd) * acked_b / c->cwnd);
        c->cwnd += grow > acked_b ? acked_b : grow; /* never faster than slow start */
    } else {
        c->cwnd += (uint32_t)((uint64_t)acked_b * c->snd_mss / c->cwnd / 100);
    }
}

void tcp_cc_grow(struct tcp *t, struct tcp_conn *c, uint32_t acked_b, int64_t rtt_us)
{
    if (c->cwnd < c->ssthresh)
        slow_start(c, acked_b, rtt_us);
    else
        avoid(t, c, acked_b);
    if (c->cwnd > (1u << 30))
        c->cwnd = 1u << 30;
}

uint32_t tcp_cc_reduce(struct tcp *t, struct tcp_conn *c)
{
    uint32_t floor = 2u * c->snd_mss, ssthresh;

    (void)t;
    /* Fast convergence: leave room for newcomers (RFC 9438 4.7). */
    if (c->cwnd < c->cub_wmax)
        c->cub_wmax = (uint32_t)((uint64_t)c->cwnd * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN));
    else
        c->cub_wmax = c->cwnd;
    c->cub_epoch_ms = 0;
    c->flags &= ~(TCPF_HYSTART | TCPF_CSS);
    ssthresh = (uint32_t)((uint64_t)c->cwnd * BETA_NUM / BETA_DEN);
    return ssthresh < floor ? floor : ssthresh;
}

/* RFC 5681 4.1, RFC 9438 5.8: after idling the window restarts, and the epoch does not count idle time. */
void tcp_cc_idle(struct tcp *t, struct tcp_conn *c, uint32_t idle_ms)
{
    uint32_t iw = t->set.initial_window * c->snd_mss;

    if (c->cwnd > iw)
        c->cwnd = iw;
    if (c->cub_epoch_ms)
        c->cub_epoch_ms += idle_ms;
}
