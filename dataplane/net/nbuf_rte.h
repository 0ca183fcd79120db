/**
 * nbuf as a DPDK mbuf: every call is one or two instructions. See nbuf.h for what each call does.
 * The mbuf's private area (priv_size) is the NBUF_META_B bytes of nbuf_meta().
 */
#ifndef SALLYPORT_NET_NBUF_RTE_H
#define SALLYPORT_NET_NBUF_RTE_H

#include <rte_mbuf.h>
#include <rte_ring.h>

struct nbuf;
struct nbuf_pool;

static inline struct rte_mbuf *nbuf_mbuf(const struct nbuf *m)
{
    return (struct rte_mbuf *)(uintptr_t)m;
}

static inline struct nbuf *nbuf_of(struct rte_mbuf *m)
{
    return (struct nbuf *)m;
}

static inline struct rte_mempool *nbuf_mempool(const struct nbuf_pool *p)
{
    return (struct rte_mempool *)(uintptr_t)p;
}

static inline struct nbuf *nbuf_get(struct nbuf_pool *p)
{
    return nbuf_of(rte_pktmbuf_alloc(nbuf_mempool(p)));
}

static inline void nbuf_put(struct nbuf *m)
{
    rte_pktmbuf_free_seg(nbuf_mbuf(m));
}

static inline struct nbuf *nbuf_next(const struct nbuf *m)
{
    return nbuf_of(nbuf_mbuf(m)->next);
}

static inline void nbuf_set_next(struct nbuf *m, struct nbuf *next)
{
    nbuf_mbuf(m)->next = nbuf_mbuf(next);
}

static inline void nbuf_put_chain(struct nbuf *m)
{
    while (m) {
        struct nbuf *next = nbuf_next(m);

        nbuf_put(m);
        m = next;
    }
}

/* A chain has to say so: the engine links buffers, devices want counts. */
static inline struct rte_mbuf *nbuf_packet(struct nbuf *m)
{
    struct rte_mbuf *head = nbuf_mbuf(m);
    uint32_t len = 0;
    uint16_t segs = 0;

    if (!head->next)
        return head;
    for (struct rte_mbuf *i = head; i; i = i->next) {
        len += i->data_len;
        segs++;
    }
    head->pkt_len = len;
    head->nb_segs = segs;
    return head;
}

static inline void nbuf_ref(struct nbuf *m)
{
    rte_mbuf_refcnt_update(nbuf_mbuf(m), 1);
}

static inline bool nbuf_shared(const struct nbuf *m)
{
    return rte_mbuf_refcnt_read(nbuf_mbuf(m)) > 1;
}

static inline uint8_t *nbuf_data(struct nbuf *m)
{
    return rte_pktmbuf_mtod(nbuf_mbuf(m), uint8_t *);
}

static inline uint32_t nbuf_len(const struct nbuf *m)
{
    return nbuf_mbuf(m)->data_len;
}

static inline uint32_t nbuf_headroom(const struct nbuf *m)
{
    return nbuf_mbuf(m)->data_off;
}

static inline uint32_t nbuf_tailroom(const struct nbuf *m)
{
    const struct rte_mbuf *b = nbuf_mbuf(m);

    return (uint32_t)b->buf_len - b->data_off - b->data_len;
}

static inline uint8_t *nbuf_push(struct nbuf *m, uint32_t n)
{
    struct rte_mbuf *b = nbuf_mbuf(m);

    MUST_HOT(b->data_off >= n);
    b->data_off = (uint16_t)(b->data_off - n);
    b->data_len = (uint16_t)(b->data_len + n);
    b->pkt_len += n;
    return nbuf_data(m);
}

static inline uint8_t *nbuf_pull(struct nbuf *m, uint32_t n)
{
    struct rte_mbuf *b = nbuf_mbuf(m);

    MUST_HOT(b->data_len >= n);
    b->data_off = (uint16_t)(b->data_off + n);
    b->data_len = (uint16_t)(b->data_len - n);
    b->pkt_len -= n;
    return nbuf_data(m);
}

static inline uint8_t *nbuf_add(struct nbuf *m, uint32_t n)
{
    struct rte_mbuf *b = nbuf_mbuf(m);
    uint8_t *at = nbuf_data(m) + b->data_len;

    MUST_HOT(nbuf_tailroom(m) >= n);
    b->data_len = (uint16_t)(b->data_len + n);
    b->pkt_len += n;
    return at;
}

static inline void nbuf_trim(struct nbuf *m, uint32_t n)
{
    struct rte_mbuf *b = nbuf_mbuf(m);

    MUST_HOT(b->data_len >= n);
    b->data_len = (uint16_t)(b->data_len - n);
    b->pkt_len -= n;
}

static inline void *nbuf_meta(struct nbuf *m)
{
    return rte_mbuf_to_priv(nbuf_mbuf(m));
}

static inline uint32_t nbuf_truesize(const struct nbuf *m)
{
    return (uint32_t)(sizeof(struct rte_mbuf) + NBUF_META_B) + nbuf_mbuf(m)->buf_len;
}

/* Pools are made with these, so that what they hold can be asked for. */
#define NBUF_POOL_OPS "ring_mp_mc"

static inline uint32_t nbuf_pool_free(const struct nbuf_pool *p)
{
    /* Without what sits in the per-lcore caches: asking those means a walk over all lcores. */
    return rte_ring_count((const struct rte_ring *)nbuf_mempool(p)->pool_data);
}

static inline enum nbuf_csum nbuf_rx_csum(const struct nbuf *m)
{
    switch (nbuf_mbuf(m)->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
    case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
    case RTE_MBUF_F_RX_L4_CKSUM_NONE: /* data is intact, the field was never filled in */
        return NBUF_CSUM_GOOD;
    case RTE_MBUF_F_RX_L4_CKSUM_BAD:
        return NBUF_CSUM_BAD;
    default:
        return NBUF_CSUM_UNKNOWN;
    }
}

static inline void nbuf_rx_csum_unknown(struct nbuf *m)
{
    nbuf_mbuf(m)->ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
}

static inline void nbuf_tx_csum(struct nbuf *m, bool v4, uint8_t l2, uint8_t l3, uint8_t l4)
{
    struct rte_mbuf *b = nbuf_mbuf(m);

    b->l2_len = l2;
    b->l3_len = l3;
    b->l4_len = l4;
    b->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM |
                   (v4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6);
}

static inline void nbuf_tx_plain(struct nbuf *m)
{
    struct rte_mbuf *b = nbuf_mbuf(m);

    b->next = NULL;
    b->nb_segs = 1;
    b->pkt_len = b->data_len;
    b->ol_flags = 0;
    b->tx_offload = 0;
}

static inline void nbuf_tx_tso(struct nbuf *m, uint16_t mss)
{
    struct rte_mbuf *b = nbuf_mbuf(m);

    b->tso_segsz = mss;
    b->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
}

#endif
