#include "http/h1.h"
#include "http/scan.h"

/**
 * What means the same with and without escape. More than RFC 3986's unreserved characters: every server decodes
 * "%40" to "@" before it looks for the resource, so a location "/@x" has to be found by either spelling.
 */
static bool plain(uint8_t c)
{
    return c > 0x20 && c < 0x7f && !strchr("\"#%/;<>?\\", c);
}

/* What a percent escape may not stand for: bytes that servers disagree about. */
static bool ambiguous(uint8_t c)
{
    return c == 0 || c == '/' || c == '\\';
}

/**
 * The next character of the path. *raw: whether it came escaped and stays so.
 * False: refused, *why is set.
 */
static bool next_char(struct span path, size_t *at, uint8_t *c, bool *raw, const char **why)
{
    int hi, lo;

    *c = path.p[(*at)++];
    *raw = false;
    if (*c != '%') {
        if (*c < 0x21 || *c > 0x7e || *c == '\\') {
            *why = "bad_path_byte";
            return false;
        }
        return true;
    }
    if (*at + 2 > path.len) {
        *why = "bad_path_escape";
        return false;
    }
    hi = scan_hex(path.p[*at]);
    lo = scan_hex(path.p[*at + 1]);
    *at += 2;
    if (hi < 0 || lo < 0) {
        *why = "bad_path_escape";
        return false;
    }
    *c = (uint8_t)(hi << 4 | lo);
    if (ambiguous(*c)) {
        *why = "ambiguous_path_escape";
        return false;
    }
    *raw = !plain(*c);
    return true;
}

/* Is out[start, end) "." (1) or ".." (2)? */
static int dots(const char *out, int start, int end)
{
    if (end - start == 1 && out[start] == '.')
        return 1;
    return end - start == 2 && out[start] == '.' && out[start + 1] == '.' ? 2 : 0;
}

/**
 * The segment out[start, n) is complete: parameters (";a=b", RFC 3986 3.3) are cut off, since many servers
 * do so before they look; "." and ".." are resolved. Returns the new length, or -1 with *why.
 */
static int end_segment(char *out, int start, int n, const char **why)
{
    int end = start, kind;

    while (end < n && out[end] != ';')
        end++;
    kind = dots(out, start, end);
    if (kind && end < n) { /* "..;x": a way up for some, a name for others */
        *why = "ambiguous_path_parameter";
        return -1;
    }
    if (kind == 1)
        return start;
    if (kind == 0)
        return end;
    if (start <= 1) {
        *why = "path_above_root";
        return -1;
    }
    start--; /* the slash in front */
    while (start > 0 && out[start - 1] != '/')
        start--;
    return start;
}

bool h1_path_has_dots(struct span path)
{
    unsigned dots = 0;
    bool other = false;

    for (size_t at = 0; at < path.len; at++) {
        if (path.p[at] == '/') {
            if (!other && (dots == 1 || dots == 2))
                return true;
            dots = 0;
            other = false;
        } else if (path.p[at] == '.') {
            dots++;
        } else if (path.len - at > 2 && path.p[at] == '%' && path.p[at + 1] == '2' &&
                   ascii_lower(path.p[at + 2]) == 'e') {
            dots++;
            at += 2;
        } else {
            other = true;
        }
    }
    return !other && (dots == 1 || dots == 2);
}

int h1_path_canonical(struct span path, char *out, size_t cap, const char **why)
{
    static const char hex[] = "0123456789ABCDEF";
    int n = 1, start = 1;

    if (path.len == 0 || path.p[0] != '/' || path.len > cap || cap < 1) {
        *why = path.len > cap ? "path_too_long" : "bad_path";
        return path.len == 0 && cap ? (out[0] = '/', 1) : -1;
    }
    out[0] = '/';
    for (size_t at = 1; at < path.len;) {
        uint8_t c;
        bool raw;

        if (!next_char(path, &at, &c, &raw, why))
            return -1;
        if (raw) { /* as it came, with its hex digits in upper case (RFC 3986 6.2.2.1) */
            out[n++] = '%';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        } else if (c != '/') {
            out[n++] = (char)c;
        } else {
            n = end_segment(out, start, n, why);
            if (n < 0)
                return -1;
            if (out[n - 1] != '/')
                out[n++] = '/';
            start = n;
        }
    }
    return end_segment(out, start, n, why);
}
