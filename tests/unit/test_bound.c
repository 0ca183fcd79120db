#include "base/bound.c" /* white box */
#include "base/sb.h"
#include "lib/t.h"

#define SEC 1000000000ULL

static _Alignas(8) uint8_t mem[1 << 16];
static struct ring ring;
static struct log_out out;
static char line[400];

static void begin(void)
{
    ring_init(&ring, mem, sizeof(mem));
    memset(&out, 0, sizeof(out));
    out.ring = &ring;
    out.level = LOG_INFO;
    out.now_ns = 1000 * SEC;
}

/* The next line behind its time and level; "" when there is none. */
static const char *next(void)
{
    struct sb s = sb_of(line, sizeof(line));
    uint16_t kind;
    struct span rec;

    if (!ring_peek(&ring, &kind, &rec))
        return "";
    log_event_text(&s, (const struct log_event *)(const void *)rec.p, 0);
    ring_next(&ring);
    return line + strlen("1970-01-01T00:00:00.000000Z ");
}

static void the_first_is_told_at_once(void)
{
    struct ip_addr peer = ip_v4(0x0a4d0007);

    begin();
    bound_hit(&out, BOUND_CONNS_PREFIX, &peer);
    T_STR(next(), "PEER bound.connections_per_prefix peer=10.77.0.7 counter=TcpExtPrefixDrop "
                  "setting=tcp.connections_per_prefix");
    bound_hit(&out, BOUND_BUFFERS, NULL); /* another one has limits of its own, and no peer */
    T_STR(next(), "OPER bound.buffers counter=TcpExtNoBuffer setting=memory.buffers_mb");
    T_STR(next(), "");
}

static void a_flood_is_a_line_in_ten_seconds_and_adds_up(void)
{
    uint32_t lines = 0, swallowed = 0;
    uint16_t kind;
    struct span rec;

    begin();
    for (uint32_t i = 0; i < 25000; i++) { /* 25 seconds */
        struct ip_addr peer = ip_v4(i);

        bound_hit(&out, BOUND_REQS, &peer);
        bound_tell(&out);
        out.now_ns += SEC / 1000;
    }
    out.now_ns += 4 * SEC;
    bound_tell(&out);
    out.now_ns += 4 * SEC;
    bound_tell(&out);
    out.now_ns += 40 * SEC;
    bound_tell(&out);
    for (; ring_peek(&ring, &kind, &rec); ring_next(&ring), lines++)
        swallowed += ((const struct log_event *)(const void *)rec.p)->swallowed;
    T_EQ(lines, 4); /* at 0, 10, 20 and 30 s */
    T_EQ(lines + swallowed, 25000);
    T_EQ(out.swallowed, swallowed);
}

static void the_example_is_the_last_peer(void)
{
    struct ip_addr a = ip_v4(0x0a000001), b = ip_v4(0x0a000002);

    begin();
    bound_hit(&out, BOUND_RESETS, &a);
    (void)next();
    bound_hit(&out, BOUND_RESETS, &a);
    bound_hit(&out, BOUND_RESETS, &b);
    out.now_ns += BOUND_EVERY_NS;
    bound_tell(&out);
    T_STR(next(), "PEER bound.resets peer=10.0.0.2 counter=TcpExtRstLimited swallowed=1");
    T_STR(next(), "");
}

static void a_full_ring_loses_no_number(void)
{
    uint16_t kind;
    struct span rec;

    begin();
    while (ring_reserve(&ring, LOG_REC_ACCESS, 1000))
        ring_commit(&ring, 1000);
    bound_hit(&out, BOUND_PORTS, NULL);
    bound_hit(&out, BOUND_PORTS, NULL);
    while (ring_peek(&ring, &kind, &rec))
        ring_next(&ring);
    out.now_ns += BOUND_EVERY_NS;
    bound_tell(&out);
    T_STR(next(), "OPER bound.ports counter=TcpExtNoPort setting=upstreams.members swallowed=1");
}

static void what_is_below_the_level_or_has_no_log_is_nothing(void)
{
    begin();
    out.level = LOG_OPER;
    bound_hit(&out, BOUND_REQS, NULL);
    T_STR(next(), "");
    bound_hit(&out, BOUND_PORTS, NULL);
    T_OK(*next() != '\0');
    bound_hit(NULL, BOUND_PORTS, NULL);
}

#define TESTS(X)                                    \
    X(the_first_is_told_at_once)                    \
    X(a_flood_is_a_line_in_ten_seconds_and_adds_up) \
    X(the_example_is_the_last_peer)                 \
    X(a_full_ring_loses_no_number)                  \
    X(what_is_below_the_level_or_has_no_log_is_nothing)
T_MAIN("bound", TESTS)
