#include "base/capture.h"

#include "base/bytes.h"

#include <stdlib.h>

#define ETH_B 14u

_Static_assert(sizeof(struct capture_filter) <= sizeof(((struct capture *)0)->filter),
               "a filter fits into its words");

res capture_init(struct capture *c)
{
    memset(c, 0, sizeof(*c));
    c->mem = malloc(CAPTURE_RING_B);
    if (!c->mem)
        return ERR(NOMEM);
    ring_init(&c->ring, c->mem, CAPTURE_RING_B);
    return OK;
}

void capture_fini(struct capture *c)
{
    free(c->mem);
    c->mem = NULL;
}

void capture_begin(struct capture *c, const struct capture_filter *f)
{
    uint64_t words[ARRAY_LEN(c->filter)] = {0};
    struct span record;
    uint16_t kind;

    capture_end(c);
    while (ring_peek(&c->ring, &kind, &record))
        ring_next(&c->ring);
    memcpy(words, f, sizeof(*f));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) /* each after the end of the one before */
        __atomic_store_n(&c->filter[i], words[i], __ATOMIC_RELEASE);
    __atomic_store_n(&c->on, c->on + 1, __ATOMIC_RELEASE);
}

void capture_end(struct capture *c)
{
    __atomic_store_n(&c->on, (c->on + 1) & ~1u, __ATOMIC_RELEASE);
}

/* On the core. False: off, or control is changing it just now, and then nobody knows what this frame is. */
static bool filter_now(const struct capture *c, struct capture_filter *f)
{
    uint32_t on = __atomic_load_n(&c->on, __ATOMIC_ACQUIRE);
    uint64_t words[ARRAY_LEN(c->filter)];

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        words[i] = __atomic_load_n(&c->filter[i], __ATOMIC_ACQUIRE);
    memcpy(f, words, sizeof(*f));
    return (on & 1) && __atomic_load_n(&c->on, __ATOMIC_RELAXED) == on;
}

struct ends {
    struct ip_addr src, dst;
    uint16_t sport, dport;
    bool ip, tcp;
};

/* Who talks to whom, as far as the first part tells. */
static struct ends ends_of(struct span f)
{
    struct ends e = {.ip = false};
    uint32_t at = ETH_B, hdr = 0;
    uint16_t type = f.len >= ETH_B ? get_u16(f.p + 12) : 0;

    if (type == 0x8100 && f.len >= ETH_B + 4) {
        type = get_u16(f.p + 16);
        at += 4;
    }
    if (type == 0x0800 && f.len >= at + 20) {
        e.src = ip_v4_wire(f.p + at + 12);
        e.dst = ip_v4_wire(f.p + at + 16);
        e.tcp = f.p[at + 9] == 6;
        hdr = (uint32_t)(f.p[at] & 15) * 4;
        e.ip = true;
    } else if (type == 0x86dd && f.len >= at + 40) {
        memcpy(e.src.b, f.p + at + 8, 16);
        memcpy(e.dst.b, f.p + at + 24, 16);
        e.tcp = f.p[at + 6] == 6;
        hdr = 40;
        e.ip = true;
    }
    e.tcp = e.tcp && f.len >= at + hdr + 4;
    if (e.tcp) {
        e.sport = get_u16(f.p + at + hdr);
        e.dport = get_u16(f.p + at + hdr + 2);
    }
    return e;
}

static bool wanted(const struct capture_filter *f, struct span head, uint8_t port)
{
    struct ends e;

    if (f->port >= 0 && f->port != port)
        return false;
    if (!f->by_host && !f->tcp_port)
        return true;
    e = ends_of(head);
    if (f->by_host && !(e.ip && (ip_in(&e.src, &f->host) || ip_in(&e.dst, &f->host))))
        return false;
    return !f->tcp_port || (e.tcp && (e.sport == f->tcp_port || e.dport == f->tcp_port));
}

void capture_frame(struct capture *c, const struct span *parts, uint32_t n, bool out, uint8_t port,
                   uint64_t ts_ns)
{
    uint32_t len = 0, kept, done = 0;
    struct capture_filter f;
    struct capture_head head;
    uint8_t *to;

    if (!filter_now(c, &f) || !wanted(&f, parts[0], port))
        return;
    for (uint32_t i = 0; i < n; i++)
        len += (uint32_t)parts[i].len;
    kept = len < f.snap ? len : f.snap;
    to = (uint8_t *)ring_reserve(&c->ring, 1, (uint32_t)sizeof(head) + kept);
    if (!to)
        return; /* the ring counts it */
    head = (struct capture_head){.ts_ns = ts_ns, .len = len, .port = port, .out = out};
    memcpy(to, &head, sizeof(head));
    for (uint32_t i = 0; i < n && done < kept; i++) {
        uint32_t part = (uint32_t)parts[i].len < kept - done ? (uint32_t)parts[i].len : kept - done;

        memcpy(to + sizeof(head) + done, parts[i].p, part);
        done += part;
    }
    ring_commit(&c->ring, (uint32_t)sizeof(head) + done);
}
