/**
 * nbuf: one packet buffer. In the product it is a DPDK mbuf (nbuf_rte.h); simulations, fuzzers and
 * unit tests use a twin on the heap (nbuf_heap.h), where ASan sees every use after free.
 *
 * A buffer has headroom in front of its data, tailroom behind it, a reference count, a `next` for
 * whoever owns it, and NBUF_META_B bytes of private room that belong to whoever queued it (TCP keeps
 * its bookkeeping of a segment in flight there). The headroom of a fresh buffer takes every header
 * we write: Ethernet + VLAN + IPv6 + TCP with options = 118 bytes.
 *
 * While nbuf_shared(), data, length and next may not be changed: somebody else (the NIC) still reads.
 * All calls are for one core; a pool belongs to one core, but a buffer that was handed over is put by
 * whoever has it. Bound: all O(1).
 *
 *   struct nbuf *nbuf_get(struct nbuf_pool *);         empty, refcount 1; NULL when the pool is out
 *   void     nbuf_put(struct nbuf *);                  drop one reference of this one buffer
 *   void     nbuf_put_chain(struct nbuf *);            of all buffers linked by next
 *   void     nbuf_ref(struct nbuf *);                  one more reference
 *   bool     nbuf_shared(const struct nbuf *);         refcount > 1
 *   uint8_t *nbuf_data(struct nbuf *);  uint32_t nbuf_len(const struct nbuf *);
 *   uint32_t nbuf_headroom / nbuf_tailroom(const struct nbuf *);
 *   uint8_t *nbuf_push(struct nbuf *, n);              n more bytes in front, returns the new start
 *   uint8_t *nbuf_pull(struct nbuf *, n);              n bytes less in front, returns the new start
 *   uint8_t *nbuf_add(struct nbuf *, n);               n more bytes at the end, returns their start
 *   void     nbuf_trim(struct nbuf *, n);              n bytes less at the end
 *   struct nbuf *nbuf_next(m);  void nbuf_set_next(m, next);
 *   void    *nbuf_meta(struct nbuf *);                 NBUF_META_B bytes, 8-byte aligned
 *   uint32_t nbuf_truesize(const struct nbuf *);       memory the buffer really takes
 *   uint32_t nbuf_pool_free(const struct nbuf_pool *); buffers left, for pressure decisions
 *   enum nbuf_csum nbuf_rx_csum(const struct nbuf *);  what the device said of the TCP checksum
 *   void     nbuf_rx_csum_unknown(struct nbuf *);      it is to be verified in software
 *   void     nbuf_tx_csum(m, v4, l2, l3, l4);          the device is to write the TCP checksum
 *   void     nbuf_tx_tso(m, mss);                      the device is to cut the payload (with tx_csum)
 *   void     nbuf_tx_plain(m);                         alone again, and the device is to do nothing: before
 *                                                      a buffer that was sent is sent once more
 *
 * On receive a packet may be a chain; nbuf_next() walks it.
 */
#ifndef SALLYPORT_NET_NBUF_H
#define SALLYPORT_NET_NBUF_H

#include "base/must.h"
#include "base/res.h"

#define NBUF_META_B     64u
#define NBUF_HEADROOM_B 128u
#define NBUF_ROOM_B     2048u /* data room behind the headroom */

enum nbuf_csum {
    NBUF_CSUM_UNKNOWN, /* verify in software */
    NBUF_CSUM_GOOD,    /* verified, or data integrity known and the field not filled in */
    NBUF_CSUM_BAD,     /* the device says bad: verified once more in software */
};

#ifdef SP_HEAP_NBUF
#include "net/nbuf_heap.h"
#else
#include "net/nbuf_rte.h"
#endif

#endif
