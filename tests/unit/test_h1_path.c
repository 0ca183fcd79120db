#include "http/path.c" /* white box */
#include "lib/t.h"

static void paths_have_one_form(void)
{
    static const struct {
        const char *in, *out; /* out NULL: refused */
    } rows[] = {
        {"/", "/"},
        {"", "/"},
        {"/a/b", "/a/b"},
        {"/a/b/", "/a/b/"},
        {"//a///b", "/a/b"},
        {"/./a/./b/.", "/a/b/"},
        {"/a/../b", "/b"},
        {"/a/b/../../c", "/c"},
        {"/a/b/..", "/a/"},
        {"/x/../protected", "/protected"},
        {"/%70rotected", "/protected"},
        {"/%7Euser", "/~user"},
        {"/a%20b", "/a%20b"},
        {"/a%c3%a9", "/a%C3%A9"},
        {"/%40b%7cc%21", "/@b|c!"},
        {"/a%3bb%3f%23%25", "/a%3Bb%3F%23%25"},
        {"/protected;a=b", "/protected"},
        {"/protected;a=b/x;c", "/protected/x"},
        {"/;a/protected", "/protected"},
        {"/a/%2e%2e/b", "/b"},
        {"/a/%2E/b", "/a/b"},
        {"/...", "/..."},
        {"/a..b/..c", "/a..b/..c"},
        {"/..", NULL},
        {"/a/../../b", NULL},
        {"/%2e%2e/b", NULL},
        {"/a/..;x/b", NULL},
        {"/a/.;/b", NULL},
        {"/a%2fb", NULL},
        {"/a%2Fb", NULL},
        {"/a%5cb", NULL},
        {"/a\\b", NULL},
        {"/a%00b", NULL},
        {"/a%", NULL},
        {"/a%4", NULL},
        {"/a%4g", NULL},
        {"/a\xc3", NULL},
        {"/a\x7f", NULL},
        {"a", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[100];
        const char *why = "";
        int n = h1_path_canonical(span_str(rows[i].in), out, sizeof(out), &why);

        T_ROW_EQ(rows[i].in, n >= 0, rows[i].out != NULL);
        if (n >= 0 && rows[i].out)
            T_SPAN(span_of(out, (size_t)n), rows[i].out);
        if (n < 0)
            T_OK(*why != '\0');
    }
}

static void dot_segments_are_seen_in_any_spelling(void)
{
    static const struct {
        const char *in;
        bool want;
    } rows[] = {
        {"/.", true},          {"/..", true},       {"/a/./b", true},   {"/a/../b", true},
        {"/a/%2e%2E/b", true}, {"/a/.%2e", true},   {"/%2e", true},     {"/a//../b", true},
        {"/", false},          {"", false},         {"/...", false},    {"/a./b", false},
        {"/a/..b/c", false},   {"/a/b../c", false}, {"/a%2e%2", false}, {"/.%2", false},
        {"/%2e%2e%2e", false}, {"/.a.", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        T_ROW_EQ(rows[i].in, h1_path_has_dots(span_str(rows[i].in)), rows[i].want);
}

static void a_path_that_does_not_fit_is_refused(void)
{
    char out[4];
    const char *why = "";

    T_EQ(h1_path_canonical(SPAN_LIT("/abcd"), out, sizeof(out), &why), -1);
    T_STR(why, "path_too_long");
}

/* The form of the form is the form. */
static void canonical_paths_stay_as_they_are(void)
{
    static const char alphabet[] = "/.;%2eaA%41";
    const char *why;

    for (uint32_t n = 0; n < 200000; n++) {
        char in[10], once[16], twice[16];
        uint32_t v = n * 2654435761u;
        int a, b;

        in[0] = '/';
        for (int i = 1; i < 9; i++, v /= 11)
            in[i] = alphabet[v % 11];
        a = h1_path_canonical(span_of(in, 9), once, sizeof(once), &why);
        if (a < 0)
            continue;
        b = h1_path_canonical(span_of(once, (size_t)a), twice, sizeof(twice), &why);
        T_NEED(a == b && memcmp(once, twice, (size_t)a) == 0);
    }
    t_pass("stable");
}

#define TESTS(X)                                                                    \
    X(paths_have_one_form)                                                          \
    X(dot_segments_are_seen_in_any_spelling) X(a_path_that_does_not_fit_is_refused) \
        X(canonical_paths_stay_as_they_are)
T_MAIN("h1_path", TESTS)
