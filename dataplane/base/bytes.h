/**
 * Cursors over wire bytes: reading and writing without hand-written offsets.
 *
 * A cursor that runs out becomes "bad" and stays so: every further read answers 0 or an empty span,
 * every further write is dropped. The caller checks once, at the end.
 */
#ifndef SALLYPORT_BASE_BYTES_H
#define SALLYPORT_BASE_BYTES_H

#include "base/span.h"

struct rd {
    const uint8_t *p, *end;
    bool bad;
};

static inline struct rd rd_of(struct span s)
{
    return (struct rd){s.p, s.p ? s.p + s.len : NULL, false};
}

static inline size_t rd_left(const struct rd *c)
{
    return (size_t)(c->end - c->p);
}

static inline bool rd_ok(const struct rd *c)
{
    return !c->bad;
}

/* True when all bytes were read and none was missing. */
static inline bool rd_done(const struct rd *c)
{
    return !c->bad && c->p == c->end;
}

static inline struct span rd_span(struct rd *c, size_t n)
{
    struct span s = SPAN_NONE;

    if (c->bad || rd_left(c) < n) {
        c->bad = true;
        return s;
    }
    s = span_of(c->p, n);
    c->p += n;
    return s;
}

static inline void rd_skip(struct rd *c, size_t n)
{
    (void)rd_span(c, n);
}

static inline uint8_t rd_u8(struct rd *c)
{
    struct span s = rd_span(c, 1);

    return s.len ? s.p[0] : 0;
}

static inline uint16_t rd_u16(struct rd *c)
{
    struct span s = rd_span(c, 2);

    return s.len ? (uint16_t)(s.p[0] << 8 | s.p[1]) : 0;
}

static inline uint32_t rd_u24(struct rd *c)
{
    struct span s = rd_span(c, 3);

    return s.len ? (uint32_t)s.p[0] << 16 | (uint32_t)s.p[1] << 8 | s.p[2] : 0;
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t rd_u32(struct rd *c)
{
    struct span s = rd_span(c, 4);

    return s.len ? get_u32(s.p) : 0;
}

/* A vector with a length in front, as TLS writes them (RFC 8446 3.4). */
static inline struct span rd_vec8(struct rd *c)
{
    return rd_span(c, rd_u8(c));
}

static inline struct span rd_vec16(struct rd *c)
{
    return rd_span(c, rd_u16(c));
}

static inline struct span rd_vec24(struct rd *c)
{
    return rd_span(c, rd_u24(c));
}

struct wr {
    uint8_t *start, *p, *end;
    bool bad;
};

static inline struct wr wr_of(void *p, size_t len)
{
    return (struct wr){(uint8_t *)p, (uint8_t *)p, (uint8_t *)p + len, false};
}

static inline size_t wr_len(const struct wr *c)
{
    return (size_t)(c->p - c->start);
}

static inline size_t wr_left(const struct wr *c)
{
    return (size_t)(c->end - c->p);
}

static inline bool wr_ok(const struct wr *c)
{
    return !c->bad;
}

static inline struct span wr_span(const struct wr *c)
{
    return span_of(c->start, wr_len(c));
}

/* Room for n bytes, or NULL: the caller writes them. */
static inline uint8_t *wr_room(struct wr *c, size_t n)
{
    uint8_t *p = c->p;

    if (c->bad || wr_left(c) < n) {
        c->bad = true;
        return NULL;
    }
    c->p += n;
    return p;
}

static inline void wr_bytes(struct wr *c, struct span s)
{
    uint8_t *p = wr_room(c, s.len);

    if (p && s.len)
        memcpy(p, s.p, s.len);
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void wr_u8(struct wr *c, uint8_t v)
{
    uint8_t *p = wr_room(c, 1);

    if (p)
        *p = v;
}

static inline void wr_u16(struct wr *c, uint16_t v)
{
    uint8_t *p = wr_room(c, 2);

    if (p)
        put_u16(p, v);
}

static inline void wr_u24(struct wr *c, uint32_t v)
{
    wr_u8(c, (uint8_t)(v >> 16));
    wr_u16(c, (uint16_t)v);
}

static inline void wr_u32(struct wr *c, uint32_t v)
{
    uint8_t *p = wr_room(c, 4);

    if (p)
        put_u32(p, v);
}

#endif
