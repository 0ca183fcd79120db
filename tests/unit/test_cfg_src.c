#include "config/cfg_src.h"
#include "lib/conf.h"
#include "lib/t.h"
#include "lib/tmp.h"

struct fix {
    struct tmp tmp;
    struct arena arena;
    struct report *report;
    struct cfg_src src;
};

static void begin(struct fix *f)
{
    memset(f, 0, sizeof(*f));
    tmp_begin(&f->tmp);
    arena_init(&f->arena);
    f->report = report_new();
    T_NEED(f->report != NULL);
}

static void end(struct fix *f)
{
    cfg_src_fini(&f->src);
    report_free(f->report);
    arena_fini(&f->arena);
    tmp_end(&f->tmp);
}

static res load(struct fix *f, const char *name)
{
    cfg_src_fini(&f->src);
    return cfg_src_load(&f->src, &f->arena, tmp_path(&f->tmp, name), f->report);
}

static bool said(struct fix *f, const char *file, int line, const char *part)
{
    for (uint32_t i = 0; i < f->report->count; i++) {
        const struct report_entry *e = &f->report->entries[i];
        const char *name = e->file ? strrchr(e->file, '/') : NULL;

        if (name && strcmp(name + 1, file) == 0 && e->line == line && strstr(e->what, part))
            return true;
    }
    fprintf(stderr, "not said: %s:%d %s, but: %s", file, line, part, conf_report(f->report));
    return false;
}

static void lines_of_included_files_are_found_again(void)
{
    struct fix f;

    begin(&f);
    tmp_write(&f.tmp, "main.conf", "a = 1;\n@include \"sub.conf\"\nb = 2;\n");
    tmp_write(&f.tmp, "sub.conf", "x = 1;\ny = 2;");
    T_OK(IS_OK(load(&f, "main.conf")));
    T_STR(f.src.text, "a = 1;\nx = 1;\ny = 2;\n\nb = 2;\n");
    T_EQ(cfg_src_where(&f.src, 1).line, 1);
    T_EQ(cfg_src_where(&f.src, 2).line, 1);
    T_OK(strstr(cfg_src_where(&f.src, 2).file, "sub.conf") != NULL);
    T_EQ(cfg_src_where(&f.src, 3).line, 2);
    T_EQ(cfg_src_where(&f.src, 5).line, 3);
    T_OK(strstr(cfg_src_where(&f.src, 5).file, "main.conf") != NULL);
    T_EQ(cfg_src_where(&f.src, 99).line, 3);
    T_SPAN(cfg_src_line(&f.src, 3), "y = 2;");
    end(&f);
}

static void included_files_are_relative_to_who_includes_them(void)
{
    struct fix f;

    begin(&f);
    T_NEED(mkdir(tmp_path(&f.tmp, "d"), 0755) == 0);
    tmp_write(&f.tmp, "main.conf", "@include \"d/one.conf\"\n");
    tmp_write(&f.tmp, "d/one.conf", "  @include\t\"two.conf\"  b = 2;\n");
    tmp_write(&f.tmp, "d/two.conf", "a = 1;\n");
    T_OK(IS_OK(load(&f, "main.conf")));
    T_OK(strstr(f.src.text, "a = 1;\n  b = 2;\n") == f.src.text);
    unlink(tmp_path(&f.tmp, "d/one.conf"));
    unlink(tmp_path(&f.tmp, "d/two.conf"));
    end(&f);
}

static void bad_includes_are_said_where_they_stand(void)
{
    struct fix f;

    begin(&f);
    T_NEED(mkdir(tmp_path(&f.tmp, "dir"), 0755) == 0);
    T_NEED(mkfifo(tmp_path(&f.tmp, "fifo"), 0600) == 0);
    tmp_write(&f.tmp, "main.conf",
              "\n@include \"nobody.conf\"\n@include \"dir\"\n@include \"fifo\"\n"
              "@include \"main.conf\"\n@include \"broken.conf\"\n@include \"a\\\\b\"\n");
    tmp_write(&f.tmp, "broken.conf", "a = 1;\nb = ( 1;\n");
    T_OK(!IS_OK(load(&f, "main.conf")));
    T_OK(said(&f, "main.conf", 2, "No such file"));
    T_OK(said(&f, "main.conf", 3, "not a regular file"));
    T_OK(said(&f, "main.conf", 4, "not a regular file"));
    T_OK(said(&f, "main.conf", 5, "includes itself"));
    end(&f);
}

static void mistakes_in_included_files_name_that_file(void)
{
    struct fix f;

    begin(&f);
    tmp_write(&f.tmp, "main.conf", "@include \"one.conf\"\nx = 1; # no end of line");
    tmp_write(&f.tmp, "one.conf", "a = 1;\nb = ( 1;\n\nc = \"open\n");
    T_OK(!IS_OK(load(&f, "main.conf")));
    T_OK(said(&f, "one.conf", 2, "'(' is not closed"));
    T_OK(said(&f, "one.conf", 4, "no closing '\"'"));
    T_EQ(f.report->errors, 2);
    end(&f);
}

static void files_in_files_have_an_end(void)
{
    struct fix f;

    begin(&f);
    for (int i = 0; i < 12; i++) {
        char name[32], text[64];

        snprintf(name, sizeof(name), "f%d", i);
        snprintf(text, sizeof(text), "@include \"f%d\"\n", i + 1);
        tmp_write(&f.tmp, name, text);
    }
    T_OK(!IS_OK(load(&f, "f0")));
    T_OK(said(&f, "f7", 1, "too many files"));
    end(&f);
}

static void a_file_that_is_none_is_said_so(void)
{
    struct fix f;
    FILE *nul;

    begin(&f);
    T_OK(!IS_OK(load(&f, "nobody")));
    T_OK(said(&f, "nobody", 0, "No such file"));
    nul = fopen(tmp_path(&f.tmp, "nul"), "w");
    T_NEED(nul != NULL);
    fwrite("a = 1;\0b", 1, 8, nul);
    fclose(nul);
    T_OK(!IS_OK(load(&f, "nul")));
    T_OK(said(&f, "nul", 0, "NUL bytes"));
    end(&f);
}

static void too_large_is_refused(void)
{
    struct fix f;
    FILE *big;

    begin(&f);
    big = fopen(tmp_path(&f.tmp, "big"), "w");
    T_NEED(big != NULL);
    T_NEED(ftruncate(fileno(big), CFG_FILE_MAX_B + 1) == 0);
    fclose(big);
    T_OK(!IS_OK(load(&f, "big")));
    T_OK(said(&f, "big", 0, "too large"));
    end(&f);
}

/* What the text becomes; NULL when it is refused. */
static const char *after(struct fix *f, const char *text)
{
    struct cfg_input in = {.file = "/x/t", .text = span_str(text), .no_files = true};

    cfg_src_fini(&f->src);
    report_clear(f->report);
    return IS_OK(cfg_src_text(&f->src, &f->arena, &in, f->report)) ? f->src.text : NULL;
}

static void texts(void)
{
    static const struct {
        const char *name, *in, *want;
    } rows[] = {
        {"empty", "", "\n"},
        {"no end of line", "a", "a\n"},
        {"byte order mark",
         "\xef\xbb\xbf"
         "a",
         "a\n"},
        {"comma behind the last", "a = ( 1, 2, );", "a = ( 1, 2  );\n"},
        {"comma and lines", "a = [ 1,\n\t];", "a = [ 1 \n\t];\n"},
        {"comma in a text", "a = [ \",\" ];", "a = [ \",\" ];\n"},
        {"comma before a comment", "a = ( 1, # x,\n );", "a = ( 1  # x,\n );\n"},
        {"brackets in a text", "a = \")(\\\")\";", "a = \")(\\\")\";\n"},
        {"brackets in comments", "# (\n// {\n/* [ */", "# (\n// {\n/* [ */\n"},
        {"comment in a text", "a = \"/*\"; b = \"//\";", "a = \"/*\"; b = \"//\";\n"},
        {"include in a text", "a = \"\n@include \\\"x\\\"\n\";",
         "a = \"\n@include \\\"x\\\"\n\";\n"},
        {"include in a comment", "/*\n@include \"x\"\n*/", "/*\n@include \"x\"\n*/\n"},
        {"small number", "a = 999999999;", "a = 999999999;\n"},
        {"large number", "a = 2147483648;", "a = 2147483648L;\n"},
        {"large number with its mark", "a = 2147483648L;", "a = 2147483648L;\n"},
        {"digits in a name", "a99999999999999999999 = 1;", "a99999999999999999999 = 1;\n"},
        {"digits behind a minus in a name", "a-9999999999 = 1;", "a-9999999999 = 1;\n"},
        {"fraction", "a = 0.99999999999999999999;", "a = 0.99999999999999999999;\n"},
        {"too large", "a = 9999999999999999999;", NULL},
        {"hex too large", "a = 0x80000000;", NULL},
        {"a comment that ends the file", "a = 1; //", "a = 1; //\n"},
        {"half an escape", "a = \"\\", NULL},
        {"string never closed", "a = \"x", NULL},
        {"comment never closed", "a = 1; /* *", NULL},
        {"\\x00", "a = \"\\x00\";", NULL},
        {"\\\\x00 is no escape", "a = \"\\\\x00\";", "a = \"\\\\x00\";\n"},
    };
    struct fix f;

    begin(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = after(&f, rows[i].in);

        if ((got == NULL) != (rows[i].want == NULL) || (got && strcmp(got, rows[i].want) != 0))
            t_fail(__FILE__, __LINE__, "row '%s': '%s'", rows[i].name, got ? got : "(refused)");
        else
            t_pass(rows[i].name);
    }
    end(&f);
}

static void beside(void)
{
    struct fix f;

    begin(&f);
    T_STR(cfg_src_beside(&f.arena, "/etc/a.conf", "b"), "/etc/b");
    T_STR(cfg_src_beside(&f.arena, "/etc/a.conf", "/b"), "/b");
    T_STR(cfg_src_beside(&f.arena, "a.conf", "b/c"), "b/c");
    T_STR(cfg_src_beside(&f.arena, "d/a.conf", "b"), "d/b");
    end(&f);
}

#define TESTS(X)                                        \
    X(lines_of_included_files_are_found_again)          \
    X(included_files_are_relative_to_who_includes_them) \
    X(bad_includes_are_said_where_they_stand)           \
    X(mistakes_in_included_files_name_that_file)        \
    X(files_in_files_have_an_end)                       \
    X(a_file_that_is_none_is_said_so) X(too_large_is_refused) X(texts) X(beside)
T_MAIN("cfg_src", TESTS)
