#include "base/sb.h"

#include <stdio.h>

void sb_put(struct sb *s, struct span text)
{
    size_t room = s->cap > s->len + 1 ? s->cap - s->len - 1 : 0;
    size_t n = min_size(room, text.len);

    if (n < text.len)
        s->cut = true;
    if (n)
        memcpy(s->p + s->len, text.p, n);
    s->len += n;
    if (s->cap)
        s->p[s->len] = '\0';
}

void sb_str(struct sb *s, const char *text)
{
    sb_put(s, span_str(text));
}

void sb_char(struct sb *s, char c)
{
    sb_put(s, span_of(&c, 1));
}

void sb_u64(struct sb *s, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    sb_put(s, span_of(digits + at, sizeof(digits) - at));
}

void sb_hex(struct sb *s, struct span bytes)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        char two[2] = {hex[bytes.p[i] >> 4], hex[bytes.p[i] & 15]};

        sb_put(s, span_of(two, 2));
    }
}

void sb_vfmt(struct sb *s, const char *fmt, va_list args)
{
    size_t room = s->cap - s->len;
    int n = vsnprintf(s->p + s->len, room, fmt, args);

    if (n < 0)
        return;
    if ((size_t)n >= room) {
        s->cut = true;
        s->len = s->cap - 1;
    } else {
        s->len += (size_t)n;
    }
}

void sb_fmt(struct sb *s, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    sb_vfmt(s, fmt, args);
    va_end(args);
}

/* Length of the UTF-8 sequence at s.p[at], 0 when it is not one (RFC 3629 4). */
static size_t utf8_len(struct span s, size_t at)
{
    uint8_t c = s.p[at];
    size_t n = c < 0x80                ? 1
               : c >= 0xc2 && c < 0xe0 ? 2
               : c >= 0xe0 && c < 0xf0 ? 3
               : c >= 0xf0 && c < 0xf5 ? 4
                                       : 0;

    if (n == 0 || at + n > s.len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s.p[at + i] & 0xc0) != 0x80)
            return 0;
    }
    if ((c == 0xe0 && s.p[at + 1] < 0xa0) || (c == 0xed && s.p[at + 1] > 0x9f) ||
        (c == 0xf0 && s.p[at + 1] < 0x90) || (c == 0xf4 && s.p[at + 1] > 0x8f))
        return 0;
    return n;
}

static void json_escaped(struct sb *s, uint8_t c)
{
    char esc[8];

    switch (c) {
    case '"':
        sb_str(s, "\\\"");
        break;
    case '\\':
        sb_str(s, "\\\\");
        break;
    case '\n':
        sb_str(s, "\\n");
        break;
    case '\r':
        sb_str(s, "\\r");
        break;
    case '\t':
        sb_str(s, "\\t");
        break;
    default:
        snprintf(esc, sizeof(esc), "\\u%04x", c);
        sb_str(s, esc);
    }
}

void sb_json(struct sb *s, struct span text)
{
    sb_char(s, '"');
    for (size_t i = 0; i < text.len;) {
        uint8_t c = text.p[i];
        size_t n = utf8_len(text, i);

        if (n == 0 || c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
            json_escaped(s, c);
            i++;
        } else {
            sb_put(s, span_of(text.p + i, n));
            i += n;
        }
    }
    sb_char(s, '"');
}
