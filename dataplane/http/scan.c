#include "http/scan.h"

/* Bit 0: tchar (RFC 9110 5.6.2); bit 1: may stand in a field value; bit 2: in a request target. */
static uint8_t class_of(uint8_t c)
{
    static const char tchars[] = "!#$%&'*+-.^_`|~";
    uint8_t k = 0;

    if (ascii_alpha(c) || ascii_digit(c) || (c && strchr(tchars, c)))
        k |= 1;
    if (c == '\t' || (c >= 0x20 && c != 0x7f))
        k |= 2;
    /* No '"', '<', '>', '\', '^', '`', '{', '|', '}' and no '#': RFC 3986 has them nowhere here. Some
     * clients send '|', '^', '{', '}' and '`' nevertheless, and nothing hangs on them. */
    if (c > 0x20 && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\\' && c != '#')
        k |= 4;
    return k;
}

static uint8_t classes[256];

/* Filled before main: constant afterwards, shared by all cores for reading. */
__attribute__((constructor)) static void fill(void)
{
    for (int i = 0; i < 256; i++)
        classes[i] = class_of((uint8_t)i);
}

size_t scan_token(struct span s)
{
    size_t n = 0;

    while (n < s.len && (classes[s.p[n]] & 1))
        n++;
    return n;
}

static bool all(struct span s, uint8_t bit)
{
    uint8_t both = bit;

    for (size_t i = 0; i < s.len; i++)
        both &= classes[s.p[i]];
    return both != 0;
}

bool scan_value_ok(struct span s)
{
    return all(s, 2);
}

bool scan_target_ok(struct span s)
{
    return all(s, 4);
}

int scan_hex(uint8_t c)
{
    if (ascii_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
