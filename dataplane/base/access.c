#include "base/access.h"

#include "base/must.h"

#define HEADER_VALUE_MAX 1024
#define VIEW_VALUE_MAX   4096

static const uint16_t max_len[ACCESS_STR_COUNT] = {
#define X(sym, max) max,
    ACCESS_STRINGS(X)
#undef X
};

_Static_assert(ACCESS_MIN_B <= ACCESS_MAX_B / 4, "little room for texts");

struct access_rec *access_begin(struct access_wr *w, void *mem, size_t cap, unsigned req_headers,
                                unsigned resp_headers, unsigned views)
{
    struct access_rec *rec = (struct access_rec *)mem;
    size_t fixed = sizeof(*rec) + (req_headers + resp_headers + views) * sizeof(rec->headers[0]);

    MUST_HOT(cap >= ACCESS_MIN_B && ((uintptr_t)mem & 7) == 0);
    MUST_HOT(req_headers <= ACCESS_HEADERS_MAX && resp_headers <= ACCESS_HEADERS_MAX);
    MUST_HOT(views <= ACCESS_VIEWS_MAX);
    memset(mem, 0, fixed);
    rec->req_headers = (uint8_t)req_headers;
    rec->resp_headers = (uint8_t)resp_headers;
    rec->views = (uint8_t)views;
    *w = (struct access_wr){rec, (uint8_t *)mem + fixed,
                            (uint8_t *)mem + min_size(cap, ACCESS_MAX_B)};
    return rec;
}

static void put(struct access_wr *w, struct access_text *slot, struct span text, size_t max)
{
    size_t n = min_size(min_size(text.len, max), (size_t)(w->end - w->p));

    if (n < text.len)
        w->rec->flags |= ACCESS_CUT;
    *slot = (struct access_text){(uint16_t)(w->p - (uint8_t *)w->rec), (uint16_t)n};
    if (n)
        memcpy(w->p, text.p, n);
    w->p += n;
}

void access_put(struct access_wr *w, enum access_str which, struct span text)
{
    put(w, &w->rec->str[which], text, max_len[which]);
}

void access_put_header(struct access_wr *w, unsigned n, struct span value)
{
    MUST_HOT(n < (unsigned)w->rec->req_headers + w->rec->resp_headers);
    put(w, &w->rec->headers[n], value, HEADER_VALUE_MAX);
}

void access_put_view(struct access_wr *w, unsigned n, struct span value)
{
    MUST_HOT(n < w->rec->views);
    put(w, &w->rec->headers[w->rec->req_headers + w->rec->resp_headers + n], value, VIEW_VALUE_MAX);
}

uint32_t access_end(const struct access_wr *w)
{
    return (uint32_t)(w->p - (uint8_t *)w->rec);
}

static bool text_ok(const struct access_text *t, size_t fixed, size_t len)
{
    return t->off == 0 ? t->len == 0 : t->off >= fixed && (size_t)t->off + t->len <= len;
}

const struct access_rec *access_read(struct span record)
{
    const struct access_rec *rec = (const struct access_rec *)(const void *)record.p;
    size_t fixed, texts;

    if (record.len < sizeof(*rec) || rec->req_headers > ACCESS_HEADERS_MAX ||
        rec->resp_headers > ACCESS_HEADERS_MAX || rec->views > ACCESS_VIEWS_MAX)
        return NULL;
    texts = (size_t)rec->req_headers + rec->resp_headers + rec->views;
    fixed = sizeof(*rec) + texts * sizeof(rec->headers[0]);
    if (record.len < fixed)
        return NULL;
    for (unsigned i = 0; i < ACCESS_STR_COUNT; i++) {
        if (!text_ok(&rec->str[i], fixed, record.len))
            return NULL;
    }
    for (size_t i = 0; i < texts; i++) {
        if (!text_ok(&rec->headers[i], fixed, record.len))
            return NULL;
    }
    return rec;
}

static struct span text_of(const struct access_rec *rec, const struct access_text *t)
{
    return t->off ? span_of((const uint8_t *)rec + t->off, t->len) : SPAN_NONE;
}

struct span access_str(const struct access_rec *rec, enum access_str which)
{
    return text_of(rec, &rec->str[which]);
}

struct span access_header(const struct access_rec *rec, unsigned n)
{
    return n < (unsigned)rec->req_headers + rec->resp_headers ? text_of(rec, &rec->headers[n])
                                                              : SPAN_NONE;
}

struct span access_view(const struct access_rec *rec, unsigned n)
{
    return n < rec->views ? text_of(rec, &rec->headers[rec->req_headers + rec->resp_headers + n])
                          : SPAN_NONE;
}
