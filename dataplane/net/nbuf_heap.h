/**
 * The heap twin of nbuf, for builds without DPDK (SP_HEAP_NBUF). See nbuf.h for what each call does.
 * Each buffer is a malloc of its own, so that ASan finds what a mempool would hide. A pool counts
 * what is out, can be capped and can be told to fail (fault injection).
 */
#ifndef SALLYPORT_NET_NBUF_HEAP_H
#define SALLYPORT_NET_NBUF_HEAP_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct nbuf_pool {
    uint32_t cap;      /* buffers that may be out at once */
    uint32_t out;      /* buffers handed out and not given back; atomic: by other cores too */
    uint32_t fail_nth; /* every n-th get fails; 0 = never */
    uint64_t gets, failed;
};

struct nbuf {
    struct nbuf *next;
    struct nbuf_pool *pool;
    uint32_t refs, off, len;
    enum nbuf_csum rx_csum;
    uint16_t tso_mss;
    bool tx_csum;
    uint8_t tx_l2, tx_l3, tx_l4;
    _Alignas(8) uint8_t meta[NBUF_META_B];
    uint8_t room[NBUF_HEADROOM_B + NBUF_ROOM_B];
};

static inline uint32_t nbuf_pool_out(const struct nbuf_pool *p)
{
    return __atomic_load_n(&p->out, __ATOMIC_RELAXED);
}

static inline struct nbuf *nbuf_get(struct nbuf_pool *p)
{
    struct nbuf *m;

    p->gets++;
    if (nbuf_pool_out(p) >= p->cap || (p->fail_nth && p->gets % p->fail_nth == 0)) {
        p->failed++;
        return NULL;
    }
    m = (struct nbuf *)malloc(sizeof(*m));
    if (!m)
        return NULL;
    m->next = NULL;
    m->pool = p;
    m->refs = 1;
    m->off = NBUF_HEADROOM_B;
    m->len = 0;
    m->rx_csum = NBUF_CSUM_UNKNOWN;
    m->tso_mss = 0;
    m->tx_csum = false;
    __atomic_fetch_add(&p->out, 1, __ATOMIC_RELAXED);
    return m;
}

static inline void nbuf_put(struct nbuf *m)
{
    MUST_HOT(m->refs > 0);
    if (--m->refs)
        return;
    __atomic_fetch_sub(&m->pool->out, 1, __ATOMIC_RELAXED);
    free(m);
}

static inline struct nbuf *nbuf_next(const struct nbuf *m)
{
    return m->next;
}

static inline void nbuf_set_next(struct nbuf *m, struct nbuf *next)
{
    m->next = next;
}

static inline void nbuf_put_chain(struct nbuf *m)
{
    while (m) {
        struct nbuf *next = m->next;

        nbuf_put(m);
        m = next;
    }
}

static inline void nbuf_ref(struct nbuf *m)
{
    m->refs++;
}

static inline bool nbuf_shared(const struct nbuf *m)
{
    return m->refs > 1;
}

/* By the whole object, so that the compiler does not argue about offsets it cannot know. */
static inline uint8_t *nbuf_at(struct nbuf *m, uint32_t off)
{
    return (uint8_t *)m + offsetof(struct nbuf, room) + off;
}

static inline uint8_t *nbuf_data(struct nbuf *m)
{
    return nbuf_at(m, m->off);
}

static inline uint32_t nbuf_len(const struct nbuf *m)
{
    return m->len;
}

static inline uint32_t nbuf_headroom(const struct nbuf *m)
{
    return m->off;
}

static inline uint32_t nbuf_tailroom(const struct nbuf *m)
{
    return (uint32_t)sizeof(m->room) - m->off - m->len;
}

static inline uint8_t *nbuf_push(struct nbuf *m, uint32_t n)
{
    MUST(m->off >= n);
    m->off -= n;
    m->len += n;
    return nbuf_at(m, m->off);
}

static inline uint8_t *nbuf_pull(struct nbuf *m, uint32_t n)
{
    MUST(m->len >= n);
    m->off += n;
    m->len -= n;
    return nbuf_at(m, m->off);
}

static inline uint8_t *nbuf_add(struct nbuf *m, uint32_t n)
{
    MUST(nbuf_tailroom(m) >= n);
    m->len += n;
    return nbuf_at(m, m->off + m->len - n);
}

static inline void nbuf_trim(struct nbuf *m, uint32_t n)
{
    MUST(m->len >= n);
    m->len -= n;
}

static inline void *nbuf_meta(struct nbuf *m)
{
    return m->meta;
}

static inline uint32_t nbuf_truesize(const struct nbuf *m)
{
    return (uint32_t)sizeof(*m);
}

static inline uint32_t nbuf_pool_free(const struct nbuf_pool *p)
{
    return p->cap - nbuf_pool_out(p);
}

static inline enum nbuf_csum nbuf_rx_csum(const struct nbuf *m)
{
    return m->rx_csum;
}

static inline void nbuf_rx_csum_unknown(struct nbuf *m)
{
    m->rx_csum = NBUF_CSUM_UNKNOWN;
}

static inline void nbuf_tx_csum(struct nbuf *m, bool v4, uint8_t l2, uint8_t l3, uint8_t l4)
{
    (void)v4;
    m->tx_csum = true;
    m->tx_l2 = l2;
    m->tx_l3 = l3;
    m->tx_l4 = l4;
}

static inline void nbuf_tx_plain(struct nbuf *m)
{
    m->next = NULL;
    m->tx_csum = false;
    m->tso_mss = 0;
}

static inline void nbuf_tx_tso(struct nbuf *m, uint16_t mss)
{
    m->tso_mss = mss;
}

#endif
