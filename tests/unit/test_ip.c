#include "base/ip.c" /* white box */
#include "lib/t.h"

static void addresses_go_in_and_out(void)
{
    static const struct {
        const char *in, *out; /* out NULL: refused */
    } rows[] = {
        {"10.77.0.1", "10.77.0.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:10.0.0.1", "10.0.0.1"},
        {"", NULL},
        {"10.0.0", NULL},
        {"10.0.0.256", NULL},
        {"010.0.0.1", NULL},
        {"10.0.0.1 ", NULL},
        {"::1%eth0", NULL},
        {"1234567890123456789012345678901234567890123456789", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_addr a;
        char text[IP_TEXT_MAX];
        struct sb s = sb_of(text, sizeof(text));
        bool ok = IS_OK(ip_parse(span_str(rows[i].in), &a));

        T_ROW_EQ(rows[i].in, ok, rows[i].out != NULL);
        if (ok && rows[i].out) {
            ip_text(&s, &a);
            T_STR(text, rows[i].out);
        }
    }
}

static void endpoints_go_in_and_out(void)
{
    static const struct {
        const char *in;
        bool ok;
    } rows[] = {
        {"10.77.0.1:443", true},
        {"[2001:db8::1]:8443", true},
        {"10.77.0.1", false},
        {"10.77.0.1:", false},
        {"10.77.0.1:0", false},
        {"10.77.0.1:65536", false},
        {"10.77.0.1:0443", false},
        {"10.77.0.1:-1", false},
        {"[10.77.0.1]:443", false},
        {"2001:db8::1:443", false},
        {"[::1]443", false},
        {"[::1", false},
        {"[", false},
        {":443", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct endpoint e;
        char text[EP_TEXT_MAX];
        struct sb s = sb_of(text, sizeof(text));
        bool ok = IS_OK(endpoint_parse(span_str(rows[i].in), &e));

        T_ROW_EQ(rows[i].in, ok, rows[i].ok);
        if (ok && rows[i].ok) {
            endpoint_text(&s, &e);
            T_STR(text, rows[i].in);
        }
    }
}

static void prefixes_match_what_they_cover(void)
{
    static const struct {
        const char *prefix, *addr;
        bool in;
    } rows[] = {
        {"10.77.0.0/24", "10.77.0.255", true},
        {"10.77.0.0/24", "10.77.1.0", false},
        {"10.77.0.9/32", "10.77.0.9", true},
        {"10.77.0.9", "10.77.0.8", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::/0", "2001:db8::1", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_prefix p;
        struct ip_addr a;

        T_NEED(IS_OK(ip_prefix_parse(span_str(rows[i].prefix), &p)));
        T_NEED(IS_OK(ip_parse(span_str(rows[i].addr), &a)));
        T_ROW_EQ(rows[i].prefix, ip_in(&a, &p), rows[i].in);
    }
}

static void broken_prefixes_are_refused(void)
{
    static const char *const rows[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "::/129", "/24"};
    struct ip_prefix p;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        T_ROW_EQ(rows[i], IS_OK(ip_prefix_parse(span_str(rows[i]), &p)), false);
}

static void kinds_of_addresses(void)
{
    struct ip_addr a = ip_v4(0xe0000001), b = ip_v4(0xffffffff), c = ip_v4(0x7f000001),
                   d = ip_v4(0), e = ip_v4(0x0a4d0001);

    T_OK(ip_is_multicast(&a) && ip_is_multicast(&b) && !ip_is_multicast(&e));
    T_OK(ip_is_loopback(&c) && !ip_is_loopback(&e));
    T_OK(ip_is_any(&d) && !ip_is_any(&e) && ip_is_v4(&e));
}

#define TESTS(X)                      \
    X(addresses_go_in_and_out)        \
    X(endpoints_go_in_and_out)        \
    X(prefixes_match_what_they_cover) \
    X(broken_prefixes_are_refused)    \
    X(kinds_of_addresses)
T_MAIN("ip", TESTS)
