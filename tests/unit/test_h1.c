#include "base/rng.h"
#include "http/h1.c" /* white box */
#include "lib/t.h"

static const struct h1_limits lim = {8190, 16384, 100, 8190};
static struct h1_head h;

static enum h1_result parse(const char *text, uint16_t *status, const char **why)
{
    uint32_t scanned = 0, used;

    return h1_request(span_str(text), &lim, &scanned, &h, &used, status, why);
}

static void a_plain_request_is_read(void)
{
    const char *why, *text =
                         "GET /a/b?x=1&y HTTP/1.1\r\nHost: Gw.Example:8443\r\nUser-Agent: t \r\n"
                         "X-Empty:\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\nrest";
    uint16_t status;
    uint32_t scanned = 0, used;

    T_EQ(h1_request(span_str(text), &lim, &scanned, &h, &used, &status, &why), H1_DONE);
    T_EQ(used, strlen(text) - 4);
    T_EQ(h.method, H1_GET);
    T_SPAN(h.path, "/a/b");
    T_SPAN(h.query, "x=1&y");
    T_SPAN(h.authority, "Gw.Example:8443");
    T_SPAN(h.host, "Gw.Example");
    T_EQ(h.port, 8443);
    T_EQ(h.minor, 1);
    T_OK(h.keep_alive && h.has_query && !h.expect_continue);
    T_EQ(h.framing, H1_NO_BODY);
    T_EQ(h.count, 5);
    T_SPAN(h1_find(&h, H1_NAME_USER_AGENT)->value, "t");
    T_SPAN(h1_find_name(&h, SPAN_LIT("x-EMPTY"))->value, "");
    T_OK(h1_find_name(&h, SPAN_LIT("x-hop"))->hop);
    T_OK(h1_find(&h, H1_NAME_CONNECTION)->hop && !h1_find(&h, H1_NAME_HOST)->hop);
}

#define G "GET / HTTP/1.1\r\n"
#define P "POST / HTTP/1.1\r\n"
#define H "Host: a\r\n"

static const struct {
    const char *text;
    uint16_t status; /* 0: accepted */
} vectors[] = {
    {G H "\r\n", 0},
    {"\r\n\r\n" G H "\r\n", 0},
    {"\n" G H "\r\n", 400},
    {"GET / HTTP/1.1\n" H "\r\n", 400},
    {G "Host: a\n\r\n", 400},
    {G H "\n", 400},
    {G H "X: a\rb\r\n\r\n", 400},
    {G H "X: a\r\n b\r\n\r\n", 400},
    {G " Host: a\r\n\r\n", 400},
    {G H "X : a\r\n\r\n", 400},
    {G H ": a\r\n\r\n", 400},
    {G H "Xa\r\n\r\n", 400},
    {G H "X\t: a\r\n\r\n", 400},
    {G H "X: a\x01\r\n\r\n", 400},
    {G H "X: a\x7f\r\n\r\n", 400},
    {G H "X: \xc3\xa9\r\n\r\n", 0},
    {G H "X(a): b\r\n\r\n", 400},
    {"GET  / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" H "\r\n", 400},
    {"GET /a b HTTP/1.1\r\n" H "\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\r\n" H "\r\n", 400},
    {"G@T / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / http/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.2\r\n" H "\r\n", 505},
    {"GET / HTTP/2.0\r\n" H "\r\n", 505},
    {"GET / HTTP/1.10\r\n" H "\r\n", 400},
    {"GET / HTTP/0.9\r\n" H "\r\n", 505},
    {"GET / HTTP/1.0\r\n\r\n", 0},
    {"GET x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /a\x80 HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /a#b HTTP/1.1\r\n" H "\r\n", 400},
    {"GET * HTTP/1.1\r\n" H "\r\n", 400},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", 0},
    {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 0},
    {"GET http://a/x HTTP/1.1\r\n" H "\r\n", 0},
    {"GET HTTPS://A HTTP/1.1\r\n" H "\r\n", 0},
    {"GET http://b/x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http:///x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET ftp://a/x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://u@a/x HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {G "\r\n", 400},
    {G H H "\r\n", 400},
    {G "Host: a b\r\n\r\n", 400},
    {G "Host: a,b\r\n\r\n", 400},
    {G "Host: a/b\r\n\r\n", 400},
    {G "Host: a@b\r\n\r\n", 400},
    {G "Host: a:99999\r\n\r\n", 400},
    {G "Host: a:1x\r\n\r\n", 400},
    {G "Host: a..b\r\n\r\n", 400},
    {G "Host:\r\n\r\n", 400},
    {G "Host: [::1]:443\r\n\r\n", 0},
    {G "Host: [::1\r\n\r\n", 400},
    {G "Host: [::1]x\r\n\r\n", 400},
    /* smuggling: CL and TE */
    {P H "Content-Length: 5\r\n\r\n", 0},
    {P H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 0},
    {P H "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {P H "Content-Length: 5, 5\r\n\r\n", 400},
    {P H "Content-Length: +5\r\n\r\n", 400},
    {P H "Content-Length: -5\r\n\r\n", 400},
    {P H "Content-Length: 0x5\r\n\r\n", 400},
    {P H "Content-Length: 5 5\r\n\r\n", 400},
    {P H "Content-Length: \r\n\r\n", 400},
    {P H "Content-Length: 9223372036854775807\r\n\r\n", 0},
    {P H "Content-Length: 9223372036854775808\r\n\r\n", 400},
    {P H "Content-Length: 99999999999999999999\r\n\r\n", 400},
    {P H "Transfer-Encoding: chunked\r\n\r\n", 0},
    {P H "Transfer-Encoding: Chunked\r\n\r\n", 0},
    {P H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {P H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
    {P H "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {P H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {P H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {P H "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
    {P H "Transfer-Encoding: gzip\r\n\r\n", 400},
    {P H "Transfer-Encoding: identity\r\n\r\n", 400},
    {P H "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {P H "Transfer-Encoding: \r\n\r\n", 400},
    {P H "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
    {P H "Transfer-Encoding: chunked;q=1\r\n\r\n", 400},
    {P H "Transfer-Encoding:\x0b"
         "chunked\r\n\r\n",
     400},
    {P H "Transfer-Encoding : chunked\r\n\r\n", 400},
    {P H "Transfer_Encoding: chunked\r\n\r\n", 0}, /* another name: no body, and not ours to read */
    {P H "X: y\r\nTransfer-Encoding\r\n : chunked\r\n\r\n", 400},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {P H "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", 0},
    {P H "Expect: magic\r\nContent-Length: 1\r\n\r\n", 417},
};

static void every_vector_is_accepted_or_refused_as_it_should(void)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        uint16_t status = 0;
        const char *why = "";
        enum h1_result r = parse(vectors[i].text, &status, &why);

        T_ROW_EQ(vectors[i].text, r == H1_BAD ? status : 0, vectors[i].status);
        T_ROW_EQ(vectors[i].text, r, vectors[i].status ? H1_BAD : H1_DONE);
    }
}

/* Byte by byte the answer is the same as at once; only a bad one may come earlier. */
static void cut_at_every_byte_the_result_is_the_same(void)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct span all = span_str(vectors[i].text);
        uint32_t scanned = 0, used = 0;
        uint16_t status = 0;
        const char *why = "";
        enum h1_result r = H1_MORE;
        size_t n = 0;

        while (r == H1_MORE && n <= all.len)
            r = h1_request(span_first(all, n++), &lim, &scanned, &h, &used, &status, &why);
        T_ROW_EQ(vectors[i].text, r == H1_BAD ? status : 0, vectors[i].status);
        if (r == H1_DONE)
            T_ROW_EQ(vectors[i].text, used, all.len);
    }
}

static void changed_at_every_byte_nothing_runs_away(void)
{
    const char *base = vectors[0].text;
    char copy[200];
    size_t len = strlen(base);

    for (size_t i = 0; i < len; i++) {
        for (int c = 1; c < 256; c++) {
            uint16_t status;
            const char *why;

            memcpy(copy, base, len + 1);
            copy[i] = (char)c;
            (void)parse(copy, &status, &why);
            T_NEED(h.count <= H1_HEADERS_MAX);
        }
    }
    t_pass("changes");
}

static void limits_have_their_own_answers(void)
{
    static char text[40000];
    const char *why;
    uint16_t status;

    snprintf(text, sizeof(text), "GET /%08200d HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    T_EQ(parse(text, &status, &why), H1_BAD);
    T_EQ(status, 414);
    snprintf(text, sizeof(text), "GET /%09000d", 1);
    T_EQ(parse(text, &status, &why), H1_BAD);
    T_EQ(status, 414);
    snprintf(text, sizeof(text), G H "X: %08200d\r\n\r\n", 1);
    T_EQ(parse(text, &status, &why), H1_BAD);
    T_EQ(status, 431);
    snprintf(text, sizeof(text), G H "X: %08000d\r\nY: %08000d\r\nZ: %08000d", 1, 1, 1);
    T_EQ(parse(text, &status, &why), H1_BAD);
    T_EQ(status, 431);
    strcpy(text, G H);
    for (int i = 0; i < 120; i++)
        strcat(text, "X: y\r\n");
    strcat(text, "\r\n");
    T_EQ(parse(text, &status, &why), H1_BAD);
    T_EQ(status, 431);
}

static void keep_alive_follows_version_and_connection(void)
{
    static const struct {
        const char *text;
        bool keep;
    } rows[] = {
        {G H "\r\n", true},
        {G H "Connection: close\r\n\r\n", false},
        {G H "Connection: keep-alive, Close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint16_t status;
        const char *why;

        T_NEED(parse(rows[i].text, &status, &why) == H1_DONE);
        T_ROW_EQ(rows[i].text, h.keep_alive, rows[i].keep);
    }
}

static void connection_cannot_take_away_what_matters(void)
{
    uint16_t status;
    const char *why;

    T_NEED(parse(P
                 "Host: a\r\nConnection: host, content-length, authorization, x-a, X-Forwarded-For"
                 "\r\nContent-Length: 3\r\nAuthorization: b\r\nX-A: 1\r\nKeep-Alive: 5\r\nTE: x\r\n"
                 "Upgrade: h2c\r\n\r\n",
                 &status, &why) == H1_DONE);
    T_OK(!h1_find(&h, H1_NAME_HOST)->hop && !h1_find(&h, H1_NAME_CONTENT_LENGTH)->hop);
    T_OK(!h1_find(&h, H1_NAME_AUTHORIZATION)->hop);
    T_OK(h1_find_name(&h, SPAN_LIT("x-a"))->hop && h1_find(&h, H1_NAME_KEEP_ALIVE)->hop);
    T_OK(h1_find(&h, H1_NAME_TE)->hop && h1_find(&h, H1_NAME_UPGRADE)->hop);
    T_EQ(h.content_length, 3);
}

static void connection_options_are_bounded(void)
{
    for (int options = 32; options <= 33; options++) {
        char text[400] = G H "Connection: ,";
        uint16_t status;
        const char *why;

        for (int i = 0; i < options; i++)
            strcat(text, i == 20 ? "a\r\nConnection: " : "a,");
        strcat(text, "\r\n\r\n");
        T_ROW_EQ(options == 32 ? "32" : "33", parse(text, &status, &why),
                 options == 32 ? H1_DONE : H1_BAD);
        if (options == 33)
            T_STR(why, "too_many_connection_options");
    }
}

static void responses_end_where_rfc_9112_6_3_says(void)
{
    static const struct {
        const char *text;
        enum h1_method method;
        int framing; /* -1: refused */
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", H1_GET, H1_LENGTH},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", H1_HEAD, H1_NO_BODY},
        {"HTTP/1.1 200 OK\r\n\r\n", H1_GET, H1_UNTIL_CLOSE},
        {"HTTP/1.1 200\r\n\r\n", H1_GET, H1_UNTIL_CLOSE},
        {"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", H1_GET, H1_CHUNKED},
        {"HTTP/1.1 204 No\r\n\r\n", H1_GET, H1_NO_BODY},
        {"HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n", H1_GET, H1_NO_BODY},
        {"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n", H1_GET, H1_NO_BODY},
        {"HTTP/1.0 200 OK\r\n\r\n", H1_GET, H1_UNTIL_CLOSE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", H1_GET, -1},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", H1_GET, -1},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", H1_GET, -1},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", H1_GET, -1},
        {"HTTP/1.1 2000 OK\r\n\r\n", H1_GET, -1},
        {"HTTP/1.1 099 OK\r\n\r\n", H1_GET, -1},
        {"HTTP/2 200 OK\r\n\r\n", H1_GET, -1},
        {"HTTP/1.1 200 OK\nX: y\r\n\r\n", H1_GET, -1},
        {"ICY 200 OK\r\n\r\n", H1_GET, -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t scanned = 0, used;
        const char *why;
        enum h1_result r =
            h1_response(span_str(rows[i].text), &lim, rows[i].method, &scanned, &h, &used, &why);

        T_ROW_EQ(rows[i].text, r == H1_DONE ? (int)h.framing : -1, rows[i].framing);
    }
}

static void every_known_name_is_known(void)
{
#define X(sym, text) T_EQ(h1_name_of(SPAN_LIT(text)), H1_NAME_##sym);
    H1_KNOWN(X)
#undef X
    T_EQ(h1_name_of(SPAN_LIT("CONTENT-LENGTH")), H1_NAME_CONTENT_LENGTH);
    T_EQ(h1_name_of(SPAN_LIT("content_length")), H1_NAME_OTHER);
}

#define TESTS(X)                                        \
    X(a_plain_request_is_read)                          \
    X(every_vector_is_accepted_or_refused_as_it_should) \
    X(cut_at_every_byte_the_result_is_the_same)         \
    X(connection_options_are_bounded)                   \
    X(changed_at_every_byte_nothing_runs_away)          \
    X(limits_have_their_own_answers)                    \
    X(keep_alive_follows_version_and_connection)        \
    X(connection_cannot_take_away_what_matters)         \
    X(responses_end_where_rfc_9112_6_3_says)            \
    X(every_known_name_is_known)
T_MAIN("h1", TESTS)
