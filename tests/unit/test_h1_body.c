#include "base/rng.h"
#include "http/body.c" /* white box */
#include "lib/t.h"

/* Feed `text` in pieces of at most `piece`; collect the data. Returns what it came to. */
static enum h1_result feed(const char *text, size_t piece, char *out, size_t *rest)
{
    struct h1_head h = {.framing = H1_CHUNKED};
    struct span left = span_str(text), have = {left.p, 0};
    struct h1_body b;

    h1_body_begin(&b, &h);
    out[0] = '\0';
    for (;;) {
        uint32_t skip;
        uint64_t data;
        enum h1_result r = h1_body_next(&b, have, &skip, &data);

        if (r == H1_BAD)
            return r;
        strncat(out, (const char *)have.p + skip, data);
        h1_body_take(&b, data);
        have = span_from(have, skip + data);
        if (r == H1_DONE) {
            *rest = (size_t)(left.p + left.len - have.p);
            return r;
        }
        if (skip + data == 0) {
            size_t more = min_size(piece, (size_t)(left.p + left.len - (have.p + have.len)));

            if (more == 0)
                return H1_MORE;
            have.len += more;
        }
    }
}

static void chunked_bodies_in_any_pieces(void)
{
    static const struct {
        const char *text;
        int result;
        const char *data;
        size_t rest;
    } rows[] = {
        {"5\r\nhello\r\n0\r\n\r\n", H1_DONE, "hello", 0},
        {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nNEXT", H1_DONE, "hello world", 4},
        {"0000005\r\nhello\r\n00\r\n\r\n", H1_DONE, "hello", 0},
        {"a;x=y\r\n0123456789\r\n0;q\r\n\r\n", H1_DONE, "0123456789", 0},
        {"A ;x=\"y\"\r\n0123456789\r\n0\r\n\r\n", H1_DONE, "0123456789", 0},
        {"0\r\nTrailer: x\r\nOther: y\r\n\r\n", H1_DONE, "", 0},
        {"5\r\nhel", H1_MORE, "hel", 0},
        {"5\r\nhelloX", H1_BAD, NULL, 0},
        {"5\r\nhello\n0\r\n\r\n", H1_BAD, NULL, 0},
        {"5\nhello\r\n0\r\n\r\n", H1_BAD, NULL, 0},
        {"5\rhello\r\n", H1_BAD, NULL, 0},
        {"\r\nhello", H1_BAD, NULL, 0},
        {"0x5\r\nhello\r\n", H1_BAD, NULL, 0},
        {"-5\r\nhello\r\n", H1_BAD, NULL, 0},
        {"+5\r\nhello\r\n", H1_BAD, NULL, 0},
        {" 5\r\nhello\r\n", H1_BAD, NULL, 0},
        {"5g\r\nhello\r\n", H1_BAD, NULL, 0},
        {"10000000000000000\r\n", H1_BAD, NULL, 0},
        {"5;a\nb\r\nhello\r\n", H1_BAD, NULL, 0},
        {"5;a\rb\r\nhello\r\n", H1_BAD, NULL, 0},
        {"0\r\n x: y\r\n\r\n", H1_BAD, NULL, 0},
        {"0\r\nx: y\n\r\n", H1_BAD, NULL, 0},
        {"0\r\nx: \x01\r\n\r\n", H1_BAD, NULL, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t piece = 1; piece < 40; piece += 3) {
            char out[100];
            size_t rest = 0;
            enum h1_result r = feed(rows[i].text, piece, out, &rest);

            T_ROW_EQ(rows[i].text, r, rows[i].result);
            if (r == H1_DONE && rows[i].data)
                T_STR(out, rows[i].data);
            if (r == H1_DONE && piece > 30)
                T_ROW_EQ(rows[i].text, rest, rows[i].rest);
        }
    }
}

/* Whatever comes behind it: a body that was refused is not taken up again, and is never complete. */
static void a_refused_body_stays_refused(void)
{
    static const char *const rows[] = {"x",         "5x",       "5\rx",    "1\r\nab",
                                       "1\r\na\rb", "0\r\n\rx", "0\r\n x", "0\r\na\rx"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct h1_head h = {.framing = H1_CHUNKED};
        struct span in = span_str(rows[i]);
        struct h1_body b;
        uint32_t skip;
        uint64_t data;

        h1_body_begin(&b, &h);
        for (enum h1_result r = H1_MORE; r == H1_MORE && in.len; in = span_from(in, skip + data)) {
            r = h1_body_next(&b, in, &skip, &data);
            h1_body_take(&b, data);
        }
        T_ROW_EQ(rows[i], h1_body_next(&b, SPAN_LIT("\n0\r\n\r\n"), &skip, &data), H1_BAD);
        T_ROW_EQ(rows[i], b.done || skip || data, false);
    }
}

static void extension_and_trailer_bombs_are_bounded(void)
{
    static char text[20000], out[100];
    size_t rest;

    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "5;", 2);
    T_EQ(feed(text, 1000, out, &rest), H1_BAD);
    memcpy(text, "0\r\n", 3);
    T_EQ(feed(text, 1000, out, &rest), H1_BAD);
    for (size_t i = 3; i + 6 < sizeof(text); i += 6)
        memcpy(text + i, "a: b\r\n", 6);
    T_EQ(feed(text, 1000, out, &rest), H1_BAD);
}

static void lengths_count_down(void)
{
    struct h1_head h = {.framing = H1_LENGTH, .content_length = 10};
    struct h1_body b;
    uint32_t skip;
    uint64_t data;

    h1_body_begin(&b, &h);
    T_EQ(h1_body_next(&b, SPAN_LIT("12345678901234"), &skip, &data), H1_MORE);
    T_EQ(data, 10);
    h1_body_take(&b, 4);
    T_EQ(h1_body_next(&b, SPAN_NONE, &skip, &data), H1_MORE);
    T_EQ(data, 0);
    h1_body_take(&b, 6);
    T_EQ(h1_body_next(&b, SPAN_LIT("next"), &skip, &data), H1_DONE);
    T_EQ(skip + data, 0);
    h.content_length = 0;
    h1_body_begin(&b, &h);
    T_OK(b.done);
}

#define TESTS(X)                                                               \
    X(chunked_bodies_in_any_pieces)                                            \
    X(a_refused_body_stays_refused) X(extension_and_trailer_bombs_are_bounded) \
        X(lengths_count_down)
T_MAIN("h1_body", TESTS)
