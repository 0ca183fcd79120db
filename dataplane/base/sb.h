/**
 * sb: text into caller's storage, bounded. What does not fit is cut and remembered in `cut`.
 * The text always ends in NUL (cap >= 1).
 */
#ifndef SALLYPORT_BASE_SB_H
#define SALLYPORT_BASE_SB_H

#include "base/res.h"
#include "base/span.h"

#include <stdarg.h>

struct sb {
    char *p;
    size_t len, cap; /* cap counts the NUL */
    bool cut;
};

static inline struct sb sb_of(char *p, size_t cap)
{
    struct sb s = {p, 0, cap, false};

    if (cap)
        p[0] = '\0';
    return s;
}

void sb_put(struct sb *s, struct span text);
void sb_str(struct sb *s, const char *text);
void sb_char(struct sb *s, char c);
void sb_u64(struct sb *s, uint64_t v);
void sb_hex(struct sb *s, struct span bytes);                      /* lower case, no separators */
void sb_fmt(struct sb *s, const char *fmt, ...) PRINTF_LIKE(2, 3); /* cold path only */
void sb_vfmt(struct sb *s, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

/* The text as a JSON string with its quotes; bytes outside ASCII that are not UTF-8 become \u00XX. */
void sb_json(struct sb *s, struct span text);

static inline struct span sb_span(const struct sb *s)
{
    return span_of(s->p, s->len);
}

/* Put `text` back as it was before an addition that did not fit. */
static inline void sb_back(struct sb *s, size_t len)
{
    s->len = len;
    s->p[len] = '\0';
    s->cut = false;
}

#endif
