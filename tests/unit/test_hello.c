#include "base/bytes.h"
#include "lib/t.h"
#include "tls/hello.c" /* white box */

static uint8_t scratch[HELLO_MAX_B];
static uint8_t wire[40000];

/* A ClientHello put together by hand; each part may be left out or bent. */
struct plan {
    const char *name, *alpn; /* NULL: extension left out */
    uint16_t legacy;
    bool versions13, versions12_only;
    uint16_t sigalg;
    size_t pad;     /* bytes of an unknown extension */
    size_t per_rec; /* handshake bytes in one record; 0: all */
    bool twice;     /* server_name stands twice */
    int post_auth;  /* -1: empty, as it has to be; else so many bytes in it */
};

static void ext(struct wr *w, uint16_t type, struct span body)
{
    wr_u16(w, type);
    wr_u16(w, (uint16_t)body.len);
    wr_bytes(w, body);
}

static void ext_name(struct wr *w, const char *name)
{
    uint8_t b[400];
    struct wr n = wr_of(b, sizeof(b));

    wr_u16(&n, (uint16_t)(strlen(name) + 3));
    wr_u8(&n, 0);
    wr_u16(&n, (uint16_t)strlen(name));
    wr_bytes(&n, span_str(name));
    ext(w, EXT_NAME, wr_span(&n));
}

static void extensions(struct wr *w, const struct plan *p)
{
    static uint8_t zeros[20000];
    uint8_t b[100];
    struct wr n;

    if (p->name)
        ext_name(w, p->name);
    if (p->twice)
        ext_name(w, p->name);
    if (p->versions13)
        ext(w, EXT_VERSIONS, SPAN_LIT("\x04\x03\x04\x03\x03"));
    if (p->versions12_only)
        ext(w, EXT_VERSIONS, SPAN_LIT("\x02\x03\x03"));
    if (p->sigalg) {
        n = wr_of(b, sizeof(b));
        wr_u16(&n, 2);
        wr_u16(&n, p->sigalg);
        ext(w, EXT_SIGALGS, wr_span(&n));
    }
    if (p->alpn) {
        n = wr_of(b, sizeof(b));
        wr_u16(&n, (uint16_t)(strlen(p->alpn) + 1));
        wr_u8(&n, (uint8_t)strlen(p->alpn));
        wr_bytes(&n, span_str(p->alpn));
        ext(w, EXT_ALPN, wr_span(&n));
    }
    if (p->post_auth)
        ext(w, EXT_POST_AUTH, span_of(zeros, p->post_auth > 0 ? (size_t)p->post_auth : 0));
    if (p->pad)
        ext(w, 0xfafa, span_of(zeros, p->pad));
}

static struct span build(const struct plan *p)
{
    static uint8_t msg[30000], exts[30000];
    struct wr e = wr_of(exts, sizeof(exts)), m = wr_of(msg, sizeof(msg)),
              w = wr_of(wire, sizeof(wire));
    struct span left;

    extensions(&e, p);
    wr_u8(&m, HS_HELLO);
    wr_u24(&m, (uint32_t)(2 + 32 + 1 + 2 + 4 + 2 + 2 + wr_len(&e)));
    wr_u16(&m, p->legacy);
    for (int i = 0; i < 32; i++)
        wr_u8(&m, (uint8_t)i);
    wr_u8(&m, 0);
    wr_u16(&m, 4);
    wr_u16(&m, 0x1301);
    wr_u16(&m, 0xc02b);
    wr_u8(&m, 1);
    wr_u8(&m, 0);
    wr_u16(&m, (uint16_t)wr_len(&e));
    wr_bytes(&m, wr_span(&e));
    for (left = wr_span(&m); left.len;) {
        struct span part = span_first(left, p->per_rec ? p->per_rec : 16384);

        wr_u8(&w, 22);
        wr_u16(&w, 0x0301);
        wr_u16(&w, (uint16_t)part.len);
        wr_bytes(&w, part);
        left = span_from(left, part.len);
    }
    T_NEED(wr_ok(&w) && wr_ok(&m));
    return wr_span(&w);
}

static const struct plan typical = {"GW.Example.", "http/1.1", 0x0303, true, false,
                                    0x0403,        0,          0,      false};

static void a_typical_hello_is_read(void)
{
    struct hello h;

    T_EQ(hello_parse(build(&typical), scratch, &h), HELLO_DONE);
    T_STR(h.name, "gw.example");
    T_OK(h.tls13 && h.tls12 && h.has_alpn);
    T_OK(hello_offers_alpn(&h, SPAN_LIT("http/1.1")) && !hello_offers_alpn(&h, SPAN_LIT("h2")));
    T_OK(hello_takes_ecdsa(&h, 23) && !hello_takes_rsa(&h) && !hello_takes_ed25519(&h));
}

static void versions_are_what_the_extension_says(void)
{
    struct plan p = typical;
    struct hello h;

    p.versions13 = false;
    T_EQ(hello_parse(build(&p), scratch, &h), HELLO_DONE);
    T_OK(!h.tls13 && h.tls12);
    p.legacy = 0x0302;
    T_EQ(hello_parse(build(&p), scratch, &h), HELLO_DONE);
    T_OK(!h.tls13 && !h.tls12);
    p.versions12_only = true;
    T_EQ(hello_parse(build(&p), scratch, &h), HELLO_DONE);
    T_OK(!h.tls13 && h.tls12);
}

static void who_can_be_asked_later_says_so(void)
{
    struct plan p = typical;
    struct hello h;

    T_EQ(hello_parse(build(&p), scratch, &h), HELLO_DONE);
    T_OK(!h.post_auth);
    p.post_auth = -1;
    T_EQ(hello_parse(build(&p), scratch, &h), HELLO_DONE);
    T_OK(h.post_auth);
    p.post_auth = 1;
    T_EQ(hello_parse(build(&p), scratch, &h), HELLO_BAD);
}

static void records_of_any_size_give_the_same(void)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 17, 64, 100, 1000};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct plan p = typical;
        struct hello h;

        p.per_rec = sizes[i];
        p.pad = 300;
        T_EQ(hello_parse(build(&p), scratch, &h), HELLO_DONE);
        T_STR(h.name, "gw.example");
    }
}

static void cut_at_every_byte_it_is_not_yet_there(void)
{
    struct plan p = typical;
    struct span all;
    struct hello h;

    p.per_rec = 50;
    all = build(&p);
    for (size_t n = 0; n < all.len; n++)
        T_NEED(hello_parse(span_first(all, n), scratch, &h) == HELLO_MORE);
    t_pass("all cuts");
}

static void changed_at_every_byte_it_never_runs_away(void)
{
    struct span all = build(&typical);
    uint8_t copy[2000];
    struct hello h;

    T_NEED(all.len < sizeof(copy));
    for (size_t i = 0; i < all.len; i++) {
        for (int v = 0; v < 256; v += 5) {
            memcpy(copy, all.p, all.len);
            copy[i] = (uint8_t)v;
            (void)hello_parse(span_of(copy, all.len), scratch, &h);
            T_NEED(memchr(h.name, 0, sizeof(h.name)) != NULL);
        }
    }
    t_pass("all changes");
}

static void what_is_no_hello_is_refused(void)
{
    struct plan p = typical;
    struct hello h;

    T_EQ(hello_parse(SPAN_LIT("GET / HTTP/1.1\r\n"), scratch, &h), HELLO_PLAIN);
    T_EQ(hello_parse(SPAN_LIT("SSH-2.0-x\r\n"), scratch, &h), HELLO_BAD);
    T_EQ(hello_parse(SPAN_LIT("\x80\x2e\x01\x00\x02\x00\x15\x00\x00"), scratch, &h), HELLO_BAD);
    T_EQ(hello_parse(SPAN_LIT("\x16\x03\x01\x00\x04\x02\x00\x00\x00"), scratch, &h), HELLO_BAD);
    T_EQ(hello_parse(SPAN_LIT("\x16\x03\x01\x00\x00"), scratch, &h), HELLO_BAD);
    T_EQ(hello_parse(SPAN_LIT("\x16\x03\x01\x00\x04\x01\xff\xff\xff"), scratch, &h),
         HELLO_TOO_LARGE);
    p.twice = true;
    T_EQ(hello_parse(build(&p), scratch, &h), HELLO_BAD);
    p = typical;
    p.name = "bad name";
    T_EQ(hello_parse(build(&p), scratch, &h), HELLO_BAD);
    p.name = "";
    T_EQ(hello_parse(build(&p), scratch, &h), HELLO_BAD);
    p = typical;
    p.pad = 17000;
    T_EQ(hello_parse(build(&p), scratch, &h), HELLO_TOO_LARGE);
}

#define TESTS(X)                                \
    X(a_typical_hello_is_read)                  \
    X(who_can_be_asked_later_says_so)           \
    X(versions_are_what_the_extension_says)     \
    X(records_of_any_size_give_the_same)        \
    X(cut_at_every_byte_it_is_not_yet_there)    \
    X(changed_at_every_byte_it_never_runs_away) \
    X(what_is_no_hello_is_refused)
T_MAIN("hello", TESTS)
