#include "lib/t.h"
#include "base/sb.h"
#include "config/logfmt.h"

static struct arena arena;
static struct logfmt_mistake mistake;

static struct logfmt *compile(const char *format)
{
    struct logfmt *out = NULL;
    res r = logfmt_compile(&arena, format, &out, &mistake);

    T_OK(IS_OK(r) == (out != NULL));
    return out;
}

static void a_format_becomes_tokens(void)
{
    struct logfmt *f;

    arena_init(&arena);
    f = compile("%h - \"%r\" %>s %%b%{X-A}i\\t%{%Y}t");
    T_NEED(f != NULL);
    T_EQ(f->count, 9);
    T_EQ(f->tokens[0].op, LOGFMT_CLIENT_HOST);
    T_SPAN(f->tokens[1].text, " - \"");
    T_EQ(f->tokens[2].op, LOGFMT_REQUEST);
    T_SPAN(f->tokens[3].text, "\" ");
    T_EQ(f->tokens[4].op, LOGFMT_STATUS);
    T_SPAN(f->tokens[5].text, " %b");
    T_EQ(f->tokens[6].op, LOGFMT_REQ_HEADER);
    T_SPAN(f->req[f->tokens[6].which], "x-a");
    arena_fini(&arena);
}

static void conditions_are_read_as_apache_does(void)
{
    struct logfmt *f;

    arena_init(&arena);
    f = compile("%!200,304{User-agent}i %400,501{Referer}i%<s");
    T_NEED(f != NULL);
    T_OK(f->tokens[0].except);
    T_EQ(f->tokens[0].status_count, 2);
    T_EQ(f->tokens[0].statuses[1], 304);
    T_OK(!f->tokens[2].except);
    T_EQ(f->tokens[2].statuses[0], 400);
    arena_fini(&arena);
}

static void each_header_is_asked_for_once(void)
{
    struct logfmt *f;

    arena_init(&arena);
    f = compile("%{Referer}i %{referer}i %{A}C %{B}C %{Via}o");
    T_NEED(f != NULL);
    T_EQ(f->req_count, 2);
    T_SPAN(f->req[1], "cookie");
    T_EQ(f->resp_count, 1);
    T_EQ(f->view_count, 0);
    f = compile("%{SSL_CLIENT_S_DN}x %{SSL_CLIENT_M_SERIAL}x %{SSL_CLIENT_S_DN}x");
    T_NEED(f != NULL);
    T_EQ(f->view_count, 2);
    T_SPAN(f->views[1].name, "SSL_CLIENT_M_SERIAL");
    arena_fini(&arena);
}

static void presets(void)
{
    struct logfmt *f;

    arena_init(&arena);
    f = compile("combined");
    T_OK(f && f->req_count == 2 && !f->json);
    f = compile("common");
    T_OK(f && f->req_count == 0);
    f = compile("json");
    T_OK(f && f->json && f->view_count == 8);
    arena_fini(&arena);
}

static void arguments(void)
{
    struct logfmt *f;

    arena_init(&arena);
    f = compile(
        "%{ms}T%{us}T%{s}T%T%{remote}p%p%{canonical}p%{c}a%{end:sec}t%{msec_frac}t%t%{begin:%H}t");
    T_NEED(f != NULL);
    T_EQ(f->tokens[0].which, LOGFMT_MS);
    T_EQ(f->tokens[1].which, LOGFMT_US);
    T_EQ(f->tokens[2].which, LOGFMT_S);
    T_EQ(f->tokens[3].which, LOGFMT_S);
    T_EQ(f->tokens[4].which, LOGFMT_PORT_REMOTE);
    T_EQ(f->tokens[5].which, LOGFMT_PORT_LOCAL);
    T_EQ(f->tokens[6].which, LOGFMT_PORT_LOCAL);
    T_OK(f->tokens[8].end && f->tokens[8].which == LOGFMT_T_SEC);
    T_EQ(f->tokens[9].which, LOGFMT_T_MSEC_FRAC);
    T_EQ(f->tokens[10].which, LOGFMT_T_CLF);
    T_EQ(f->tokens[11].which, LOGFMT_T_STRFTIME);
    T_SPAN(f->tokens[11].text, "%H");
    arena_fini(&arena);
}

static void mistakes(void)
{
    static const struct {
        const char *format;
        size_t at;
        const char *what, *hint;
    } rows[] = {
        {"%h %Z", 3, "there is no %Z", ""},
        {"%", 0, "'%' at the end", ""},
        {"%{a}", 0, "'%' at the end", ""},
        {"%{a", 1, "'{' without '}'", ""},
        {"%i", 0, "%{...}i needs a name", ""},
        {"%{}i", 0, "%{...}i needs a name", ""},
        {"%{a b}i", 6, "not the name of a header", ""},
        {"%{a}r", 0, "%r takes no {}", ""},
        {"%{Q}T", 4, "s, ms or us", ""},
        {"%{x}p", 4, "local, remote or canonical", ""},
        {"%99s", 1, "not a status code", ""},
        {"%2000s", 1, "not a status code", ""},
        {"%{ssl_cypher}x", 13, "no such variable", "did you mean \"SSL_CIPHER\"?"},
        {"a\nb", 1, "a control character", ""},
        {"a\\nb", 1, "an end of line", ""},
        {"%200,201,202,203,204,205,206,207,208,226,300,301,302,303,304,305,307s", 65,
         "more than 16", ""},
    };

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        T_OK(compile(rows[i].format) == NULL);
        T_ROW_EQ(rows[i].format, mistake.at, rows[i].at);
        T_STR(mistake.hint, rows[i].hint);
        if (!strstr(mistake.what, rows[i].what))
            t_fail(__FILE__, __LINE__, "'%s': %s", rows[i].format, mistake.what);
    }
    arena_fini(&arena);
}

static void bounds(void)
{
    char text[5000];
    struct sb s = sb_of(text, sizeof(text));

    arena_init(&arena);
    for (int i = 0; i < LOGFMT_TOKENS_MAX; i++)
        sb_str(&s, "%r");
    T_OK(compile(text) != NULL);
    sb_str(&s, "x");
    T_OK(compile(text) == NULL);
    s = sb_of(text, sizeof(text));
    for (int i = 0; i <= LOGFMT_HEADERS_MAX; i++)
        sb_fmt(&s, "%%{h%d}i", i);
    T_OK(compile(text) == NULL);
    memset(text, 'x', 4097);
    text[4097] = '\0';
    T_OK(compile(text) == NULL);
    text[4096] = '\0';
    T_OK(compile(text) != NULL);
    arena_fini(&arena);
}

static void cut_and_changed_formats_do_no_harm(void)
{
    static const char format[] =
        "%!200,304{User-agent}i \\t\\\"%{SSL_CIPHER}x %{end:%Y}t %>s %{X}o%{c}h%%";
    char text[sizeof(format)];

    for (size_t i = 0; i < 2 * sizeof(format); i++) {
        struct logfmt *f = NULL;

        arena_init(&arena);
        memcpy(text, format, sizeof(format));
        if (i < sizeof(format))
            text[i] = '\0';
        else if (i - sizeof(format) < sizeof(format) - 1)
            text[i - sizeof(format)] ^= 0x5;
        T_OK(IS_OK(logfmt_compile(&arena, text, &f, &mistake)) == (f != NULL));
        arena_fini(&arena);
    }
}

#define TESTS(X)                          \
    X(a_format_becomes_tokens)            \
    X(conditions_are_read_as_apache_does) \
    X(each_header_is_asked_for_once)      \
    X(presets) X(arguments) X(mistakes) X(bounds) X(cut_and_changed_formats_do_no_harm)
T_MAIN("logfmt", TESTS)
