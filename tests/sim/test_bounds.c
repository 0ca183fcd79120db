/* Each bound of the stack, reached: one event with its name and its peer, and no second one. */
#include "lib/t.h"
#include "sim/peer.h"

static struct {
    struct peer p;
    struct log_out log;
    struct ring ring;
    _Alignas(64) uint8_t mem[1 << 16];
    char line[400];
} w;

static struct tcp_settings *begin(void)
{
    memset(&w, 0, sizeof(w));
    peer_open(&w.p, false);
    ring_init(&w.ring, w.mem, sizeof(w.mem));
    w.log.ring = &w.ring;
    w.log.level = LOG_INFO;
    return &w.p.set;
}

static void start(void)
{
    peer_start(&w.p);
    w.p.t->env.log = &w.log;
    w.log.now_ns = w.p.now;
    peer_listen(&w.p, PEER_PORT);
}

/* The only event there is begins with this. */
static void said(const char *want)
{
    struct span rec = {NULL, 0};
    struct sb s = sb_of(w.line, sizeof(w.line));
    const char *got;
    uint16_t kind;

    if (ring_peek(&w.ring, &kind, &rec)) {
        log_event_text(&s, (const struct log_event *)(const void *)rec.p, 0);
        ring_next(&w.ring);
    }
    got = strstr(w.line, "bound.");
    T_OK(got && strncmp(got, want, strlen(want)) == 0);
    if (!got || strncmp(got, want, strlen(want)) != 0)
        fprintf(stderr, "want %s, got '%s'\n", want, w.line);
    T_OK(!ring_peek(&w.ring, &kind, &rec));
}

static void said_nothing(void)
{
    struct span rec;
    uint16_t kind;

    T_OK(!ring_peek(&w.ring, &kind, &rec));
}

static void end(void)
{
    const char *left = peer_close(&w.p);

    T_OK(left == NULL);
}

static void put(uint16_t port, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
    struct peer_in in = {.flip = -1,
                         .peer_port = port,
                         .len = len,
                         .h = {.flags = flags, .wscale = -1, .seq = seq, .ack = ack, .wnd = 65535}};

    if (flags & TCP_SYN)
        in.h.mss = 1460;
    peer_put(&w.p, &in);
}

static struct peer_seg last(void)
{
    struct peer_seg g = {.at = 0};

    while (peer_take(&w.p, &g))
        ;
    return g;
}

static void syn_from(uint16_t port, uint32_t from)
{
    struct ip_addr them = w.p.them;

    w.p.them = ip_v4(from);
    put(port, TCP_SYN, PEER_IRS, 0, 0);
    w.p.them = them;
}

/* A connection from the peer's port; what we send next. */
static uint32_t connected(uint16_t port)
{
    struct peer_seg g;

    put(port, TCP_SYN, PEER_IRS, 0, 0);
    g = last();
    put(port, TCP_ACK, PEER_IRS + 1, g.s.seq + 1, 0);
    return g.s.seq + 1;
}

static void half_open(void)
{
    begin()->reqs_max = 4;
    start();
    for (uint32_t i = 0; i < 4; i++)
        syn_from(4000, 0x0b000000 + (i << 8));
    said_nothing();
    for (uint32_t i = 4; i < 20; i++)
        syn_from(4000, 0x0b000000 + (i << 8));
    said("bound.half_open peer=11.0.4.0 counter=TcpExtTCPReqQFullDoCookies");
    w.log.now_ns += BOUND_EVERY_NS;
    bound_tell(&w.log);
    said("bound.half_open peer=11.0.19.0 counter=TcpExtTCPReqQFullDoCookies swallowed=14");
    end();
}

static void half_open_of_a_network(void)
{
    begin()->reqs_per_prefix = 4;
    start();
    for (uint32_t i = 0; i < 10; i++)
        syn_from(4000, 0x0b000000 + i);
    said("bound.half_open_per_prefix peer=11.0.0.4 ");
    end();
}

static void connections_of_a_network(void)
{
    begin()->conns_per_prefix = 2;
    start();
    (void)connected(4000);
    (void)connected(4001);
    said_nothing();
    put(4002, TCP_SYN, PEER_IRS, 0, 0);
    said("bound.connections_per_prefix peer=10.0.0.2 counter=TcpExtPrefixDrop ");
    end();
}

static void connections(void)
{
    begin()->conns_max = 4;
    start();
    for (uint16_t i = 0; i < 6; i++)
        (void)connected((uint16_t)(4000 + i));
    said("bound.connections peer=10.0.0.2 counter=TcpExtNoSlot setting=memory.connections");
    end();
}

static void clients(void)
{
    begin();
    start();
    w.p.refuse = true;
    (void)connected(4000);
    said("bound.clients peer=10.0.0.2 counter=TcpExtListenDrops ");
    end();
}

static void challenges(void)
{
    uint32_t una;

    begin();
    start();
    una = connected(4000);
    for (uint32_t i = 0; i < 5000; i++)
        put(4000, TCP_ACK, PEER_IRS + 1, una + 100000, 0);
    said("bound.challenge_acks peer=10.0.0.2 ");
    end();
}

static void resets(void)
{
    begin();
    start();
    for (uint32_t i = 0; i < 20000; i++)
        put(4000, TCP_ACK, 1, 1, 0);
    said("bound.resets peer=10.0.0.2 counter=TcpExtRstLimited");
    end();
}

static void ports(void)
{
    struct tcp_settings *set = begin();

    set->port_lo = 50000;
    set->port_hi = 50003;
    start();
    for (uint32_t i = 0; i < 4; i++)
        T_EQ(peer_connect(&w.p), STREAM_WHY_NONE);
    said_nothing();
    T_EQ(peer_connect(&w.p), STREAM_WHY_NO_PORT);
    said("bound.ports peer=10.0.0.2 counter=TcpExtNoPort ");
    end();
}

/* We close first, the peer closes then. */
static void close_both(uint16_t port, uint32_t una)
{
    struct peer_app *a = peer_app_of(&w.p, port);

    stream_close(a->s);
    a->s = NULL;
    peer_turn(&w.p);
    put(port, TCP_ACK | TCP_FIN, PEER_IRS + 1, una + 1, 0);
}

static void time_wait(void)
{
    begin()->tw_max = 2;
    start();
    for (uint16_t i = 0; i < 2; i++)
        close_both((uint16_t)(4000 + i), connected((uint16_t)(4000 + i)));
    said_nothing();
    close_both(4002, connected(4002));
    said("bound.time_wait peer=10.0.0.2 counter=TcpExtTCPTimeWaitOverflow setting=tcp.time_wait");
    end();
}

static void closing(void)
{
    begin()->orphans_max = 2;
    start();
    for (uint16_t i = 0; i < 8; i++) {
        struct peer_app *a;

        (void)connected((uint16_t)(4000 + i));
        a = peer_app_of(&w.p, (uint16_t)(4000 + i));
        stream_close(a->s); /* and the peer says nothing */
        a->s = NULL;
        peer_turn(&w.p);
    }
    said("bound.closing peer=10.0.0.2 counter=TcpExtTCPAbortOnMemory");
    end();
}

static void buffers(void)
{
    begin();
    start();
    w.p.pool.cap = w.p.pool.out;
    put(4000, TCP_SYN, PEER_IRS, 0, 0); /* nothing to answer it with */
    said("bound.buffers counter=TcpExtNoBuffer setting=memory.buffers_mb");
    end();
}

static void transmit_memory(void)
{
    begin();
    start();
    (void)connected(4000);
    w.p.pool.cap = w.p.pool.out + 1;
    T_EQ(stream_tx_space(peer_app_of(&w.p, 4000)->s), 0);
    said("bound.transmit_memory peer=10.0.0.2 counter=TcpExtTxMemory ");
    end();
}

static void receive_memory(void)
{
    uint32_t una;

    begin()->rx_budget_b = 10000;
    start();
    una = connected(4000);
    peer_app_of(&w.p, 4000)->reads = false;
    for (uint32_t i = 0; w.p.t->ctr[TCP_CTR_RCV_PRUNED] == 0 && i < 20; i++)
        put(4000, TCP_ACK, PEER_IRS + 1 + i * 1000, una, 1000);
    said("bound.receive_memory peer=10.0.0.2 counter=TcpExtRcvPruned ");
    end();
}

static void out_of_order(void)
{
    uint32_t una;

    begin();
    start();
    una = connected(4000);
    for (uint32_t i = 1; i < 2 * TCP_OOO_MAX; i++)
        put(4000, TCP_ACK, PEER_IRS + 1 + 2 * i, una, 1);
    said("bound.out_of_order peer=10.0.0.2 counter=TcpExtTCPOFODrop");
    end();
}

#define TESTS(X)                \
    X(half_open)                \
    X(half_open_of_a_network)   \
    X(connections_of_a_network) \
    X(connections)              \
    X(clients)                  \
    X(challenges)               \
    X(resets)                   \
    X(ports)                    \
    X(time_wait)                \
    X(closing)                  \
    X(buffers)                  \
    X(transmit_memory)          \
    X(receive_memory)           \
    X(out_of_order)
T_MAIN("bounds", TESTS)
