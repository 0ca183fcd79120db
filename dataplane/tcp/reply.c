#include "base/bytes.h"
#include "tcp/internal.h"

void tcp_emit(struct tcp *t, struct nbuf *m, const struct ip_addr *src, const struct ip_addr *dst,
              uint8_t hdr_b, uint8_t ecn)
{
    struct tcp_tx tx = {.src = *src, .dst = *dst, .ecn = ecn, .hdr_b = hdr_b};
    uint8_t *p = nbuf_data(m);
    uint32_t len = nbuf_len(m);

    tx.csum = t->env.offloads & TCP_OFFLOAD_CSUM;
    put_u16(p + 16,
            tx.csum ? tcp_wire_pseudo(len, src, dst) : (uint16_t)~tcp_wire_sum(m, len, src, dst));
    t->env.output(t->env.ctx, m, &tx);
}

void tcp_emit_run(struct tcp *t, struct nbuf *m, struct tcp_tx *tx)
{
    tx->csum = true;
    put_u16(nbuf_data(m) + 16, tcp_wire_pseudo(0, &tx->src, &tx->dst));
    t->env.output(t->env.ctx, m, tx);
}

struct nbuf *tcp_bare(struct tcp *t, const struct tcp_hdr_plan *p, uint8_t *hdr_b)
{
    struct nbuf *m = nbuf_get(t->env.pool);

    if (!m) {
        tcp_at_bound(t, TCP_CTR_NO_BUFFER, BOUND_BUFFERS, NULL);
        return NULL;
    }
    *hdr_b = tcp_wire_size(p);
    tcp_wire_write(nbuf_push(m, *hdr_b), *hdr_b, p);
    return m;
}

static void send_plan(struct tcp *t, const struct tcp_tuple *tuple, struct tcp_hdr_plan *p)
{
    uint8_t hdr_b;
    struct nbuf *m;

    p->sport = tuple->lport;
    p->dport = tuple->rport;
    m = tcp_bare(t, p, &hdr_b);
    if (!m)
        return;
    tcp_count(t, TCP_CTR_OUT_SEGS);
    tcp_emit(t, m, &tuple->laddr, &tuple->raddr, hdr_b, 0);
}

/* RFC 9293 3.10.7.1: never in answer to a RST, never to an address that is not one host's. */
void tcp_reply_rst(struct tcp *t, const struct tcp_tuple *tuple, const struct tcp_seg *s)
{
    struct tcp_hdr_plan p = {.wscale = -1};

    if ((s->flags & TCP_RST) || ip_is_multicast(&tuple->raddr) || ip_is_any(&tuple->raddr) ||
        !tcp_take_rst(t, &tuple->raddr))
        return;
    if (s->flags & TCP_ACK) {
        p.seq = s->ack;
        p.flags = TCP_RST;
    } else {
        p.ack = s->seq + tcp_seg_space(s);
        p.flags = TCP_RST | TCP_ACK;
    }
    tcp_count(t, TCP_CTR_OUT_RSTS);
    send_plan(t, tuple, &p);
}

void tcp_reply_ack(struct tcp *t, const struct tcp_tuple *tuple, uint32_t seq, uint32_t ack,
                   uint16_t wnd, bool ts, uint32_t tsval, uint32_t tsecr)
{
    struct tcp_hdr_plan p = {.seq = seq,
                             .ack = ack,
                             .wnd = wnd,
                             .flags = TCP_ACK,
                             .ts = ts,
                             .tsval = tsval,
                             .tsecr = tsecr,
                             .wscale = -1};

    send_plan(t, tuple, &p);
}

void tcp_reply_synack(struct tcp *t, const struct tcp_req *r, uint32_t tsval)
{
    struct ip_addr src = r->tuple.laddr;
    uint16_t mtu = 1500;
    uint32_t wnd = t->set.rcvbuf_start_b;
    struct tcp_hdr_plan p = {.seq = r->iss,
                             .ack = r->irs + 1,
                             .wnd = (uint16_t)(wnd > 65535 ? 65535 : wnd), /* never scaled */
                             .flags = TCP_SYN | TCP_ACK,
                             .ts = r->opts & TCP_OPT_TS,
                             .sack_ok = r->opts & TCP_OPT_SACK,
                             .wscale = (r->opts & TCP_OPT_WS) ? (int8_t)tcp_own_wscale(t) : -1,
                             .tsval = tsval,
                             .tsecr = r->ts_recent};

    if (r->opts & TCP_OPT_ECN)
        p.flags |= TCP_ECE; /* RFC 3168 6.1.1 */
    (void)t->env.route(t->env.ctx, &r->tuple.raddr, &src, &mtu);
    p.mss = tcp_own_mss(t, &r->tuple, mtu);
    send_plan(t, &r->tuple, &p);
}
