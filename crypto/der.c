#include "crypto/der.h"

#include "base/sb.h"

bool der_next(struct span *in, struct der *out)
{
    size_t len, hdr = 2;

    if (in->len < 2 || (in->p[0] & 0x1f) == 0x1f)
        return false;
    len = in->p[1];
    if (len >= 0x80) {
        size_t n = len & 0x7f;

        if (n == 0 || n > 4 || in->len < 2 + n || in->p[2] == 0)
            return false;
        len = 0;
        for (size_t i = 0; i < n; i++)
            len = len << 8 | in->p[2 + i];
        if (len < 0x80)
            return false;
        hdr += n;
    }
    if (len > in->len - hdr)
        return false;
    out->tag = in->p[0];
    out->body = span_of(in->p + hdr, len);
    out->whole = span_of(in->p, hdr + len);
    *in = span_from(*in, hdr + len);
    return true;
}

bool der_get(struct span *in, uint8_t tag, struct span *body)
{
    struct der d;

    if (!der_next(in, &d) || d.tag != tag)
        return false;
    *body = d.body;
    return true;
}

bool der_maybe(struct span *in, uint8_t tag, struct span *body, bool *there)
{
    *there = in->len && in->p[0] == tag;
    return !*there || der_get(in, tag, body);
}

bool der_integer_ok(struct span b)
{
    if (b.len == 0)
        return false;
    return b.len == 1 || !((b.p[0] == 0 && !(b.p[1] & 0x80)) || (b.p[0] == 0xff && b.p[1] & 0x80));
}

bool der_small(struct span b, uint32_t *out)
{
    if (!der_integer_ok(b) || b.len > 4 || b.p[0] & 0x80)
        return false;
    *out = 0;
    for (size_t i = 0; i < b.len; i++)
        *out = *out << 8 | b.p[i];
    return true;
}

bool der_boolean(struct span b, bool *out)
{
    if (b.len != 1 || (b.p[0] != 0 && b.p[0] != 0xff))
        return false;
    *out = b.p[0] != 0;
    return true;
}

bool der_bits(struct span b, struct span *bytes, uint8_t *unused)
{
    if (b.len == 0 || b.p[0] > 7 || (b.len == 1 && b.p[0]))
        return false;
    *unused = b.p[0];
    *bytes = span_from(b, 1);
    /* X.690 11.2.1: bits that do not count are zero */
    return *unused == 0 || (b.p[b.len - 1] & ((1u << *unused) - 1)) == 0;
}

bool der_oid_ok(struct span b)
{
    bool begins = true;

    if (b.len == 0 || b.p[b.len - 1] & 0x80)
        return false;
    for (size_t i = 0; i < b.len; i++) {
        if (begins && b.p[i] == 0x80)
            return false;
        begins = !(b.p[i] & 0x80);
    }
    return true;
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. */
static int64_t days(int64_t y, unsigned m, unsigned d)
{
    int64_t era;
    unsigned yoe, doy, doe;

    y -= m <= 2;
    era = y / 400;
    yoe = (unsigned)(y - era * 400);
    doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static bool two(struct span b, size_t at, unsigned max, unsigned *out)
{
    if (!ascii_digit(b.p[at]) || !ascii_digit(b.p[at + 1]))
        return false;
    *out = (unsigned)(b.p[at] - '0') * 10 + (unsigned)(b.p[at + 1] - '0');
    return *out <= max;
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const uint8_t n[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 || year % 400 == 0);

    return n[month - 1] + (month == 2 && leap ? 1u : 0u);
}

bool der_time(uint8_t tag, struct span b, int64_t *out_s)
{
    unsigned century = 0, year, month, day, hour, minute, second;
    size_t at = 0;

    if (tag == DER_GENERAL_TIME && b.len == 15) {
        if (!two(b, 0, 99, &century))
            return false;
        at = 2;
    } else if (tag != DER_UTC_TIME || b.len != 13) {
        return false;
    }
    if (!two(b, at, 99, &year) || !two(b, at + 2, 12, &month) || !two(b, at + 4, 31, &day) ||
        !two(b, at + 6, 23, &hour) || !two(b, at + 8, 59, &minute) ||
        !two(b, at + 10, 59, &second) || b.p[at + 12] != 'Z' || month == 0 || day == 0)
        return false;
    if (tag == DER_UTC_TIME)
        century = year >= 50 ? 19 : 20;
    year += century * 100;
    if (day > month_days(year, month))
        return false;
    *out_s = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

void der_oid_text(struct sb *s, struct span oid)
{
    uint64_t v = 0;
    bool first = true;

    for (size_t i = 0; i < oid.len; i++) {
        if (v >> 56) {
            sb_str(s, "?");
            return;
        }
        v = v << 7 | (oid.p[i] & 0x7f);
        if (oid.p[i] & 0x80)
            continue;
        if (first) {
            uint64_t top = v < 80 ? v / 40 : 2;

            sb_u64(s, top);
            v -= top * 40;
            first = false;
        }
        sb_char(s, '.');
        sb_u64(s, v);
        v = 0;
    }
}
