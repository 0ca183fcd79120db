#include "lib/t.h"
#include "snap/snap.h"

enum { NAMES = 4096 };

static struct snap_name table[NAMES * 2];
static struct snap snap;

static void names_begin(uint32_t size)
{
    memset(table, 0, sizeof(table));
    memset(&snap, 0, sizeof(snap));
    snap.names = table;
    snap.name_mask = size - 1;
}

static uint32_t by_name(const char *name)
{
    return snap_host_by_name(&snap, span_str(name));
}

static void hosts_are_found_by_name(void)
{
    names_begin(16);
    snap_name_put(&snap, SPAN_LIT("gw.example"), 0);
    snap_name_put(&snap, SPAN_LIT("www.gw.example"), 1);
    snap_name_put(&snap, SPAN_LIT(".gw.example"), 2);
    snap_name_put(&snap, SPAN_LIT("[2001:db8::1]"), 3);
    T_EQ(by_name("gw.example"), 0);
    T_EQ(by_name("GW.Example"), 0);
    T_EQ(by_name("gw.example."), 0);
    T_EQ(by_name("www.gw.example"), 1); /* exact before wildcard */
    T_EQ(by_name("ftp.gw.example"), 2);
    T_EQ(by_name("FTP.gw.example"), 2);
    T_EQ(by_name("[2001:DB8::1]"), 3);
    T_EQ(by_name("a.b.gw.example"), SNAP_NONE); /* one label */
    T_EQ(by_name(".gw.example"), SNAP_NONE);
    T_EQ(by_name("example"), SNAP_NONE);
    T_EQ(by_name(""), SNAP_NONE);
    T_EQ(by_name("."), SNAP_NONE);
    T_EQ(by_name(".."), SNAP_NONE);
    T_EQ(by_name("gw.example.."), SNAP_NONE);
}

static void long_names_are_nobody(void)
{
    char name[300];

    names_begin(4);
    memset(name, 'a', sizeof(name));
    T_EQ(snap_host_by_name(&snap, span_of(name, 255)), SNAP_NONE);
    T_EQ(snap_host_by_name(&snap, span_of(name, 256)), SNAP_NONE);
    snap_name_put(&snap, span_of(name, 255), 5);
    T_EQ(snap_host_by_name(&snap, span_of(name, 255)), 5);
    T_EQ(snap_host_by_name(&snap, span_of(name, 256)), SNAP_NONE);
}

static void no_names_no_host(void)
{
    memset(&snap, 0, sizeof(snap));
    T_EQ(by_name("a"), SNAP_NONE);
}

static void all_of_many_names_are_found(void)
{
    static char text[NAMES][24];

    names_begin(NAMES * 2);
    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(text[i], sizeof(text[i]), "host-%u.example", i);
        snap_name_put(&snap, span_str(text[i]), i);
    }
    for (uint32_t i = 0; i < NAMES; i++)
        T_EQ(by_name(text[i]), i);
    T_EQ(by_name("host-4096.example"), SNAP_NONE);
}

static struct endpoint ep(const char *text)
{
    struct endpoint e = {0};

    T_OK(IS_OK(endpoint_parse(span_str(text), &e)));
    return e;
}

static const struct snap_listener *listener_at(const char *text)
{
    struct endpoint e = ep(text);

    return snap_listener_for(&snap, &e);
}

static void listeners_exact_before_any(void)
{
    struct snap_listener l[] = {{.local = ep("0.0.0.0:443")},
                                {.local = ep("10.77.0.1:443")},
                                {.local = ep("[2001:db8::1]:80")},
                                {.local = ep("[::]:8443")}};

    memset(&snap, 0, sizeof(snap));
    snap.listeners = l;
    snap.listener_count = ARRAY_LEN(l);
    T_OK(listener_at("10.77.0.1:443") == &l[1]);
    T_OK(listener_at("10.77.0.2:443") == &l[0]);
    T_OK(listener_at("10.77.0.1:444") == NULL);
    T_OK(listener_at("[2001:db8::1]:80") == &l[2]);
    T_OK(listener_at("[2001:db8::2]:80") == NULL);
    T_OK(listener_at("[2001:db8::2]:443") == NULL); /* "any" is of one family */
    T_OK(listener_at("[2001:db8::2]:8443") == &l[3]);
    T_OK(listener_at("10.77.0.1:8443") == NULL);
}

static void locations_exact_then_longest(void)
{
    struct snap_location l[] = {
        {.path = SPAN_LIT("/a/b"), .kind = SNAP_LOC_EXACT},
        {.path = SPAN_LIT("/a/b/c")},
        {.path = SPAN_LIT("/a/b")},
        {.path = SPAN_LIT("/d/")},
        {.path = SPAN_LIT("/")},
    };
    struct snap_host h = {.locations = l, .location_count = ARRAY_LEN(l)};
    static const struct {
        const char *path;
        uint32_t want;
    } rows[] = {{"/a/b", 0},     {"/a/b/", 2}, {"/a/b/x", 2}, {"/a/b/c", 1},
                {"/a/b/c/d", 1}, {"/a/bc", 4}, {"/a", 4},     {"/d", 4},
                {"/d/", 3},      {"/d/e", 3},  {"/", 4},      {"/a/b/cc", 2}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct snap_location *got = snap_location_for(&h, span_str(rows[i].path));

        T_ROW_EQ(rows[i].path, got ? (uint32_t)(got - l) : 99, rows[i].want);
    }
    h.location_count--; /* without "/" */
    T_OK(snap_location_for(&h, SPAN_LIT("/x")) == NULL);
    T_OK(snap_location_for(&h, SPAN_LIT("")) == NULL);
}

static void references_are_counted_over_all_cores(void)
{
    memset(&snap, 0, sizeof(snap));
    snap_hold(&snap, 0);
    snap_hold(&snap, 63);
    snap_hold(&snap, 63);
    T_EQ(snap_held(&snap), 3);
    snap_drop(&snap, 63);
    snap_drop(&snap, 0);
    snap_drop(&snap, 63);
    T_EQ(snap_held(&snap), 0);
}

#define TESTS(X)                                                                \
    X(hosts_are_found_by_name)                                                  \
    X(long_names_are_nobody) X(no_names_no_host) X(all_of_many_names_are_found) \
        X(listeners_exact_before_any) X(locations_exact_then_longest)           \
            X(references_are_counted_over_all_cores)
T_MAIN("snap", TESTS)
