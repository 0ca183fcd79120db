#include "lib/t.h"
#include "tls/ja4.c" /* white box */

/* "1301,c02b" as numbers on the wire */
static struct span wire_list(uint8_t *to, const char *text)
{
    size_t n = 0;

    for (; *text; text += text[4] ? 5 : 4) {
        put_u16(to + n, (uint16_t)strtoul(text, NULL, 16));
        n += 2;
    }
    return span_of(to, n);
}

/* Extensions without content: only their types count. */
static struct span wire_extensions(uint8_t *to, const char *text)
{
    uint8_t types[512];
    struct span list = wire_list(types, text);
    struct wr w = wr_of(to, 2 * sizeof(types));

    for (size_t i = 0; i < list.len; i += 2) {
        wr_u16(&w, get_u16(list.p + i));
        wr_u16(&w, 0);
    }
    return wr_span(&w);
}

struct row {
    const char *want;
    uint16_t version;
    const char *versions, *alpn, *suites, *extensions, *sigalgs;
};

static void hello_of(const struct row *row, struct hello *h)
{
    static uint8_t suites[512], extensions[1024], sigalgs[512], versions[64], alpn[64];
    struct wr w = wr_of(alpn, sizeof(alpn));

    memset(h, 0, sizeof(*h));
    h->version = row->version;
    h->suites = wire_list(suites, row->suites);
    h->extensions = wire_extensions(extensions, row->extensions);
    h->sigalgs = wire_list(sigalgs, row->sigalgs);
    h->versions = wire_list(versions, row->versions);
    h->has_alpn = row->alpn;
    if (row->alpn) {
        wr_u8(&w, (uint8_t)strlen(row->alpn));
        wr_bytes(&w, span_str(row->alpn));
        h->alpn = wr_span(&w);
    }
}

static void check(const struct row *row)
{
    char text[64] = "";
    struct sb s = sb_of(text, sizeof(text));
    struct hello h;
    struct ja4 j;

    hello_of(row, &h);
    ja4_of(&h, &j);
    ja4_text(&s, &j);
    T_EQ(s.len, JA4_B);
    T_STR(text, row->want);
}

#define CHROME_SUITES "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
#define CHROME_EXTENSIONS \
    "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015"
#define CHROME_SIGALGS "0403,0804,0401,0503,0805,0501,0806,0601"

/**
 * Examples that others have published: the description's own (FoxIO-LLC/ja4, technical_details/JA4.md), the one
 * at shigshag.com/tools/ja4, and what browserleaks.com has said of a Chrome 143. The description's third row has
 * only the last hash for a client without signature algorithms.
 */
static void published_examples(void)
{
    static const struct row rows[] = {
        {"t13d1516h2_8daaf6152771_e5627efa2ab1", 0x0303, "0304,0303", "h2", CHROME_SUITES,
         CHROME_EXTENSIONS, CHROME_SIGALGS},
        {"t13d1011h2_61a7ad8aa9b6_3fcd1a44f3e3", 0x0303, "0304,0303", "h2",
         "00ff,1301,1302,1303,c02b,c02c,c02f,c030,cca8,cca9",
         "0000,0005,000a,000b,000d,0010,0017,0023,002b,002d,0033",
         "0503,0403,0807,0806,0805,0804,0601,0501,0401"},
        {"t13d1516h2_8daaf6152771_d8a2da3f94cd", 0x0303, "0304,0303", "h2", CHROME_SUITES,
         "002d,0033,0010,fe0d,0017,44cd,0000,000b,000a,002b,ff01,0023,0012,0005,000d,001b",
         CHROME_SIGALGS},
        {"t13d1516h2_8daaf6152771_6d807ffa2a79", 0x0303, "0304,0303", "h2", CHROME_SUITES,
         CHROME_EXTENSIONS, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(&rows[i]);
}

static void grease_does_not_count(void)
{
    static const struct row row = {"t13d1516h2_8daaf6152771_e5627efa2ab1",
                                   0x0303,
                                   "3a3a,0304,0303",
                                   "h2",
                                   "fafa," CHROME_SUITES ",0a0a",
                                   "1a1a," CHROME_EXTENSIONS ",dada",
                                   "0a0a," CHROME_SIGALGS ",2a2a"};

    check(&row);
    T_OK(grease(0x0a0a) && grease(0xfafa) && !grease(0x0a1a) && !grease(0x0b0b) && !grease(0xa0a0));
}

/* Neither suites nor extensions: zeros instead of the hash of nothing. */
static void what_is_not_there(void)
{
    static const struct row rows[] = {
        {"t12i000000_000000000000_000000000000", 0x0303, "", NULL, "", "", ""},
        {"t12d000200_000000000000_000000000000", 0x0303, "", NULL, "0a0a", "0000,0010", ""},
        {"t11i000000_000000000000_000000000000", 0x0302, "", NULL, "", "", ""},
        {"t10i000000_000000000000_000000000000", 0x0301, "", NULL, "", "", ""},
        {"ts3i000000_000000000000_000000000000", 0x0300, "", NULL, "", "", ""},
        {"t00i000000_000000000000_000000000000", 0x0303, "7f1c", NULL, "", "", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(&rows[i]);
}

/* The description's list under "ALPN Extension Value". */
static void first_and_last_of_the_first_protocol(void)
{
    static const struct {
        const char *alpn, *want;
    } rows[] = {
        {"http/1.1", "h1"}, {"h2", "h2"},    {"x", "xx"},          {"\xab", "ab"},
        {"\xab\xcd", "ad"}, {"0\xab", "3b"}, {"01\xab\xcd", "3d"}, {"0\xab\xcd\x31", "01"},
        {"-a", "21"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct row row = {NULL, 0x0303, "", rows[i].alpn, "", "", ""};
        char got[3] = "";
        struct hello h;

        hello_of(&row, &h);
        put_alpn(got, &h);
        T_STR(got, rows[i].want);
    }
}

static int ascending(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* As many as a ClientHello can hold, in all orders that a hand can make. */
static void many_numbers_are_sorted(void)
{
    static struct numbers list, want;
    uint32_t x = 1;

    list.n = NUMBERS_MAX;
    for (uint32_t i = 0; i < list.n; i++) {
        x = x * 1664525u + 1013904223u;
        list.v[i] = (uint16_t)(x >> (i % 3 ? 16 : 24));
    }
    want = list;
    qsort(want.v, want.n, sizeof(want.v[0]), ascending);
    sort(&list);
    T_OK(memcmp(list.v, want.v, sizeof(list.v)) == 0);
    take(&list, 0x1301);
    T_EQ(list.n, NUMBERS_MAX);
}

static void more_than_99_are_99(void)
{
    static uint8_t suites[2 * 1000];
    char text[64] = "";
    struct sb s = sb_of(text, sizeof(text));
    struct hello h = {.version = 0x0303, .suites = span_of(suites, sizeof(suites))};
    struct ja4 j;

    for (uint32_t i = 0; i < 1000; i++)
        put_u16(suites + (size_t)2 * i, 0x0100);
    ja4_of(&h, &j);
    ja4_text(&s, &j);
    T_OK(memcmp(text, "t12i990000_", 11) == 0);
    T_OK(memcmp(text + 11, "000000000000", 12) != 0);
}

static void none_was_made(void)
{
    char text[64];
    struct sb s = sb_of(text, sizeof(text));
    struct ja4 j = {.a = ""};

    ja4_text(&s, &j);
    T_EQ(s.len, 0);
}

#define TESTS(X)                            \
    X(published_examples)                   \
    X(grease_does_not_count)                \
    X(what_is_not_there)                    \
    X(first_and_last_of_the_first_protocol) \
    X(many_numbers_are_sorted)              \
    X(more_than_99_are_99)                  \
    X(none_was_made)
T_MAIN("ja4", TESTS)
