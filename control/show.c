#include "control/show.h"

#include "base/res.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define COLUMNS_MAX 32  /* of a table; further ones are not shown */
#define LINE        140 /* what a line of such a table should not exceed */
#define WIDE        6   /* a table with more columns is turned on its side */

/* --- scalars --- */

/* A terminal gets no control characters from us; lines and tabs are what they are in texts of several lines. */
static size_t print_text(const char *text, bool lines, FILE *f)
{
    size_t n = 0;

    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;
        bool plain = (c >= ' ' && c != 0x7f) || (lines && (c == '\n' || c == '\t'));

        if (f)
            fputc(plain ? c : '?', f);
        n += (c & 0xc0) != 0x80; /* columns, not bytes */
    }
    return n;
}

/* Columns it takes; `f` may be NULL to ask only. */
static size_t print_scalar(const json_t *v, FILE *f)
{
    char number[32];

    if (json_is_string(v))
        return print_text(json_string_value(v), false, f);
    if (json_is_integer(v)) {
        int n = snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(v));

        if (f)
            fputs(number, f);
        return (size_t)n;
    }
    return print_text(json_is_true(v) ? "yes" : json_is_false(v) ? "no" : "-", false, f);
}

static void pad(size_t used, size_t width, FILE *f)
{
    for (; used < width; used++)
        fputc(' ', f);
}

/* --- mistakes --- */

static void print_entries(const json_t *list, const char *word, FILE *f)
{
    const json_t *e;
    size_t i;

    json_array_foreach(list, i, e)
    {
        const json_t *file = json_object_get(e, "file"), *line = json_object_get(e, "line");
        const json_t *what = json_object_get(e, "what"), *hint = json_object_get(e, "hint");

        if (json_is_string(file)) {
            print_scalar(file, f);
            if (json_is_integer(line))
                fprintf(f, ":%" JSON_INTEGER_FORMAT, json_integer_value(line));
            fputs(": ", f);
        }
        fputs(word, f);
        print_scalar(what, f);
        if (json_is_string(hint)) {
            fputs(" (", f);
            print_scalar(hint, f);
            fputs(")", f);
        }
        fputc('\n', f);
    }
}

/* --- tables --- */

struct table {
    const json_t *rows;
    const char *columns[COLUMNS_MAX];
    size_t count;
};

static bool is_table(const json_t *v)
{
    return json_array_size(v) > 0 && json_is_object(json_array_get(v, 0));
}

static struct table table_of(const json_t *rows)
{
    struct table t = {.rows = rows};
    json_t *first = json_array_get(rows, 0), *v;
    const char *name;

    json_object_foreach(first, name, v)
    {
        if (t.count < COLUMNS_MAX && !json_is_object(v) && !json_is_array(v))
            t.columns[t.count++] = name;
    }
    return t;
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t width = strlen(t->columns[column]), i;
    const json_t *row;

    json_array_foreach(t->rows, i, row)
    {
        size_t w = print_scalar(json_object_get(row, t->columns[column]), NULL);

        if (w > width)
            width = w;
    }
    return width;
}

/* Counters that never moved are only counted. */
static bool is_zero(const json_t *row)
{
    const json_t *v = json_object_get(row, "value");

    return json_object_get(row, "counter") && json_is_integer(v) && json_integer_value(v) == 0;
}

static void print_upright(const struct table *t, FILE *f)
{
    size_t width[COLUMNS_MAX], zeros = 0, i;
    const json_t *row;

    for (size_t c = 0; c < t->count; c++) {
        width[c] = column_width(t, c);
        pad(print_text(t->columns[c], false, f), c + 1 < t->count ? width[c] + 2 : 0, f);
    }
    fputc('\n', f);
    json_array_foreach(t->rows, i, row)
    {
        zeros += is_zero(row);
        for (size_t c = 0; c < t->count && !is_zero(row); c++)
            pad(print_scalar(json_object_get(row, t->columns[c]), f),
                c + 1 < t->count ? width[c] + 2 : 0, f);
        if (!is_zero(row))
            fputc('\n', f);
    }
    if (zeros)
        fprintf(f, zeros == 1 ? "(%zu more is 0)\n" : "(%zu more are 0)\n", zeros);
}

/* `n` rows beside each other. */
static void print_some(const struct table *t, size_t first, size_t n, size_t name, size_t value,
                       FILE *f)
{
    for (size_t c = 0; c < t->count; c++) {
        pad(print_text(t->columns[c], false, f), name, f);
        for (size_t i = first; i < first + n; i++)
            pad(print_scalar(json_object_get(json_array_get(t->rows, i), t->columns[c]), f),
                i + 1 < first + n ? value : 0, f);
        fputc('\n', f);
    }
}

static void print_sideways(const struct table *t, FILE *f)
{
    size_t name = 0, value = 0, fit, i;

    for (size_t c = 0; c < t->count; c++) {
        size_t w = column_width(t, c);

        value = w > value ? w : value;
        name = strlen(t->columns[c]) > name ? strlen(t->columns[c]) : name;
    }
    fit = value + 2 < LINE - min_size(name, LINE) ? (LINE - name) / (value + 2) : 1;
    for (i = 0; i < json_array_size(t->rows); i += fit) {
        if (i)
            fputc('\n', f);
        print_some(t, i, min_size(fit, json_array_size(t->rows) - i), name + 2, value + 2, f);
    }
}

static void print_table(const char *title, const json_t *rows, FILE *f)
{
    struct table t = table_of(rows);

    fprintf(f, "\n%s\n", title);
    if (t.count > WIDE)
        print_sideways(&t, f);
    else
        print_upright(&t, f);
}

/* --- the whole --- */

static void print_member(const char *name, const json_t *v, FILE *f)
{
    const char *text = json_string_value(v);

    if (text && strchr(text, '\n')) { /* a text of several lines stands alone */
        print_text(text, true, f);
        if (text[strlen(text) - 1] != '\n')
            fputc('\n', f);
        return;
    }
    pad(print_text(name, false, f), 20, f);
    print_scalar(v, f);
    fputc('\n', f);
}

static void print_blocks(const json_t *blocks, FILE *f)
{
    const json_t *b;
    size_t i;

    json_array_foreach(blocks, i, b)
    {
        const char *name = json_string_value(json_object_get(b, "block"));
        const json_t *rows = json_object_get(b, "counters");

        if (name && is_table(rows))
            print_table(name, rows, f);
    }
}

void show_answer(const json_t *answer, FILE *out, FILE *err)
{
    const char *name;
    json_t *v;

    print_entries(json_object_get(answer, "errors"), "", err);
    print_entries(json_object_get(answer, "warnings"), "warning: ", err);
    if (json_is_integer(json_object_get(answer, "more")))
        fprintf(err, "... and %" JSON_INTEGER_FORMAT " more\n",
                json_integer_value(json_object_get(answer, "more")));
    if (!json_is_true(json_object_get(answer, "ok")))
        return;
    json_object_foreach((json_t *)(uintptr_t)answer, name, v)
    {
        if (strcmp(name, "ok") != 0 && !json_is_array(v) && !json_is_object(v))
            print_member(name, v, out);
    }
    print_blocks(json_object_get(answer, "blocks"), out);
    json_object_foreach((json_t *)(uintptr_t)answer, name, v)
    {
        if (is_table(v) && strcmp(name, "blocks") != 0 && strcmp(name, "warnings") != 0)
            print_table(name, v, out);
    }
}
