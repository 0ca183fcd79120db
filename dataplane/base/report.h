/**
 * report: words for the operator. Every mistake goes in, not only the first one.
 *
 * Control side only. Bound: REPORT_MAX entries, further ones are counted.
 */
#ifndef SALLYPORT_BASE_REPORT_H
#define SALLYPORT_BASE_REPORT_H

#include "base/res.h"

#include <stdint.h>

#define REPORT_MAX 200

enum report_level { REPORT_NOTE, REPORT_WARN, REPORT_ERROR };

struct report_entry {
    enum report_level level;
    char *file; /* NULL: not about a file */
    int line;   /* 0: not about a line */
    char *what; /* "key: what was found, what was expected" */
    char *hint; /* what to do next; NULL: nothing to add */
};

struct report {
    struct report_entry entries[REPORT_MAX];
    uint32_t count, lost;
    uint32_t errors, warnings; /* lost ones counted in */
};

struct report *report_new(void);
void report_free(struct report *r);
void report_free_p(struct report **r); /* for DEFER */
void report_clear(struct report *r);

/* `hint` may be NULL. */
void report_add(struct report *r, enum report_level level, const char *file, int line,
                const char *hint, const char *fmt, ...) PRINTF_LIKE(6, 7);

/* "file:line: what (hint)", as it is shown to the user. Returns what snprintf would. */
int report_line(const struct report_entry *e, char *out, size_t cap);

#endif
