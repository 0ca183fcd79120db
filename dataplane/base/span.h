/**
 * span: borrowed bytes, {p, len}. Never owns, never ends in NUL, may be empty with p == NULL.
 */
#ifndef SALLYPORT_BASE_SPAN_H
#define SALLYPORT_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *p;
    size_t len;
};

#define SPAN_NONE ((struct span){NULL, 0})
/* A span over a string literal, without its NUL. */
#define SPAN_LIT(s) ((struct span){(const uint8_t *)("" s), sizeof(s) - 1})

static inline struct span span_of(const void *p, size_t len)
{
    return (struct span){(const uint8_t *)p, len};
}

static inline struct span span_str(const char *s)
{
    return span_of(s, s ? strlen(s) : 0);
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* ASCII only, independent of the locale. */
static inline uint8_t ascii_lower(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}

static inline bool ascii_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

static inline bool ascii_alpha(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

static inline bool span_ieq(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    }
    return true;
}

static inline bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

/* From `from` (clamped) to the end. */
static inline struct span span_from(struct span s, size_t from)
{
    if (from > s.len)
        from = s.len;
    return (struct span){s.p ? s.p + from : NULL, s.len - from};
}

/* The first `len` bytes (clamped). */
static inline struct span span_first(struct span s, size_t len)
{
    return (struct span){s.p, len < s.len ? len : s.len};
}

/* Index of the first `c`, or s.len when there is none. */
static inline size_t span_find(struct span s, uint8_t c)
{
    const uint8_t *hit = s.len ? (const uint8_t *)memchr(s.p, c, s.len) : NULL;

    return hit ? (size_t)(hit - s.p) : s.len;
}

/* Without spaces and tabs at both ends (OWS of RFC 9110 5.6.3). */
static inline struct span span_trim(struct span s)
{
    while (s.len && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.len--;
    }
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

#endif
