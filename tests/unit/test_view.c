#include "base/view.h"
#include "lib/t.h"

static void names_and_what_they_stand_for(void)
{
    static const struct {
        const char *name;
        uint8_t what, side;
        uint16_t n;
    } rows[] = {
        {"SSL_PROTOCOL", VIEW_PROTOCOL, VIEW_CONN, 0},
        {"SSL_CLIENT_VERIFY", VIEW_CLIENT_VERIFY, VIEW_CONN, 0},
        {"SSL_CLIENT_S_DN", VIEW_S_DN, VIEW_CLIENT, 0},
        {"SSL_SERVER_S_DN", VIEW_S_DN, VIEW_SERVER, 0},
        {"SSL_CLIENT_S_DN_OU_12", VIEW_S_DN_ATTR, VIEW_CLIENT, 12},
        {"SSL_CLIENT_SAN_OTHER_msUPN_3", VIEW_SAN_UPN, VIEW_CLIENT, 3},
        {"SSL_CLIENT_CERT", VIEW_CERT, VIEW_CLIENT, 0},
        {"SSL_CLIENT_CERT_CHAIN_1", VIEW_CHAIN_CERT, VIEW_CLIENT, 1},
        {"client.san_uri", VIEW_SAN_URI, VIEW_CLIENT, VIEW_ALL},
        {"client.san_uri_2", VIEW_SAN_URI, VIEW_CLIENT, 2},
        {"server.ext:1.2.3", VIEW_EXT, VIEW_SERVER, 0},
        {"client.subject:2.5.4.97_1", VIEW_S_DN_TYPE, VIEW_CLIENT, 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view v;
        const char *why;

        T_OK(view_compile(span_str(rows[i].name), &v, &why));
        T_ROW_EQ(rows[i].name, v.what, rows[i].what);
        T_ROW_EQ(rows[i].name, v.side, rows[i].side);
        T_ROW_EQ(rows[i].name, v.n, rows[i].n);
    }
}

static void what_is_no_name(void)
{
    static const char *const rows[] = {
        "",
        "SSL_",
        "SSL_CLIENT_",
        "SSL_CLIENT_S_DN_",
        "SSL_CLIENT_S_DN_XX",
        "SSL_CLIENT_S_DN_CN_",
        "SSL_CLIENT_S_DN_CN_99999",
        "SSL_CLIENT_SAN_DNS_",
        "SSL_CLIENT_SAN_DNS_x",
        "client.S_DN",
        "SSL_CLIENT_san_uri",
        "SSL_SERVER_CERT_CHAIN_0",
        "client.ext:",
        "client.ext:1",
        "client.ext:3.1",
        "client.ext:1.40",
        "client.ext:1..2",
        "client.ext:1.2.99999999999",
        "client.san_uri_",
        "client.ext:1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.24.25.26.27"};
    struct view v;
    const char *why;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        T_ROW_EQ(rows[i], view_compile(span_str(rows[i]), &v, &why), false);
}

static void object_identifiers(void)
{
    struct view v;
    const char *why;

    T_NEED(view_compile(SPAN_LIT("client.ext:1.3.6.1.4.1.311.25.2"), &v, &why));
    T_OK(span_eq(view_oid(&v), SPAN_LIT("\x2b\x06\x01\x04\x01\x82\x37\x19\x02")));
    T_NEED(view_compile(SPAN_LIT("SSL_CLIENT_S_DN_UID"), &v, &why));
    T_OK(span_eq(view_oid(&v), SPAN_LIT("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01")));
}

static void equal_views_have_equal_keys(void)
{
    struct view a, b;
    const char *why;

    T_NEED(view_compile(SPAN_LIT("SSL_CLIENT_S_DN_OU"), &a, &why));
    T_NEED(view_compile(SPAN_LIT("SSL_CLIENT_S_DN_OU_0"), &b, &why));
    T_OK(a.key == b.key);
    T_NEED(view_compile(SPAN_LIT("SSL_CLIENT_S_DN_OU_1"), &b, &why));
    T_OK(a.key != b.key);
    T_NEED(view_compile(SPAN_LIT("SSL_CLIENT_I_DN_OU"), &b, &why));
    T_OK(a.key != b.key);
}

static void text_with_views_in_it(void)
{
    struct arena a;
    struct view_text t;
    const char *why;
    size_t at;

    arena_init(&a);
    T_NEED(IS_OK(view_text_compile(&a, "a%%b %{SSL_PROTOCOL}s%{HTTPS}x.", &t, &at, &why)));
    T_EQ(t.count, 6);
    T_SPAN(t.parts[1].text, "%");
    T_EQ(t.parts[3].view->what, VIEW_PROTOCOL);
    T_EQ(t.parts[4].view->what, VIEW_HTTPS);
    T_OK(!IS_OK(view_text_compile(&a, "ab%{SSL_PROTOCOL}", &t, &at, &why)));
    T_EQ(at, 2);
    T_OK(!IS_OK(view_text_compile(&a, "%", &t, &at, &why)));
    T_OK(!IS_OK(view_text_compile(&a, "%{", &t, &at, &why)));
    T_OK(!IS_OK(view_text_compile(&a, "%{NOPE}s", &t, &at, &why)));
    arena_fini(&a);
}

static void all_names_in_the_table_are_names(void)
{
    struct view v;
    const char *why, *name;

    for (unsigned i = 0; (name = view_name_at(i)); i++) {
        size_t n = strlen(name);

        if (name[n - 1] != ':' && strncmp(name, "SSL_SERVER_CERT_", 16) != 0 &&
            strncmp(name, "SSL_SERVER_B64CERT_", 19) != 0)
            T_ROW_EQ(name, view_compile(span_str(name), &v, &why), true);
    }
}

#define TESTS(X)                                                                  \
    X(names_and_what_they_stand_for)                                              \
    X(what_is_no_name)                                                            \
    X(object_identifiers) X(equal_views_have_equal_keys) X(text_with_views_in_it) \
        X(all_names_in_the_table_are_names)
T_MAIN("view", TESTS)
