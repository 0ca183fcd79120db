#include "base/must.h"
#include "tcp/internal.h"

/* Full-sized segments of one burst that one ACK may answer, and where something is missing. */
#define ACK_EVERY     16u
#define ACK_EVERY_OOO 4u

/* Payloads this small are copied together with what is queued already, so that a stream of tiny
 * segments does not pin a whole buffer each. */
#define COLLAPSE_B 512u

static void charge(struct tcp *t, struct tcp_conn *c, const struct nbuf *m)
{
    c->rx_true_b += nbuf_truesize(m);
    t->rx_used_b += nbuf_truesize(m);
}

static void release(struct tcp *t, struct tcp_conn *c, struct nbuf *m)
{
    c->rx_true_b -= nbuf_truesize(m);
    t->rx_used_b -= nbuf_truesize(m);
    nbuf_set_next(m, NULL);
    nbuf_put(m);
}

/* --- in order --- */

static void append(struct tcp *t, struct tcp_conn *c, struct nbuf *m)
{
    uint32_t len = nbuf_len(m);

    c->rcv_nxt += len;
    c->rx_b += len;
    c->bytes_in += len;
    if (c->rx_tail && len <= COLLAPSE_B && nbuf_tailroom(c->rx_tail) >= len &&
        !nbuf_shared(c->rx_tail)) {
        memcpy(nbuf_add(c->rx_tail, len), nbuf_data(m), len);
        tcp_count(t, TCP_CTR_RCV_COLLAPSED);
        release(t, c, m);
        return;
    }
    nbuf_set_next(m, NULL);
    if (c->rx_tail)
        nbuf_set_next(c->rx_tail, m);
    else
        c->rx_head = m;
    c->rx_tail = m;
}

/* --- out of order: sorted, without overlaps; what is there already wins --- */

static void note_dsack(struct tcp_conn *c, uint32_t from, uint32_t to)
{
    if (!(c->opts & TCP_OPT_SACK))
        return;
    c->flags |= TCPF_DSACK;
    c->dsack_from = from;
    c->dsack_to = to;
}

static void ooo_drop(struct tcp *t, struct tcp_conn *c, struct nbuf *m)
{
    tcp_at_bound(t, TCP_CTR_OFO_DROP, BOUND_OUT_OF_ORDER, &c->tuple.raddr);
    charge(t, c, m);
    release(t, c, m);
}

/* Under pressure the queue goes as a whole: SACKed data may be taken back (RFC 2018 8). */
static void ooo_purge(struct tcp *t, struct tcp_conn *c)
{
    while (c->ooo) {
        struct nbuf *m = c->ooo;

        c->ooo = rseg_of(m)->next;
        release(t, c, m);
        tcp_count(t, TCP_CTR_OFO_DROP);
    }
    c->ooo_n = 0;
}

/* All of it is there already. Takes m. */
static void ooo_twice(struct tcp *t, struct tcp_conn *c, struct nbuf *m, uint32_t seq, uint32_t end)
{
    tcp_count(t, TCP_CTR_DUP_DATA);
    note_dsack(c, seq, end);
    c->ooo_last = seq;
    charge(t, c, m);
    release(t, c, m);
}

static bool ooo_fits(const struct tcp *t, const struct tcp_conn *c, struct nbuf *m, bool new_run)
{
    return !(new_run && c->ooo_n >= TCP_OOO_MAX) &&
           c->rx_true_b + nbuf_truesize(m) <= 4 * c->rcvbuf &&
           t->rx_used_b + nbuf_truesize(m) <= t->set.rx_budget_b;
}

/* Two runs that touch become one. */
static void ooo_join(struct tcp_conn *c, struct rseg *run)
{
    struct nbuf *m = rseg_of(run->last)->next;

    if (!m || rseg_of(m)->seq != run->run_end)
        return;
    run->run_end = rseg_of(m)->run_end;
    run->last = rseg_of(m)->last;
    c->ooo_n--;
}

static void ooo_insert(struct tcp *t, struct tcp_conn *c, struct nbuf *m, uint32_t seq)
{
    uint32_t end = seq + nbuf_len(m);
    struct nbuf **at = &c->ooo, *behind;
    struct rseg *run = NULL;

    while (*at && seq_lt(rseg_of(*at)->run_end, seq))
        at = &rseg_of(rseg_of(*at)->last)->next;
    if (*at && seq_leq(rseg_of(*at)->seq, seq)) { /* it goes on where this run ends, or is in it */
        run = rseg_of(*at);
        if (seq_geq(run->run_end, end)) {
            ooo_twice(t, c, m, seq, end);
            return;
        }
        nbuf_pull(m, run->run_end - seq);
        seq = run->run_end;
        at = &rseg_of(run->last)->next;
    }
    /* What lies behind it wins; what would come after that is left to a retransmission. */
    behind = *at;
    if (behind && seq_lt(rseg_of(behind)->seq, end)) {
        nbuf_trim(m, end - rseg_of(behind)->seq);
        end = rseg_of(behind)->seq;
    }
    if (seq == end || !ooo_fits(t, c, m, !run)) {
        ooo_drop(t, c, m);
        return;
    }
    *rseg_of(m) = (struct rseg){behind, seq, end, end, m};
    *at = m;
    if (run) {
        run->last = m;
        run->run_end = end;
    } else {
        run = rseg_of(m);
        c->ooo_n++;
    }
    ooo_join(c, run);
    c->ooo_last = seq;
    charge(t, c, m);
    tcp_count(t, TCP_CTR_OFO_QUEUE);
}

/* Holes were filled: move what has become in order. */
static void ooo_drain(struct tcp *t, struct tcp_conn *c)
{
    while (c->ooo && seq_leq(rseg_of(c->ooo)->seq, c->rcv_nxt)) {
        struct nbuf *last = rseg_of(c->ooo)->last, *m;

        c->ooo_n--;
        do { /* all of a run */
            struct rseg g;

            m = c->ooo;
            g = *rseg_of(m);
            c->ooo = g.next;
            if (seq_leq(g.end, c->rcv_nxt)) {
                release(t, c, m);
                continue;
            }
            if (seq_lt(g.seq, c->rcv_nxt))
                nbuf_pull(m, c->rcv_nxt - g.seq);
            append(t, c, m);
        } while (m != last);
    }
}

/* --- what is to be acknowledged, and when (RFC 5681 4.2, RFC 9293 3.8.6.3) --- */

/* The second full-sized segment; one that is shorter than others were is full-sized when it comes twice. */
static bool second_segment(const struct tcp_conn *c, uint32_t len)
{
    return c->ack_b >= 2u * c->rcv_mss || (len >= TCP_MSS_V4 && c->ack_b >= 2 * len);
}

static void owe_ack(struct tcp *t, struct tcp_conn *c, uint32_t len, bool at_once)
{
    c->ack_b += len;
    if (len > c->rcv_mss)
        c->rcv_mss = (uint16_t)(len > UINT16_MAX ? UINT16_MAX : len);
    if (c->quick) {
        c->quick--;
        at_once = true;
    }
    if (at_once || second_segment(c, len)) {
        c->flags |= TCPF_ACK_NOW;
        tcp_want_out(t, c);
    } else if (!(c->flags & (TCPF_ACK_DELAYED | TCPF_ACK_NOW))) {
        c->flags |= TCPF_ACK_DELAYED;
        c->dl_ack = tcp_tick_after_us(t, t->set.delack_us);
        tcp_rearm(t, c);
        tcp_want_out(t, c); /* data of the same turn takes it along */
    }
    /* One ACK for a whole burst is one packet to lose, and then the sender waits for its RTO. */
    if ((c->flags & TCPF_ACK_NOW) && c->ack_b >= (c->ooo ? ACK_EVERY_OOO : ACK_EVERY) * c->rcv_mss)
        tcp_send_ack(t, c);
}

/* One buffer of payload. True: it was in order and filled no hole. Takes m. */
static bool take_piece(struct tcp *t, struct tcp_conn *c, struct nbuf *m, uint32_t seq)
{
    uint32_t end = seq + nbuf_len(m);

    if (seq_gt(end, c->rcv_adv)) { /* beyond the window: cut */
        uint32_t over = end - c->rcv_adv;

        tcp_count(t, c->rcv_adv == c->rcv_nxt ? TCP_CTR_ZERO_WINDOW_DROP : TCP_CTR_OUT_OF_WINDOW);
        if (over >= nbuf_len(m)) {
            nbuf_put(m);
            return false;
        }
        nbuf_trim(m, over);
        end -= over;
    }
    if (seq_leq(end, c->rcv_nxt)) {
        tcp_count(t, TCP_CTR_DUP_DATA);
        note_dsack(c, seq, end);
        nbuf_put(m);
        return false;
    }
    if (seq_lt(seq, c->rcv_nxt)) {
        note_dsack(c, seq, c->rcv_nxt);
        nbuf_pull(m, c->rcv_nxt - seq);
        seq = c->rcv_nxt;
    }
    if (seq != c->rcv_nxt) {
        ooo_insert(t, c, m, seq);
        return false;
    }
    if (t->rx_used_b + nbuf_truesize(m) > t->set.rx_budget_b) {
        ooo_purge(t, c);
        if (t->rx_used_b + nbuf_truesize(m) > t->set.rx_budget_b) {
            tcp_at_bound(t, TCP_CTR_RCV_PRUNED, BOUND_RX_MEMORY, &c->tuple.raddr);
            nbuf_put(m);
            return false;
        }
    }
    charge(t, c, m);
    if (c->ooo && seq_lt(rseg_of(c->ooo)->seq, end))
        nbuf_trim(m, end - rseg_of(c->ooo)->seq); /* first wins */
    append(t, c, m);
    if (!c->ooo)
        return true;
    ooo_drain(t, c);
    return false;
}

/* Nobody reads any more: count what is thrown away, and end it when it is too much. */
static void discard(struct tcp *t, struct tcp_conn *c)
{
    uint32_t n = c->rx_b;

    if (n == 0)
        return;
    tcp_rx_consumed(t, c, n);
    if (n > c->linger_left) {
        tcp_count(t, TCP_CTR_ABORT_LINGER);
        tcp_send_rst(t, c);
        tcp_conn_kill(t, c, STREAM_WHY_LOCAL);
        return;
    }
    c->linger_left -= n;
}

void tcp_rx_data(struct tcp *t, struct tcp_conn *c, struct nbuf *m, const struct tcp_seg *s)
{
    uint32_t seq = s->seq;
    bool smooth = true;

    nbuf_pull(m, s->hdr_b);
    while (m) {
        struct nbuf *next = nbuf_next(m);
        uint32_t len = nbuf_len(m);

        nbuf_set_next(m, NULL);
        if (len == 0)
            nbuf_put(m);
        else
            smooth &= take_piece(t, c, m, seq);
        seq += len;
        m = next;
    }
    owe_ack(t, c, s->len, !smooth);
    if (c->flags & TCPF_ORPHAN)
        discard(t, c);
    else if (c->rx_b)
        tcp_want_up(t, c, STREAM_EV_READABLE);
}

/* --- the window --- */

/* Room for what may still come, in bytes from rcv_nxt on. */
static uint32_t room(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t free_b = c->rcvbuf > c->rx_b ? c->rcvbuf - c->rx_b : 0;

    /* Under pressure nobody gets more than a few segments; what was promised stays promised. */
    if (t->rx_used_b > t->set.rx_budget_b / 4 * 3 && free_b > 4u * c->rcv_mss)
        free_b = 4u * c->rcv_mss;
    return free_b;
}

/* Silly window syndrome, receiver's side (RFC 9293 3.8.6.2.2). */
static uint32_t step(const struct tcp_conn *c)
{
    uint32_t two = 2u * c->rcv_mss;

    return two < c->rcvbuf / 2 ? two : c->rcvbuf / 2;
}

uint32_t tcp_rx_window(struct tcp *t, struct tcp_conn *c)
{
    uint32_t unit = 1u << c->rcv_wscale, max = 65535u << c->rcv_wscale;
    uint32_t wnd = room(t, c),
             promised = seq_gt(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0;

    if (wnd > max)
        wnd = max;
    if (wnd <= promised || wnd - promised < step(c))
        wnd = (promised + unit - 1) & ~(unit - 1); /* never less than promised (3.8.6) */
    else
        wnd &= ~(unit - 1);
    if (wnd > max)
        wnd = max;
    if (seq_gt(c->rcv_nxt + wnd, c->rcv_adv))
        c->rcv_adv = c->rcv_nxt + wnd;
    if (wnd == 0)
        tcp_count(t, TCP_CTR_ZERO_WINDOW_OUT);
    return wnd;
}

/* Twice what the owner consumes in a round trip, so that the window never is what holds a path back. */
static void tune(struct tcp *t, struct tcp_conn *c, uint32_t n)
{
    uint32_t rtt_ms = c->srtt_us / 1000 + 1, want;

    c->rcvq_b += n;
    if (t->now_ms - c->rcvq_ms < rtt_ms)
        return;
    want = 2 * c->rcvq_b;
    if (want > c->rcvbuf && t->rx_used_b < t->set.rx_budget_b / 2)
        c->rcvbuf = want < t->set.rcvbuf_max_b ? want : t->set.rcvbuf_max_b;
    c->rcvq_b = 0;
    c->rcvq_ms = t->now_ms;
}

void tcp_rx_consumed(struct tcp *t, struct tcp_conn *c, uint32_t n)
{
    uint32_t promised, left = n;

    MUST_HOT(n <= c->rx_b);
    c->rx_b -= n;
    while (left) {
        struct nbuf *m = c->rx_head;
        uint32_t len = nbuf_len(m);

        if (len > left) {
            nbuf_pull(m, left);
            break;
        }
        left -= len;
        c->rx_head = nbuf_next(m);
        if (!c->rx_head)
            c->rx_tail = NULL;
        release(t, c, m);
    }
    if (c->flags & TCPF_DEAD)
        return;
    tune(t, c, n);
    promised = seq_gt(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0;
    if (room(t, c) >= promised + step(c) && room(t, c) >= 2 * promised &&
        !(c->flags & TCPF_FIN_RCVD)) {
        c->flags |= TCPF_ACK_NOW; /* the window opens by something worth telling */
        tcp_want_out(t, c);
    }
}

void tcp_rx_no_more(struct tcp *t, struct tcp_conn *c)
{
    ooo_purge(t, c);
}

void tcp_rx_free(struct tcp *t, struct tcp_conn *c)
{
    while (c->rx_head) {
        struct nbuf *m = c->rx_head;

        c->rx_head = nbuf_next(m);
        release(t, c, m);
    }
    c->rx_tail = NULL;
    c->rx_b = 0;
    ooo_purge(t, c);
}

/* --- SACK blocks (RFC 2018 4, RFC 2883): a duplicate first, then the newest, then the others --- */

static void add_block(struct tcp_sack *out, uint8_t *n, uint8_t max, uint8_t first, uint32_t from,
                      uint32_t to)
{
    for (uint8_t i = first; i < *n; i++) {
        if (out[i].from == from && out[i].to == to)
            return;
    }
    if (*n < max)
        out[(*n)++] = (struct tcp_sack){from, to};
}

uint8_t tcp_rx_sacks(const struct tcp_conn *c, struct tcp_sack out[TCP_SACK_MAX], uint8_t max)
{
    struct tcp_sack newest = {0, 0}, ranges[TCP_SACK_MAX];
    uint8_t n = 0, count = 0, dsack;

    for (struct nbuf *m = c->ooo; m; m = rseg_of(rseg_of(m)->last)->next) {
        uint32_t from = rseg_of(m)->seq, to = rseg_of(m)->run_end;

        if (seq_leq(from, c->ooo_last) && seq_lt(c->ooo_last, to))
            newest = (struct tcp_sack){from, to};
        if (count < TCP_SACK_MAX)
            ranges[count++] = (struct tcp_sack){from, to};
    }
    if (c->flags & TCPF_DSACK)
        out[n++] = (struct tcp_sack){c->dsack_from, c->dsack_to};
    dsack =
        n; /* RFC 2883 4: the block that holds the duplicate follows it, even when it is the same */
    if (newest.from != newest.to)
        add_block(out, &n, max, dsack, newest.from, newest.to);
    for (uint8_t i = 0; i < count; i++)
        add_block(out, &n, max, dsack, ranges[i].from, ranges[i].to);
    return n;
}
