#include "base/log.c" /* white box */
#include "lib/t.h"

static _Alignas(8) uint8_t mem[1 << 16];
static struct ring ring;
static struct log_out out;

static void begin(void)
{
    ring_init(&ring, mem, sizeof(mem));
    memset(&out, 0, sizeof(out));
    out.ring = &ring;
    out.level = LOG_INFO;
    out.now_ns = 1000;
}

static void an_event_becomes_one_line(void)
{
    struct ip_addr ip = ip_v4(0x0a4d0002);
    char text[400];
    struct sb s = sb_of(text, sizeof(text));
    uint16_t kind;
    struct span rec;

    begin();
    LOG(&out, PEER, "tls.refused", KV_IP("client", ip), KV_STR("alert", "unknown_ca"),
        KV_TEXT("dn", SPAN_LIT("CN=a \"b\"\n")), KV_TEXT("sni", SPAN_LIT("gw.example")),
        KV_U64("gen", 7));
    T_NEED(ring_peek(&ring, &kind, &rec));
    T_EQ(kind, LOG_REC_EVENT);
    log_event_text(&s, (const struct log_event *)(const void *)rec.p, 1700000000123456000ULL);
    T_STR(text, "2023-11-14T22:13:20.123456Z PEER tls.refused client=10.77.0.2 alert=unknown_ca "
                "dn=\"CN=a \\\"b\\\"\\n\" sni=gw.example gen=7");
}

static void what_is_below_the_level_is_not_pushed(void)
{
    uint16_t kind;
    struct span rec;

    begin();
    LOG(&out, TRACE, "tcp.state", KV_U64("id", 1));
    T_OK(!ring_peek(&ring, &kind, &rec));
    LOG((struct log_out *)NULL, BUG, "nobody", KV_U64("id", 1));
}

static void one_place_does_not_flood(void)
{
    uint32_t swallowed = 0;
    uint16_t kind;
    struct span rec;
    int n = 0;

    begin();
    for (int i = 0; i < 1000; i++) {
        if (i == 999)
            out.now_ns += 10 * NS_PER_S;
        LOG(&out, PEER, "flood", KV_U64("i", (uint64_t)i));
    }
    for (; ring_peek(&ring, &kind, &rec); ring_next(&ring), n++)
        swallowed = ((const struct log_event *)(const void *)rec.p)->swallowed;
    T_EQ(n, LOG_BURST + 1);
    T_EQ(swallowed, 999 - LOG_BURST);
    T_EQ(out.swallowed, 999 - LOG_BURST);
}

#define TESTS(X)                             \
    X(an_event_becomes_one_line)             \
    X(what_is_below_the_level_is_not_pushed) \
    X(one_place_does_not_flood)
T_MAIN("log", TESTS)
