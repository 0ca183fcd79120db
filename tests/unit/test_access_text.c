#include "lib/t.h"
#include "control/access_text.h"

static _Alignas(8) uint8_t mem[ACCESS_MAX_B];
static char out[ACCESS_TEXT_MAX_B];
static struct captures captures;
static struct arena arena;

/* 2011-09-18T19:18:28.123456Z on a core's clock that began 1000 s before. */
#define WALL_NS  (1316373508ULL * 1000000000ULL + 123456789ULL - 1000000000000ULL)
#define BEGIN_NS 1000000000000ULL

struct sample {
    struct access_wr w;
    struct access_rec *rec;
};

static struct sample begin(void)
{
    struct sample s;

    setenv("TZ", "EST4", 1);
    tzset();
    s.rec = access_begin(&s.w, mem, sizeof(mem), 4, 1, 7);
    s.rec->begin_ns = BEGIN_NS;
    s.rec->end_ns = BEGIN_NS + 2345678901ULL;
    s.rec->bytes_in = 100;
    s.rec->bytes_out = 2000;
    s.rec->body_b = 1234;
    s.rec->gen = 7;
    s.rec->ref = 0xabcdef;
    s.rec->client = (struct endpoint){ip_v4(0x0a4d00c8), 50000};
    s.rec->local = (struct endpoint){ip_v4(0x0a4d0001), 443};
    s.rec->nth = 3;
    s.rec->status = 200;
    s.rec->core = 1;
    s.rec->minor = 1;
    s.rec->flags = ACCESS_TLS | ACCESS_KEEPALIVE;
    access_put(&s.w, ACCESS_LINE, SPAN_LIT("GET /a?b=c HTTP/1.1"));
    access_put(&s.w, ACCESS_METHOD, SPAN_LIT("GET"));
    access_put(&s.w, ACCESS_PATH, SPAN_LIT("/a"));
    access_put(&s.w, ACCESS_QUERY, SPAN_LIT("b=c"));
    access_put(&s.w, ACCESS_HOST, SPAN_LIT("gw.example"));
    access_put(&s.w, ACCESS_HOST_HEADER, SPAN_LIT("GW.example:443"));
    access_put(&s.w, ACCESS_UPSTREAM, SPAN_LIT("web"));
    access_put(&s.w, ACCESS_MEMBER, SPAN_LIT("10.77.0.11:443"));
    access_put_view(&s.w, 0, SPAN_LIT("TLSv1.3"));
    access_put_view(&s.w, 1, SPAN_LIT("TLS_AES_128_GCM_SHA256"));
    access_put_view(&s.w, 2, SPAN_LIT("gw.example"));
    access_put_view(&s.w, 3, SPAN_LIT("FAILED:certificate has expired"));
    access_put_view(&s.w, 4, SPAN_LIT("CN=a\nb,O=\"x\""));
    access_put_view(&s.w, 5, SPAN_LIT("CN=ca"));
    access_put_view(&s.w, 6, SPAN_LIT("01AB"));
    access_put(&s.w, ACCESS_USER, SPAN_LIT("joe"));
    access_put(&s.w, ACCESS_REASON, SPAN_LIT("cert_expired"));
    return s;
}

/* A line by this format; headers: referer, user-agent, cookie, x-bin; response: server. */
static const char *line(const char *format, const struct sample *s)
{
    static const struct view views[] = {
        {.name = SPAN_LIT("SSL_PROTOCOL")},        {.name = SPAN_LIT("SSL_CIPHER")},
        {.name = SPAN_LIT("SSL_TLS_SNI")},         {.name = SPAN_LIT("SSL_CLIENT_VERIFY")},
        {.name = SPAN_LIT("SSL_CLIENT_S_DN")},     {.name = SPAN_LIT("SSL_CLIENT_I_DN")},
        {.name = SPAN_LIT("SSL_CLIENT_M_SERIAL")},
    };
    static const struct snap_capture want = {
        .request_headers = {SPAN_LIT("referer"), SPAN_LIT("user-agent"), SPAN_LIT("cookie"),
                            SPAN_LIT("x-bin")},
        .request_header_count = 4,
        .response_headers = {SPAN_LIT("server")},
        .response_header_count = 1,
        .views = views,
        .view_count = ARRAY_LEN(views),
    };
    const struct access_rec *rec = access_read(span_of(mem, access_end(&s->w)));
    struct logfmt *f = NULL;
    struct logfmt_mistake m;
    struct sb b = sb_of(out, sizeof(out));

    arena_fini(&arena);
    arena_init(&arena);
    captures_fini(&captures);
    T_NEED(IS_OK(captures_add(&captures, 1, &want)));
    T_NEED(rec != NULL);
    T_NEED(IS_OK(logfmt_compile(&arena, format, &f, &m)));
    access_text(&b, f, &captures, rec, WALL_NS);
    return out;
}

static void directives(void)
{
    static const struct {
        const char *format, *want;
    } rows[] = {
        {"%a %h %A", "10.77.0.200 10.77.0.200 10.77.0.1"},
        {"%b %B", "1234 1234"},
        {"%D", "2345678"},
        {"%T %{s}T %{ms}T %{us}T", "2 2 2345 2345678"},
        {"%H %m %U %q", "HTTP/1.1 GET /a ?b=c"},
        {"%r", "GET /a?b=c HTTP/1.1"},
        {"%s %>s %<s", "200 200 200"},
        {"%I %O %S", "100 2000 2100"},
        {"%k %l %L", "3 - 0000000000abcdef"},
        {"%p %{remote}p %{local}p", "443 50000 443"},
        {"%t", "[18/Sep/2011:15:18:28 -0400]"},
        {"%{%Y-%m-%d}t", "2011-09-18"},
        {"%{end:%H:%M:%S}t", "15:18:30"},
        {"%{sec}t %{msec}t %{usec}t", "1316373508 1316373508123 1316373508123456"},
        {"%{msec_frac}t %{usec_frac}t", "123 123456"},
        {"%{iso}t", "2011-09-18T19:18:28.123Z"},
        {"%u %v %V", "joe gw.example GW.example:443"},
        {"%X", "+"},
        {"%{SSL_PROTOCOL}x %{SSL_CIPHER}x", "TLSv1.3 TLS_AES_128_GCM_SHA256"},
        {"%{SSL_CLIENT_VERIFY}x", "FAILED:certificate has expired"},
        {"%{SSL_CLIENT_I_DN}x %{SSL_CLIENT_M_SERIAL}x %{SSL_TLS_SNI}x", "CN=ca 01AB gw.example"},
        {"%{generation}x %{ref}x %{upstream}x %{member}x %{reason}x %{core}x",
         "7 0000000000abcdef web 10.77.0.11:443 cert_expired 1"},
        {"100%% \\t %h", "100% \t 10.77.0.200"},
        {"%400,501r|%200r", "-|GET /a?b=c HTTP/1.1"},
        {"%!200,304r|%!404r", "-|GET /a?b=c HTTP/1.1"},
    };
    struct sample s = begin();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        T_STR(line(rows[i].format, &s), rows[i].want);
}

/* The line of the second of the articles that this format language has to serve. */
static void an_apache_format_as_people_use_it(void)
{
    struct sample s = begin();

    T_STR(line("%t %h %{SSL_PROTOCOL}x %{SSL_CIPHER}x \"%r\" %b", &s),
          "[18/Sep/2011:15:18:28 -0400] 10.77.0.200 TLSv1.3 TLS_AES_128_GCM_SHA256 \"GET /a?b=c "
          "HTTP/1.1\" 1234");
}

static void what_is_not_there_is_a_dash(void)
{
    struct sample s;

    s.rec = access_begin(&s.w, mem, sizeof(mem), 0, 0, 0);
    T_STR(line("%r %m %U [%q] %u %v %V %s %b %B %{Referer}i %{Server}o %{x}C", &s),
          "- - - [] - - - - - 0 - - -");
    T_STR(line("%{SSL_PROTOCOL}x %{SSL_SESSION_RESUMED}x %{SSL_CLIENT_S_DN}x %{reason}x", &s),
          "- - - -");
    T_STR(line("%X", &s), "-");
}

static void headers_and_cookies(void)
{
    struct sample s = begin();

    access_put_header(&s.w, 0, SPAN_LIT("https://a.example/"));
    access_put_header(&s.w, 1, SPAN_LIT(""));
    access_put_header(&s.w, 2, SPAN_LIT("a=1;  JSESSIONID=x.w1 ;b; =; c=\"q\""));
    access_put_header(&s.w, 4, SPAN_LIT("nginx"));
    T_STR(line("%{Referer}i [%{User-Agent}i] %{X-Bin}i %{Server}o %{Nobody}i", &s),
          "https://a.example/ [] - nginx -");
    T_STR(line("%{JSESSIONID}C %{a}C %{c}C %{b}C %{z}C", &s), "x.w1 1 \\\"q\\\" - -");
}

static void connections(void)
{
    struct sample s = begin();

    s.rec->flags = ACCESS_TLS | ACCESS_ABORTED | ACCESS_KEEPALIVE;
    T_STR(line("%X %{SSL_SESSION_RESUMED}x", &s), "X -");
    s.rec->flags = 0;
    T_STR(line("%X %{SSL_SESSION_RESUMED}x", &s), "- -");
}

static void nothing_that_a_client_says_breaks_a_line(void)
{
    struct sample s = begin();
    uint8_t all[256];

    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    access_put_header(&s.w, 3, span_of(all, sizeof(all)));
    T_STR(line("%{SSL_CLIENT_S_DN}x", &s), "CN=a\\nb,O=\\\"x\\\"");
    T_OK(strstr(line("%{X-Bin}i", &s), "\\x00\\x01") == out);
    T_OK(strstr(out, "\\b\\t\\n\\v\\x0c\\r") != NULL);
    T_OK(strstr(out, " !\\\"#$") != NULL);
    T_OK(strstr(out, "[\\\\]") != NULL);
    T_OK(strstr(out, "~\\x7f\\x80") != NULL);
    for (const char *p = out; *p; p++)
        T_OK(*p >= ' ' && *p < 0x7f);
    T_OK(strchr(line("%{a%nb}t", &s), '\n') == NULL);
    line("json", &s);
    for (const char *p = out; *p; p++)
        T_OK((uint8_t)*p >= ' ');
}

static void json(void)
{
    struct sample s = begin();

    line("json", &s);
    T_OK(strstr(out, "{\"time\":\"2011-09-18T19:18:28.123Z\",\"client\":\"10.77.0.200\",") == out);
    T_OK(strstr(out, "\"request\":\"GET /a?b=c HTTP/1.1\"") != NULL);
    T_OK(strstr(out, "\"status\":200,") != NULL);
    T_OK(strstr(out, "\"user_agent\":null") != NULL);
    T_OK(strstr(out, "\"subject\":\"CN=a\\nb,O=\\\"x\\\"\"") != NULL);
    T_OK(strstr(out, "\"core\":1}") != NULL);
}

static void the_largest_record_stays_within_bounds(void)
{
    struct sample s = begin();
    static uint8_t huge[ACCESS_MAX_B];
    static char format[4096];
    struct sb f = sb_of(format, sizeof(format));

    memset(huge, 1, sizeof(huge));
    access_put(&s.w, ACCESS_LINE, span_of(huge, sizeof(huge)));
    for (int i = 0; i < 128; i++)
        sb_str(&f, "%r ");
    line(format, &s);
    T_EQ(strlen(out), ACCESS_TEXT_MAX_B - 1);
}

#define TESTS(X)                                                                              \
    X(directives)                                                                             \
    X(an_apache_format_as_people_use_it)                                                      \
    X(what_is_not_there_is_a_dash)                                                            \
    X(headers_and_cookies) X(connections) X(nothing_that_a_client_says_breaks_a_line) X(json) \
        X(the_largest_record_stays_within_bounds)
T_MAIN("access_text", TESTS)
