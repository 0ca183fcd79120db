/**
 * Target: h1_path_canonical, what locations are matched by, and h1_path_has_dots. The input is a path. Two spellings
 * of one path have one canonical form, and nothing is left in it that a backend could read in another way.
 */
#include "fuzz/fuzz.h"
#include "http/h1.h"

#include <string.h>

#define IN_MAX 2048

static const char hex[] = "0123456789ABCDEF";

static bool plain(uint8_t c)
{
    return c > ' ' && c <= '~' && !strchr("\"#%/;<>?\\", c);
}

static int escape_at(struct span s, size_t at)
{
    const char *hi, *lo;

    if (s.len - at < 3 || s.p[at] != '%')
        return -1;
    hi = (const char *)memchr(hex, s.p[at + 1], 16);
    lo = (const char *)memchr(hex, s.p[at + 2], 16);
    return hi && lo ? (int)(hi - hex) << 4 | (int)(lo - hex) : -1;
}

/* What the header promises of a canonical path. */
static void check_form(struct span s)
{
    static char again[IN_MAX];
    const char *why;
    int n;

    FUZZ_MUST(s.len > 0 && s.p[0] == '/');
    FUZZ_MUST(!memmem(s.p, s.len, "//", 2) && !memchr(s.p, ';', s.len));
    FUZZ_MUST(!h1_path_has_dots(s));
    for (size_t i = 0; i < s.len; i++) {
        FUZZ_MUST(s.p[i] > ' ' && s.p[i] <= '~' && s.p[i] != '\\');
        if (s.p[i] == '%') {
            int c = escape_at(s, i);

            FUZZ_MUST(c > 0 && c != '/' && c != '\\' && !plain((uint8_t)c));
        }
    }
    n = h1_path_canonical(s, again, sizeof(again), &why);
    FUZZ_MUST(n == (int)s.len && memcmp(again, s.p, s.len) == 0);
}

/* The same path with the plain characters that `mask` chooses escaped. */
static struct span other_spelling(struct span in, unsigned mask, uint8_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < in.len; i++) {
        if (in.p[i] == '%' && in.len - i > 2) {
            memcpy(out + n, in.p + i, 3);
            n += 3;
            i += 2;
        } else if (plain(in.p[i]) && (mask >> i % 8 & 1)) {
            out[n++] = '%';
            out[n++] = (uint8_t)hex[in.p[i] >> 4];
            out[n++] = (uint8_t)(i & 1 ? hex[in.p[i] & 15] : hex[in.p[i] & 15] | 0x20);
        } else {
            out[n++] = in.p[i];
        }
    }
    return span_of(out, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char a[IN_MAX], b[3 * IN_MAX];
    static uint8_t spelt[3 * IN_MAX];
    const char *why = NULL, *why_b = NULL;
    struct span in, same;
    int n, m;

    if (size < 1 || size - 1 > IN_MAX)
        return 0;
    in = span_of(data + 1, size - 1);
    n = h1_path_canonical(in, a, sizeof(a), &why);
    if (n < 0)
        FUZZ_MUST(why && *why);
    else
        FUZZ_MUST((size_t)n <= (in.len ? in.len : 1));
    if (n >= 0)
        check_form(span_of(a, (size_t)n));
    same = other_spelling(in, data[0], spelt);
    m = h1_path_canonical(same, b, sizeof(b), &why_b);
    FUZZ_MUST(m == n && (n < 0 || memcmp(a, b, (size_t)n) == 0));
    FUZZ_MUST(n < 0 || h1_path_has_dots(in) == h1_path_has_dots(same));
    return 0;
}
