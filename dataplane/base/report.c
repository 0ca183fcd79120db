#include "base/report.h"

#include "base/sb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct report *report_new(void)
{
    return (struct report *)calloc(1, sizeof(struct report));
}

void report_clear(struct report *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        free(r->entries[i].file);
        free(r->entries[i].what);
        free(r->entries[i].hint);
    }
    memset(r, 0, sizeof(*r));
}

void report_free(struct report *r)
{
    if (!r)
        return;
    report_clear(r);
    free(r);
}

void report_free_p(struct report **r)
{
    report_free(*r);
}

void report_add(struct report *r, enum report_level level, const char *file, int line,
                const char *hint, const char *fmt, ...)
{
    struct report_entry *e;
    char what[1024];
    va_list args;

    if (level == REPORT_ERROR)
        r->errors++;
    if (level == REPORT_WARN)
        r->warnings++;
    if (r->count == REPORT_MAX) {
        r->lost++;
        return;
    }
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    e = &r->entries[r->count++];
    *e = (struct report_entry){level, file ? strdup(file) : NULL, line, strdup(what),
                               hint ? strdup(hint) : NULL};
}

int report_line(const struct report_entry *e, char *out, size_t cap)
{
    struct sb s = sb_of(out, cap);

    if (e->file)
        sb_fmt(&s, e->line ? "%s:%d: " : "%s: ", e->file, e->line);
    if (e->level == REPORT_WARN)
        sb_str(&s, "warning: ");
    if (e->level == REPORT_NOTE)
        sb_str(&s, "note: ");
    sb_str(&s, e->what ? e->what : "out of memory");
    if (e->hint)
        sb_fmt(&s, " (%s)", e->hint);
    return (int)s.len;
}
