#include "config/cfg_value.h"
#include "lib/t.h"

static struct arena arena;
static struct cfg_want want;

static void begin(void)
{
    arena_init(&arena);
    want = (struct cfg_want){.arena = &arena, .file = "/etc/sp/x.conf", .no_files = true};
    cfg_want_begin(&want);
}

static void end(void)
{
    arena_fini(&arena);
}

/* The table itself: a default or a bound that does not parse would be found by nobody else. */
static void all_defaults_and_bounds_are_good(void)
{
    begin();
    for (uint32_t g = 0; g < cfg_group_count; g++) {
        for (uint32_t i = 0; i < cfg_groups[g]->count; i++) {
            const struct cfg_key *k = &cfg_groups[g]->keys[i];
            union {
                uint64_t u;
                char bytes[64];
            } out;
            struct cfg_raw raw = k->def ? cfg_raw_of(k, k->def) : (struct cfg_raw){0};
            int64_t lo = 0, hi = 0;

            cfg_want_begin(&want);
            T_OK(k->width <= sizeof(out));
            T_OK(k->help && strlen(k->help) > 3 && k->help[strlen(k->help) - 1] != '.');
            if (k->def && k->type != CFG_T_CPUS && !cfg_value(&want, k, &raw, &out))
                t_fail(__FILE__, __LINE__, "%s.%s: %s", cfg_groups[g]->name, k->name, want.why.p);
            if (cfg_bound(k, k->min, &lo) && cfg_bound(k, k->max, &hi))
                T_OK(lo < hi);
            T_OK(!(k->def && (k->flags & CFG_NEEDED)));
        }
    }
    end();
}

static void durations(void)
{
    static const struct {
        const char *text;
        bool good;
        int64_t ms;
    } rows[] = {
        {"200ms", true, 200},
        {"10s", true, 10000},
        {"5m", true, 300000},
        {"1h", true, 3600000},
        {"1d", true, 86400000},
        {"7", true, 7000},
        {"", false, 0},
        {"s", false, 0},
        {"1 s", false, 0},
        {"-1s", false, 0},
        {"1.5s", false, 0},
        {"1S", false, 0},
        {"99999999999999999999s", false, 0},
        {"1s ", false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cfg_raw raw = {.kind = CFG_RAW_TEXT, .s = rows[i].text};
        int64_t ms = -1;

        T_ROW_EQ(rows[i].text, cfg_parse_duration(&raw, &ms), rows[i].good);
        if (rows[i].good)
            T_ROW_EQ(rows[i].text, ms, rows[i].ms);
    }
}

static void durations_as_numbers(void)
{
    struct cfg_raw half = {.kind = CFG_RAW_FLOAT, .f = 0.25};
    struct cfg_raw whole = {.kind = CFG_RAW_INT, .i = 3};
    struct cfg_raw minus = {.kind = CFG_RAW_INT, .i = -3};
    struct cfg_raw huge = {.kind = CFG_RAW_FLOAT, .f = 1e300};
    struct cfg_raw nan = {.kind = CFG_RAW_FLOAT, .f = __builtin_nan("")};
    int64_t ms = 0;

    T_OK(cfg_parse_duration(&half, &ms) && ms == 250);
    T_OK(cfg_parse_duration(&whole, &ms) && ms == 3000);
    T_OK(!cfg_parse_duration(&minus, &ms));
    T_OK(!cfg_parse_duration(&huge, &ms));
    T_OK(!cfg_parse_duration(&nan, &ms));
}

static void sizes(void)
{
    static const struct {
        const char *text;
        bool good;
        int64_t bytes;
    } rows[] = {
        {"8k", true, 8192},
        {"1m", true, 1 << 20},
        {"2G", true, 2LL << 30},
        {"5", true, 5},
        {"8000000000g", true, 8000000000LL << 30},
        {"8kb", false, 0},
        {"k", false, 0},
        {"9000000000g", false, 0},
        {"-1k", false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cfg_raw raw = {.kind = CFG_RAW_TEXT, .s = rows[i].text};
        int64_t bytes = -1;

        T_ROW_EQ(rows[i].text, cfg_parse_size(&raw, &bytes), rows[i].good);
        if (rows[i].good)
            T_ROW_EQ(rows[i].text, bytes, rows[i].bytes);
    }
}

static const char *as(enum cfg_type type, const char *text)
{
    struct cfg_key k = {.name = "k", .type = type, .width = sizeof(char *)};
    struct cfg_raw raw = {.kind = CFG_RAW_TEXT, .s = text};
    const char *out = NULL;

    cfg_want_begin(&want);
    return cfg_value(&want, &k, &raw, (void *)&out) ? out : NULL;
}

static void host_names(void)
{
    char label[80], name[300];

    begin();
    T_STR(as(CFG_T_HOST, "GW.Example"), "gw.example");
    T_STR(as(CFG_T_HOST, "*.Example"), "*.example");
    T_STR(as(CFG_T_HOST, "10.77.0.1"), "10.77.0.1");
    T_STR(as(CFG_T_HOST, "[2001:db8::1]"), "[2001:db8::1]");
    T_STR(as(CFG_T_HOST, "a_b.example"), "a_b.example");
    T_OK(as(CFG_T_SERVER, "*.example") == NULL);
    T_OK(as(CFG_T_HOST, "*") == NULL);
    T_OK(as(CFG_T_HOST, "*.*.example") == NULL);
    T_OK(as(CFG_T_HOST, "-a.example") == NULL);
    T_OK(as(CFG_T_HOST, "a-.example") == NULL);
    T_OK(as(CFG_T_HOST, ".example") == NULL);
    T_OK(as(CFG_T_HOST, "[::g]") == NULL);
    T_OK(as(CFG_T_HOST, "a.example:443") == NULL);
    T_OK(as(CFG_T_HOST, "") == NULL);
    T_OK(as(CFG_T_HOST, "b\xc3\xbc"
                        "cher.example") == NULL);
    memset(label, 'a', 64);
    label[64] = '\0';
    T_OK(as(CFG_T_HOST, label) == NULL);
    T_OK(as(CFG_T_HOST, label + 1) != NULL);
    for (size_t i = 0; i < 254; i++)
        name[i] = i % 50 == 49 ? '.' : 'a';
    name[254] = '\0';
    T_OK(as(CFG_T_HOST, name) == NULL);
    name[253] = '\0';
    T_OK(as(CFG_T_HOST, name) != NULL);
    end();
}

static void authorities(void)
{
    begin();
    T_STR(as(CFG_T_AUTHORITY, "A.example:8443"), "a.example:8443");
    T_STR(as(CFG_T_AUTHORITY, "a.example"), "a.example");
    T_STR(as(CFG_T_AUTHORITY, "[::1]:80"), "[::1]:80");
    T_STR(as(CFG_T_AUTHORITY, "[::1]"), "[::1]");
    T_OK(as(CFG_T_AUTHORITY, "a.example:") == NULL);
    T_OK(as(CFG_T_AUTHORITY, "a.example:0") == NULL);
    T_OK(as(CFG_T_AUTHORITY, "a.example:65536") == NULL);
    T_OK(as(CFG_T_AUTHORITY, "a.example:1x") == NULL);
    T_OK(as(CFG_T_AUTHORITY, ":80") == NULL);
    end();
}

static void paths(void)
{
    begin();
    T_STR(as(CFG_T_PATH, "/"), "/");
    T_STR(as(CFG_T_PATH, "/a/b.c/~d-_!$&'()*+,=:@"), "/a/b.c/~d-_!$&'()*+,=:@");
    T_STR(as(CFG_T_PATH, "/a%20b"), "/a%20b");
    T_STR(as(CFG_T_PATH, "/a/..b/...c"), "/a/..b/...c");
    T_OK(as(CFG_T_PATH, "/a;b") == NULL);  /* requests have parameters cut off */
    T_OK(as(CFG_T_PATH, "/a%40") == NULL); /* stands for a plain character */
    T_OK(as(CFG_T_PATH, "/a%2fb") == NULL);
    T_OK(as(CFG_T_PATH, "/a%5C") == NULL);
    T_OK(as(CFG_T_PATH, "/a%00") == NULL);
    T_OK(as(CFG_T_PATH, "/a%e2") == NULL); /* canonical escapes are in upper case */
    T_OK(as(CFG_T_PATH, "/a%") == NULL);
    T_OK(as(CFG_T_PATH, "/a%4") == NULL);
    T_OK(as(CFG_T_PATH, "/a/.") == NULL);
    T_OK(as(CFG_T_PATH, "/./a") == NULL);
    T_OK(as(CFG_T_PATH, "/a/..") == NULL);
    T_OK(as(CFG_T_PATH, "/a\\b") == NULL);
    T_OK(as(CFG_T_PATH, "/a#b") == NULL);
    T_OK(as(CFG_T_PATH, "/\xc3\xbc") == NULL);
    end();
}

static void files_are_relative_to_the_configuration(void)
{
    begin();
    T_STR(as(CFG_T_FILE, "ca.pem"), "/etc/sp/ca.pem");
    T_STR(as(CFG_T_FILE, "/ca.pem"), "/ca.pem");
    T_STR(as(CFG_T_OUTFILE, "stderr"), "stderr");
    T_STR(as(CFG_T_OUTFILE, "logs/x"), "/etc/sp/logs/x");
    T_OK(as(CFG_T_FILE, "a\nb") == NULL);
    end();
}

static void files_are_looked_at(void)
{
    begin();
    want.no_files = false;
    T_OK(as(CFG_T_FILE, "/nonexistent/ca.pem") == NULL);
    T_OK(strstr(want.why.p, "No such file") != NULL);
    T_OK(as(CFG_T_FILE, "/tmp") == NULL);
    T_OK(strstr(want.why.p, "not a regular file") != NULL);
    T_OK(as(CFG_T_FILE, "/etc/passwd") != NULL);
    T_OK(as(CFG_T_OUTFILE, "/nonexistent/x.log") == NULL);
    T_OK(as(CFG_T_OUTFILE, "/tmp") == NULL);
    T_OK(as(CFG_T_OUTFILE, "/tmp/x.log") != NULL);
    end();
}

static void found_values_are_shown_safely_and_short(void)
{
    char text[128], longer[200];
    struct sb s = sb_of(text, sizeof(text));
    struct cfg_raw raw = {.kind = CFG_RAW_TEXT, .s = "a\n\"\x1b"};

    cfg_raw_text(&s, &raw);
    T_STR(text, "\"a\\n\\\"\\u001b\"");
    memset(longer, 'x', sizeof(longer));
    longer[199] = '\0';
    raw.s = longer;
    s = sb_of(text, sizeof(text));
    cfg_raw_text(&s, &raw);
    T_EQ(s.len, 65);
}

#define TESTS(X)                                                                     \
    X(all_defaults_and_bounds_are_good)                                              \
    X(durations)                                                                     \
    X(durations_as_numbers)                                                          \
    X(sizes)                                                                         \
    X(host_names) X(authorities) X(paths) X(files_are_relative_to_the_configuration) \
        X(files_are_looked_at) X(found_values_are_shown_safely_and_short)
T_MAIN("cfg_value", TESTS)
