/* The system's struct of that name is not the stack's. */
#define tcp_info system_tcp_info
#include <netinet/tcp.h>
#undef tcp_info

#include "packetdrill/so.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

/* Options that are taken and remembered, and change nothing: level, name, value at the start. */
static const struct {
    int level, name, value;
} kept[] = {
    {SOL_SOCKET, SO_REUSEADDR, 0},
    {SOL_SOCKET, SO_REUSEPORT, 0},
    {SOL_SOCKET, SO_KEEPALIVE, 1},
    {SOL_SOCKET, SO_SNDBUF, 262144},
    {SOL_SOCKET, SO_RCVBUF, 131072},
    {SOL_SOCKET, SO_MARK, 0},
    {SOL_SOCKET, SO_PRIORITY, 0},
    {SOL_SOCKET, SO_OOBINLINE, 1},
    {SOL_SOCKET, SO_RCVLOWAT, 1},
    {SOL_SOCKET, SO_BROADCAST, 0},
    {SOL_SOCKET, SO_SNDBUFFORCE, 0},
    {SOL_SOCKET, SO_RCVBUFFORCE, 0},
    {IPPROTO_TCP, TCP_NODELAY, 1},
    {IPPROTO_TCP, TCP_QUICKACK, 1},
    {IPPROTO_TCP, TCP_KEEPIDLE, 60},
    {IPPROTO_TCP, TCP_KEEPINTVL, 10},
    {IPPROTO_TCP, TCP_KEEPCNT, 6},
    {IPPROTO_TCP, TCP_SYNCNT, 2},
    {IPPROTO_TCP, TCP_LINGER2, 60},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 0},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP, 0},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0},
    {IPPROTO_TCP, TCP_THIN_DUPACK, 0},
    {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 0},
    {IPPROTO_IP, IP_TOS, 0},
    {IPPROTO_IP, IP_TTL, 64},
    {IPPROTO_IP, IP_MTU_DISCOVER, 1},
    {IPPROTO_IP, IP_FREEBIND, 0},
    {IPPROTO_IP, IP_RECVERR, 0},
    {IPPROTO_IPV6, IPV6_V6ONLY, 0},
    {IPPROTO_IPV6, IPV6_TCLASS, 0},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64},
    {IPPROTO_TCP, TCP_CORK, 0},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, 0},
    {IPPROTO_TCP, TCP_MAXSEG, 536},
};

static int kept_at(int level, int name)
{
    for (unsigned i = 0; i < ARRAY_LEN(kept); i++) {
        if (kept[i].level == level && kept[i].name == name)
            return (int)i;
    }
    return -1;
}

static int give(void *to, socklen_t *n, const void *from, socklen_t size)
{
    if (*n > size)
        *n = size;
    memcpy(to, from, *n);
    return 0;
}

static const struct tcp_conn *conn_of(const struct sock *k)
{
    return k->s ? CONTAINER_OF(k->s, struct tcp_conn, s) : NULL;
}

static uint32_t segs(uint32_t bytes, uint32_t mss)
{
    return mss ? (bytes + mss - 1) / mss : 0;
}

/* Linux numbers its states from 1 in another order. */
static uint8_t linux_state(const struct sock *k)
{
    static const uint8_t of[TCP_ST_COUNT] = {
        [TCP_ST_CLOSED] = TCP_CLOSE,          [TCP_ST_SYN_SENT] = TCP_SYN_SENT,
        [TCP_ST_SYN_RCVD] = TCP_SYN_RECV,     [TCP_ST_ESTABLISHED] = TCP_ESTABLISHED,
        [TCP_ST_FIN_WAIT_1] = TCP_FIN_WAIT1,  [TCP_ST_FIN_WAIT_2] = TCP_FIN_WAIT2,
        [TCP_ST_CLOSE_WAIT] = TCP_CLOSE_WAIT, [TCP_ST_CLOSING] = TCP_CLOSING,
        [TCP_ST_LAST_ACK] = TCP_LAST_ACK,     [TCP_ST_TIME_WAIT] = TCP_TIME_WAIT,
    };
    const struct tcp_conn *c = conn_of(k);

    if (k->kind == SOCK_LISTENS)
        return TCP_LISTEN;
    return c && !(c->flags & TCPF_DEAD) ? of[c->state] : TCP_CLOSE;
}

static void fill_info(const struct so *so, const struct sock *k, struct drill_tcp_info *to)
{
    const struct tcp_conn *c = conn_of(k);

    memset(to, 0, sizeof(*to));
    to->state = linux_state(k);
    if (!c)
        return;
    to->ca_state = c->flags & TCPF_LOSS       ? TCP_CA_Loss
                   : c->flags & TCPF_RECOVERY ? TCP_CA_Recovery
                   : c->sacked_b              ? TCP_CA_Disorder
                                              : TCP_CA_Open;
    to->retransmits = c->backoff;
    to->probes = c->persist_n;
    to->backoff = c->backoff;
    to->options = (uint8_t)((c->opts & TCP_OPT_TS ? TCPI_OPT_TIMESTAMPS : 0) |
                            (c->opts & TCP_OPT_SACK ? TCPI_OPT_SACK : 0) |
                            (c->opts & TCP_OPT_WS ? TCPI_OPT_WSCALE : 0) |
                            (c->opts & TCP_OPT_ECN ? TCPI_OPT_ECN : 0));
    to->wscales = (uint8_t)((c->snd_wscale & 15) | c->rcv_wscale << 4);
    to->rto = (uint32_t)tcp_rto_us(so->t, c);
    to->ato = so->set.delack_us;
    to->snd_mss = c->snd_mss;
    to->rcv_mss = c->rcv_mss;
    to->unacked = segs(c->snd_nxt - c->snd_una, c->snd_mss);
    to->sacked = segs(c->sacked_b, c->snd_mss);
    to->lost = segs(c->lost_b, c->snd_mss);
    to->retrans = segs(c->retrans_b, c->snd_mss);
    to->last_data_recv = so->t->now_ms - c->last_rx_ms;
    to->last_ack_recv = so->t->now_ms - c->last_rx_ms;
    to->pmtu = so->mtu;
    to->rtt = c->srtt_us;
    to->rttvar = c->rttvar_us;
    to->snd_ssthresh = c->ssthresh == UINT32_MAX ? 0x7fffffff : c->ssthresh / c->snd_mss;
    to->snd_cwnd = c->cwnd / c->snd_mss;
    to->advmss = tcp_own_mss(so->t, &c->tuple, so->mtu);
    to->reordering = 3;
    to->rcv_space = c->rcvbuf;
    to->total_retrans = c->retrans_total;
    to->bytes_acked = c->bytes_out;
    to->bytes_received = c->bytes_in;
    to->notsent_bytes = c->tx_unsent_b;
    to->min_rtt = c->min_rtt_us;
    to->delivered = segs((uint32_t)c->bytes_out + c->sacked_b, c->snd_mss) + 1;
    to->snd_wnd = c->snd_wnd;
    to->rcv_wnd = c->rcv_adv - c->rcv_nxt;
}

int opt_get(struct so *so, int fd, int level, int name, void *to, socklen_t *n)
{
    struct sock *k = sock_at(so, fd);
    struct drill_tcp_info info;
    struct linger linger;
    int i, v;

    if (!k)
        return FAIL(EBADF);
    if (level == IPPROTO_TCP && name == TCP_INFO) {
        fill_info(so, k, &info);
        memset(to, 0, *n); /* newer fields than these are 0 */
        memcpy(to, &info, *n < sizeof(info) ? *n : sizeof(info));
        return 0;
    }
    if (level == SOL_SOCKET &&
        name == SO_MEMINFO) { /* nine counters of a host's memory: none here */
        memset(to, 0, *n);
        return 0;
    }
    if (level == IPPROTO_TCP && name == TCP_CC_INFO) {
        memset(to, 0, *n);
        return 0;
    }
    if (level == SOL_SOCKET && name == SO_LINGER) {
        linger = (struct linger){k->linger0, 0};
        return give(to, n, &linger, sizeof(linger));
    }
    if (level == SOL_SOCKET && name == SO_ERROR)
        v = io_error(k);
    else if (level == SOL_SOCKET && name == SO_TYPE)
        v = SOCK_STREAM;
    else if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
        v = k->kind == SOCK_LISTENS;
    else if (level == IPPROTO_TCP && name == TCP_MAXSEG && conn_of(k))
        v = conn_of(k)->snd_mss;
    else if (level == IPPROTO_IP && name == IP_MTU)
        v = so->mtu;
    else if ((i = kept_at(level, name)) >= 0)
        v = k->opts[i] ? k->opts[i] - 1 : kept[i].value; /* 0: never set */
    else
        return FAIL(ENOPROTOOPT);
    return give(to, n, &v, sizeof(v));
}

int opt_set(struct so *so, int fd, int level, int name, const void *p, socklen_t n)
{
    struct sock *k = sock_at(so, fd);
    int i = kept_at(level, name), v = 0;

    if (!k)
        return FAIL(EBADF);
    if (level == SOL_SOCKET && name == SO_LINGER && n >= sizeof(struct linger)) {
        const struct linger *l = (const struct linger *)p;

        k->linger0 = l->l_onoff && l->l_linger == 0;
        return 0;
    }
    if (level == SOL_SOCKET &&
        (name == SO_RCVTIMEO || name == SO_SNDTIMEO || name == SO_TIMESTAMPING))
        return 0;
    if (i < 0)
        return FAIL(ENOPROTOOPT);
    if (n < sizeof(int) && !(level == IPPROTO_IP && n))
        return FAIL(EINVAL);
    memcpy(&v, p, n < sizeof(v) ? n : sizeof(v));
    if (level == SOL_SOCKET &&
        (name == SO_SNDBUF || name == SO_RCVBUF)) { /* doubled, as Linux has it */
        v = v > INT32_MAX / 2 ? INT32_MAX - 1 : 2 * v;
        if (name == SO_SNDBUF && k->s)
            CONTAINER_OF(k->s, struct tcp_conn, s)->sndbuf = (uint32_t)v;
    }
    k->opts[i] = v + 1;
    /* Settings of the whole stack here: scripts have one connection of interest. */
    if (level == IPPROTO_TCP && name == TCP_USER_TIMEOUT && v)
        so->t->set.user_timeout_ms = (uint32_t)v;
    else if (level == IPPROTO_TCP && name == TCP_KEEPIDLE)
        so->t->set.keep_idle_ms = (uint32_t)v * 1000;
    else if (level == IPPROTO_TCP && name == TCP_KEEPINTVL)
        so->t->set.keep_intvl_ms = (uint32_t)v * 1000;
    else if (level == IPPROTO_TCP && name == TCP_KEEPCNT)
        so->t->set.keep_count = (uint32_t)v;
    else if (level == IPPROTO_TCP && name == TCP_SYNCNT)
        so->t->set.syn_retries = (uint32_t)v;
    else if (level == IPPROTO_TCP && name == TCP_MAXSEG)
        so->t->set.mss_max = (uint16_t)v;
    return 0;
}

int opt_fcntl(struct so *so, int fd, int cmd, long arg)
{
    struct sock *k = sock_at(so, fd);

    if (!k)
        return FAIL(EBADF);
    if (cmd == F_GETFL)
        return O_RDWR | (k->nonblock ? O_NONBLOCK : 0);
    if (cmd == F_SETFL)
        k->nonblock = arg & O_NONBLOCK;
    else if (cmd != F_SETFD && cmd != F_GETFD)
        return FAIL(EINVAL);
    return 0;
}

int opt_ioctl(struct so *so, int fd, unsigned long request, int *arg)
{
    struct sock *k = sock_at(so, fd);
    const struct tcp_conn *c = k ? conn_of(k) : NULL;

    if (!k)
        return FAIL(EBADF);
    if (request == SIOCINQ)
        *arg = k->s ? (int)stream_readable(k->s) : 0;
    else if (request == SIOCOUTQ)
        *arg = c ? (int)(c->tx_b + ((c->flags & TCPF_FIN_QUEUED) && c->tx_head ? 1 : 0)) : 0;
    else if (request == SIOCOUTQNSD)
        *arg = c ? (int)c->tx_unsent_b : 0;
    else if (request == FIONBIO)
        k->nonblock = *arg;
    else
        return FAIL(ENOTTY);
    return 0;
}
