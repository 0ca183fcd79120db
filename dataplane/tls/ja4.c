#include "tls/ja4.h"

#include "base/bytes.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/sha256.h>

#define NUMBERS_MAX (HELLO_MAX_B / 2) /* of 16 bits in a ClientHello */

enum { EXT_NAME = 0, EXT_ALPN = 16 };

/* RFC 8701 2: 0x0a0a, 0x1a1a ... 0xfafa. They say nothing and change from one ClientHello to the next. */
static bool grease(uint16_t v)
{
    return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

struct numbers {
    uint16_t v[NUMBERS_MAX];
    uint32_t n;
};

static void take(struct numbers *to, uint16_t v)
{
    if (!grease(v) && to->n < NUMBERS_MAX)
        to->v[to->n++] = v;
}

static void take_list(struct numbers *to, struct span list)
{
    to->n = 0;
    for (size_t i = 0; i + 1 < list.len; i += 2)
        take(to, get_u16(list.p + i));
}

/* By the low byte, then by the high one: linear, whatever a client puts in. */
static void sort(struct numbers *list)
{
    uint16_t other[NUMBERS_MAX], *from = list->v, *to = other;

    for (int shift = 0; shift < 16; shift += 8) {
        uint32_t at[257] = {0};
        uint16_t *swap = from;

        for (uint32_t i = 0; i < list->n; i++)
            at[(from[i] >> shift & 0xff) + 1]++;
        for (int i = 1; i < 256; i++)
            at[i] += at[i - 1];
        for (uint32_t i = 0; i < list->n; i++)
            to[at[from[i] >> shift & 0xff]++] = from[i];
        from = to;
        to = swap;
    }
}

/* --- the hashes --- */

/* "1301,1302,1303" */
static void hash_list(wc_Sha256 *sha, const struct numbers *list)
{
    char text[320];
    struct sb s = sb_of(text, sizeof(text));

    for (uint32_t i = 0; i < list->n; i++) {
        uint8_t be[2] = {(uint8_t)(list->v[i] >> 8), (uint8_t)list->v[i]};

        if (i)
            sb_char(&s, ',');
        sb_hex(&s, span_of(be, 2));
        if (s.len + 6 > sizeof(text) || i + 1 == list->n) {
            (void)wc_Sha256Update(sha, (const uint8_t *)text, (word32)s.len);
            sb_back(&s, 0);
        }
    }
}

/* The sorted list, then another as it came; all zero when there is nothing to sort. */
static void hash(struct numbers *list, struct span unsorted, uint8_t out[6])
{
    uint8_t all[32] = {0};
    wc_Sha256 sha;

    memset(out, 0, 6);
    if (list->n == 0 || wc_InitSha256(&sha) != 0)
        return;
    sort(list);
    hash_list(&sha, list);
    take_list(list, unsorted);
    if (list->n) {
        (void)wc_Sha256Update(&sha, (const uint8_t *)"_", 1);
        hash_list(&sha, list);
    }
    (void)wc_Sha256Final(&sha, all);
    wc_Sha256Free(&sha);
    memcpy(out, all, 6);
}

/* --- the part that can be read --- */

static const char *version_of(const struct hello *h)
{
    uint16_t version = 0;

    for (size_t i = 0; i + 1 < h->versions.len; i += 2) {
        uint16_t v = get_u16(h->versions.p + i);

        if (!grease(v) && v > version)
            version = v;
    }
    switch (h->versions.len ? version : h->version) {
    case 0x0304:
        return "13";
    case 0x0303:
        return "12";
    case 0x0302:
        return "11";
    case 0x0301:
        return "10";
    case 0x0300:
        return "s3";
    default:
        return "00";
    }
}

/* First and last character of the first protocol offered; of its hex when either is none of [0-9A-Za-z]. */
static void put_alpn(char out[2], const struct hello *h)
{
    static const char digits[] = "0123456789abcdef";
    struct rd list = rd_of(h->alpn);
    struct span name = h->has_alpn ? rd_vec8(&list) : SPAN_NONE;
    uint8_t first = name.len ? name.p[0] : '0', last = name.len ? name.p[name.len - 1] : '0';
    bool plain =
        (ascii_alpha(first) || ascii_digit(first)) && (ascii_alpha(last) || ascii_digit(last));

    out[0] = plain ? (char)first : digits[first >> 4];
    out[1] = plain ? (char)last : digits[last & 15];
}

static void put_count(char out[2], uint32_t n)
{
    n = n > 99 ? 99 : n;
    out[0] = (char)('0' + n / 10);
    out[1] = (char)('0' + n % 10);
}

/* All that count; *named: server_name is among them. */
static uint32_t take_extensions(struct numbers *to, const struct hello *h, bool *named)
{
    struct rd c = rd_of(h->extensions);
    uint32_t count = 0;

    to->n = 0;
    *named = false;
    while (rd_ok(&c) && rd_left(&c)) {
        uint16_t type = rd_u16(&c);

        (void)rd_vec16(&c);
        count += !grease(type);
        *named |= type == EXT_NAME;
        if (type != EXT_NAME && type != EXT_ALPN)
            take(to, type);
    }
    return count;
}

void ja4_of(const struct hello *h, struct ja4 *out)
{
    struct numbers list;
    uint32_t extensions;
    bool named;

    out->a[0] = 't';
    memcpy(out->a + 1, version_of(h), 2);
    take_list(&list, h->suites);
    put_count(out->a + 4, list.n);
    hash(&list, SPAN_NONE, out->b);
    extensions = take_extensions(&list, h, &named);
    out->a[3] = named ? 'd' : 'i';
    put_count(out->a + 6, extensions);
    put_alpn(out->a + 8, h);
    hash(&list, h->sigalgs, out->c);
}

void ja4_text(struct sb *s, const struct ja4 *j)
{
    if (!j->a[0])
        return;
    sb_put(s, span_of(j->a, sizeof(j->a)));
    sb_char(s, '_');
    sb_hex(s, span_of(j->b, sizeof(j->b)));
    sb_char(s, '_');
    sb_hex(s, span_of(j->c, sizeof(j->c)));
}
