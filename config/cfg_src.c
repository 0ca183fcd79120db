#include "config/cfg_src.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum state { IN_PLAIN, IN_COMMENT, IN_BLOCK, IN_STRING };

struct bracket {
    char c;
    struct cfg_pos pos;
};

/* One file while it is read; a chain through the files that include each other. */
struct file {
    const struct file *from;
    const char *name;
    dev_t dev;
    ino_t ino;
    unsigned depth, nesting; /* files in files; brackets open at its beginning */
    struct span text;
    size_t at;
    int line;
};

struct scan {
    struct cfg_src *s;
    struct report *report;
    bool no_files;
    unsigned files;
    struct bracket open[CFG_SRC_NESTING];
    unsigned nesting;
    enum state state;
    bool in_name;         /* within a word that began with a letter */
    struct cfg_pos since; /* where the comment or string began */
    size_t comma; /* where in the text a ',' stands with nothing but space behind; or SIZE_MAX */
    bool failed;
};

static bool scan_file(struct scan *sc, const char *name, const struct file *from,
                      struct cfg_pos at);

static void fail(struct scan *sc, struct cfg_pos at, const char *hint, const char *what)
{
    sc->failed = true;
    report_add(sc->report, REPORT_ERROR, at.file, at.line, hint, "%s", what);
}

const char *cfg_src_beside(struct arena *a, const char *base, const char *name)
{
    const char *slash = strrchr(base, '/');
    size_t folder = slash ? (size_t)(slash - base) + 1 : 0;
    size_t len = strlen(name);
    char *path;

    if (name[0] == '/' || !folder)
        return arena_text(a, span_of(name, len));
    path = (char *)arena_get(a, 1, folder + len + 1);
    if (path) {
        memcpy(path, base, folder);
        memcpy(path + folder, name, len);
    }
    return path;
}

/* --- the text that is being put together --- */

static bool grow(struct scan *sc, struct cfg_pos at)
{
    struct cfg_src *s = sc->s;

    if (s->len + 2 > s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 4096;
        char *text = cap <= 2 * (size_t)CFG_FILE_MAX_B ? (char *)realloc(s->text, cap) : NULL;

        if (!text) {
            fail(sc, at, NULL, "the configuration with all its included files is too large");
            return false;
        }
        s->text = text;
        s->cap = cap;
    }
    if (s->line_count == s->line_cap) {
        uint32_t cap = s->line_cap ? s->line_cap * 2 : 256;
        struct cfg_src_line *lines =
            (struct cfg_src_line *)realloc(s->lines, cap * sizeof(*s->lines));

        if (!lines) {
            fail(sc, at, NULL, "out of memory");
            return false;
        }
        s->lines = lines;
        s->line_cap = cap;
    }
    return true;
}

static bool put(struct scan *sc, const struct file *f, char c)
{
    struct cfg_src *s = sc->s;

    if (!grow(sc, (struct cfg_pos){f->name, f->line}))
        return false;
    if (s->len == 0 || s->text[s->len - 1] == '\n')
        s->lines[s->line_count++] = (struct cfg_src_line){f->name, f->line};
    s->text[s->len++] = c;
    s->text[s->len] = '\0';
    return true;
}

/* --- brackets --- */

static void bracket_open(struct scan *sc, const struct file *f, char c)
{
    struct cfg_pos at = {f->name, f->line};

    if (sc->nesting == CFG_SRC_NESTING) {
        fail(sc, at, NULL, "brackets are nested too deeply");
        return;
    }
    sc->open[sc->nesting++] = (struct bracket){c, at};
}

static void bracket_close(struct scan *sc, const struct file *f, char c)
{
    char want = c == ')' ? '(' : c == ']' ? '[' : '{';
    const struct bracket *top = sc->nesting > f->nesting ? &sc->open[sc->nesting - 1] : NULL;

    if (top && top->c == want) {
        sc->nesting--;
        return;
    }
    sc->failed = true;
    if (top)
        report_add(sc->report, REPORT_ERROR, f->name, f->line, NULL,
                   "'%c' closes the '%c' that was opened in line %d", c, top->c, top->pos.line);
    else
        report_add(sc->report, REPORT_ERROR, f->name, f->line, NULL, "'%c' closes nothing", c);
}

static void bracket(struct scan *sc, const struct file *f, char c)
{
    if (c == '(' || c == '[' || c == '{') {
        bracket_open(sc, f, c);
        return;
    }
    if (c != ')' && c != ']' && c != '}')
        return;
    /* libconfig 1.5 refuses a comma behind the last element; everybody else's lists allow it. */
    if (c != '}' && sc->comma != SIZE_MAX)
        sc->s->text[sc->comma] = ' ';
    bracket_close(sc, f, c);
}

/* --- one character after the other --- */

static char peek(const struct file *f, size_t ahead)
{
    return f->at + ahead < f->text.len ? (char)f->text.p[f->at + ahead] : '\0';
}

static bool take(struct scan *sc, struct file *f)
{
    char c = peek(f, 0);

    if (!put(sc, f, c))
        return false;
    f->at++;
    if (c == '\n')
        f->line++;
    return true;
}

static bool take_two(struct scan *sc, struct file *f)
{
    return take(sc, f) && take(sc, f);
}

static bool step_string(struct scan *sc, struct file *f)
{
    char c = peek(f, 0);

    if (c == '\\' && (peek(f, 1) == '"' || peek(f, 1) == '\\'))
        return take_two(sc, f);
    if (c == '\\' && (peek(f, 1) | 0x20) == 'x' && peek(f, 2) == '0' && peek(f, 3) == '0')
        fail(sc, (struct cfg_pos){f->name, f->line}, NULL, "\\x00 in a text");
    if (c == '"')
        sc->state = IN_PLAIN;
    return take(sc, f);
}

/*
 * libconfig 1.5 keeps the lower 32 bits of a number and says nothing. Its 64-bit numbers are marked by an
 * L, so larger ones get that, and what is too large for those, too, is refused here.
 */
static bool number(struct scan *sc, struct file *f)
{
    struct span rest = span_from(f->text, f->at);
    bool fraction = sc->s->len && sc->s->text[sc->s->len - 1] == '.';
    bool hex = rest.len > 1 && rest.p[0] == '0' && (rest.p[1] | 0x20) == 'x';
    size_t digits = hex ? 2 : 0;
    bool large;
    char next;

    while (digits < rest.len &&
           (ascii_digit(rest.p[digits]) || (hex && ascii_alpha(rest.p[digits]))))
        digits++;
    next = peek(f, digits);
    large = !fraction && !hex && next != '.' && (next | 0x20) != 'e' && digits >= 10;
    if ((large && digits > 18) || (hex && digits > 2 + 7))
        fail(sc, (struct cfg_pos){f->name, f->line}, hex ? "write it in decimal" : NULL,
             "this number is too large");
    for (; digits; digits--) {
        if (!take(sc, f))
            return false;
    }
    return !large || next == 'L' || put(sc, f, 'L');
}

static bool step_plain(struct scan *sc, struct file *f)
{
    char c = peek(f, 0);
    bool letter = ascii_alpha((uint8_t)c) || c == '*', digit = ascii_digit((uint8_t)c);

    sc->in_name = letter || (sc->in_name && (digit || c == '_' || c == '-'));
    sc->since = (struct cfg_pos){f->name, f->line};
    if (c == '"') {
        sc->state = IN_STRING;
    } else if (c == '#' || (c == '/' && peek(f, 1) == '/')) {
        sc->state = IN_COMMENT;
        return take(sc, f);
    } else if (c == '/' && peek(f, 1) == '*') {
        sc->state = IN_BLOCK;
        return take_two(sc, f);
    } else {
        bracket(sc, f, c);
    }
    if (c == ',')
        sc->comma = sc->s->len;
    else if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
        sc->comma = SIZE_MAX;
    return digit && !sc->in_name ? number(sc, f) : take(sc, f);
}

static bool step(struct scan *sc, struct file *f)
{
    char c = peek(f, 0);

    switch (sc->state) {
    case IN_STRING:
        return step_string(sc, f);
    case IN_COMMENT:
        if (c == '\n')
            sc->state = IN_PLAIN;
        return take(sc, f);
    case IN_BLOCK:
        if (c == '*' && peek(f, 1) == '/') {
            sc->state = IN_PLAIN;
            return take_two(sc, f);
        }
        return take(sc, f);
    case IN_PLAIN:
        break;
    }
    return step_plain(sc, f);
}

/* --- @include --- */

/* At the beginning of a line: is this `@include "name"`? Then *name, and f->at is behind it. */
static bool include_line(struct scan *sc, struct file *f, struct span *name)
{
    static const struct span word = SPAN_LIT("@include");
    struct span rest = span_from(f->text, f->at);
    size_t i = 0, begin;

    while (i < rest.len && (rest.p[i] == ' ' || rest.p[i] == '\t'))
        i++;
    if (!span_starts(span_from(rest, i), word))
        return false;
    i += word.len;
    begin = i;
    while (i < rest.len && (rest.p[i] == ' ' || rest.p[i] == '\t'))
        i++;
    if (i == begin || i == rest.len || rest.p[i] != '"') {
        fail(sc, (struct cfg_pos){f->name, f->line}, "write: @include \"file\"",
             "@include without a file name in quotes");
        *name = SPAN_NONE;
        f->at += i;
        return true;
    }
    begin = ++i;
    while (i < rest.len && rest.p[i] != '"' && rest.p[i] != '\n' && rest.p[i] != '\\')
        i++;
    *name = span_of(rest.p + begin, i - begin);
    if (i == rest.len || rest.p[i] != '"' || name->len == 0 || name->len > 4000) {
        fail(sc, (struct cfg_pos){f->name, f->line}, NULL, "@include: this is not a file name");
        *name = SPAN_NONE;
    }
    f->at += i + (i < rest.len && rest.p[i] == '"');
    return true;
}

static bool include(struct scan *sc, struct file *f, struct span name)
{
    struct cfg_pos at = {f->name, f->line};
    const char *text;

    if (sc->no_files) {
        fail(sc, at, NULL, "@include: no other files here");
        return true;
    }
    if (sc->files++ == CFG_SRC_FILES || f->depth + 1 == CFG_SRC_DEPTH) {
        fail(sc, at, NULL, "@include: too many files, or files in files in files");
        return false;
    }
    text = arena_text(sc->s->arena, name);
    text = text ? cfg_src_beside(sc->s->arena, f->name, text) : NULL;
    return text && scan_file(sc, text, f, at);
}

/* --- files --- */

/* The end of a file must be a state from which the one that includes it can go on. */
static void at_end(struct scan *sc, const struct file *f)
{
    if (sc->state == IN_STRING)
        fail(sc, sc->since, NULL, "this text has no closing '\"'");
    if (sc->state == IN_BLOCK)
        fail(sc, sc->since, NULL, "this comment has no closing \"*/\"");
    sc->state = IN_PLAIN;
    for (; sc->nesting > f->nesting; sc->nesting--) {
        const struct bracket *b = &sc->open[sc->nesting - 1];

        sc->failed = true;
        report_add(sc->report, REPORT_ERROR, b->pos.file, b->pos.line, NULL, "'%c' is not closed",
                   b->c);
    }
}

static bool scan_text(struct scan *sc, struct file *f)
{
    struct span name;

    if (memchr(f->text.p ? f->text.p : (const uint8_t *)"", 0, f->text.len)) {
        fail(sc, (struct cfg_pos){f->name, 0}, NULL, "not a text file: it has NUL bytes");
        return true;
    }
    if (span_starts(f->text, SPAN_LIT("\xef\xbb\xbf")))
        f->at = 3; /* a byte order mark, as some editors leave it */
    while (f->at < f->text.len) {
        /* What libconfig would take for the beginning of a line. */
        bool fresh = sc->s->len == 0 || sc->s->text[sc->s->len - 1] == '\n';

        if (fresh && sc->state == IN_PLAIN && include_line(sc, f, &name)) {
            if (name.len && !include(sc, f, name))
                return false;
            continue;
        }
        if (!step(sc, f))
            return false;
    }
    /* A comment in the last line needs an end of line for libconfig's scanner, too. */
    if (sc->s->len && sc->s->text[sc->s->len - 1] != '\n' && !put(sc, f, '\n'))
        return false;
    if (sc->state == IN_COMMENT)
        sc->state = IN_PLAIN;
    at_end(sc, f);
    return true;
}

/* Open, look, read whole. NULL: *why is a text for the message. */
static char *slurp(const char *name, struct stat *st, size_t *len, const char **why)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char *text = NULL;
    ssize_t n;

    *len = 0;
    if (fd < 0 || fstat(fd, st) != 0) {
        *why = strerror(errno);
        goto close_fd;
    }
    *why = "not a regular file";
    if (!S_ISREG(st->st_mode))
        goto close_fd;
    *why = "too large for a configuration";
    if (st->st_size > (off_t)CFG_FILE_MAX_B)
        goto close_fd;
    *why = "out of memory";
    text = (char *)malloc((size_t)st->st_size + 1);
    while (text && *len < (size_t)st->st_size) {
        n = read(fd, text + *len, (size_t)st->st_size - *len);
        if (n <= 0)
            break; /* cut short meanwhile: what is there is read */
        *len += (size_t)n;
    }
close_fd:
    if (fd >= 0)
        close(fd);
    return text;
}

static bool scan_file(struct scan *sc, const char *name, const struct file *from, struct cfg_pos at)
{
    struct file f = {.from = from, .name = name, .line = 1, .nesting = sc->nesting};
    struct stat st;
    const char *why;
    char *text = slurp(name, &st, &f.text.len, &why);
    bool go_on = true;

    if (!text) {
        sc->failed = true;
        if (from)
            report_add(sc->report, REPORT_ERROR, at.file, at.line, NULL, "@include \"%s\": %s",
                       name, why);
        else
            report_add(sc->report, REPORT_ERROR, name, 0, NULL, "%s", why);
        return true;
    }
    f.text.p = (const uint8_t *)text;
    f.depth = from ? from->depth + 1 : 0;
    f.dev = st.st_dev;
    f.ino = st.st_ino;
    for (const struct file *up = from; up && go_on; up = up->from)
        go_on = up->dev != f.dev || up->ino != f.ino;
    if (!go_on)
        fail(sc, at, NULL, "@include: this file includes itself");
    else
        go_on = scan_text(sc, &f);
    free(text);
    return go_on;
}

static res finish(struct scan *sc, const char *name)
{
    struct file nothing = {.name = name, .line = 1};

    if (!sc->s->text && !sc->failed)
        (void)put(sc, &nothing, '\n');
    return sc->failed ? ERR(FAIL) : OK;
}

res cfg_src_load(struct cfg_src *s, struct arena *arena, const char *path, struct report *report)
{
    struct scan sc = {.s = s, .report = report, .comma = SIZE_MAX};

    *s = (struct cfg_src){.arena = arena};
    (void)scan_file(&sc, path, NULL, (struct cfg_pos){path, 0});
    return finish(&sc, path);
}

res cfg_src_text(struct cfg_src *s, struct arena *arena, const struct cfg_input *in,
                 struct report *report)
{
    struct scan sc = {.s = s, .report = report, .comma = SIZE_MAX, .no_files = in->no_files};
    struct file f = {.name = in->file, .text = in->text, .line = 1};

    *s = (struct cfg_src){.arena = arena};
    if (in->text.len > CFG_FILE_MAX_B)
        fail(&sc, (struct cfg_pos){in->file, 0}, NULL, "too large for a configuration");
    else
        (void)scan_text(&sc, &f);
    return finish(&sc, in->file);
}

void cfg_src_fini(struct cfg_src *s)
{
    free(s->text);
    free(s->lines);
    s->text = NULL;
    s->lines = NULL;
}

struct cfg_pos cfg_src_where(const struct cfg_src *s, unsigned line)
{
    if (s->line_count == 0)
        return (struct cfg_pos){NULL, 0};
    if (line < 1)
        line = 1;
    if (line > s->line_count)
        line = s->line_count;
    return (struct cfg_pos){s->lines[line - 1].file, s->lines[line - 1].line};
}

struct span cfg_src_line(const struct cfg_src *s, unsigned line)
{
    struct span rest = span_of(s->text, s->len);

    while (line > 1 && rest.len) {
        rest = span_from(rest, span_find(rest, '\n') + 1);
        line--;
    }
    return span_trim(span_first(rest, span_find(rest, '\n')));
}
