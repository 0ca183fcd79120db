#include "net/reasm.h"

#include "base/bytes.h"
#include "net/l3.h"

#include <stdlib.h>

#define NONE    UINT16_MAX
#define BUCKETS 1024u
#define SOURCES 256u
#define HEAD_B  256u /* IP's and TCP's headers with all that may be in them */
#define ECN_CE  3u

/* A fragment, in its first buffer's private room. */
struct frag {
    struct nbuf *next; /* of the packet, by offset */
    uint16_t from, to; /* of the payload */
    uint8_t hdr_b, nh_at;
};

_Static_assert(sizeof(struct frag) <= NBUF_META_B, "a fragment's notes fit into its buffer");

/* What the fragments of one packet have in common. */
struct key {
    struct ip_addr src, dst;
    uint32_t id, v6;
};

struct packet {
    struct key key;
    struct nbuf *frags;
    uint64_t arrived_ns; /* the first to come */
    uint32_t have_b;
    uint32_t end_b; /* 0: the last one is not there yet */
    uint32_t top;   /* the highest end seen */
    uint16_t next;  /* in its bucket, or of the free ones */
    uint16_t bucket, source;
    struct {
        uint16_t older, newer;
    } by[2]; /* BY_FAMILY, BY_SOURCE */
    uint16_t bufs, frag_count;
    uint8_t ecn;  /* a bit for each code point seen */
    bool refused; /* only remembered, so that the rest is dropped too */
};

enum { BY_FAMILY, BY_SOURCE };

/* Packets in the order of their arrival. */
struct queue {
    uint16_t oldest, newest, count;
};

struct reasm {
    struct reasm_env env;
    struct packet packets[REASM_PACKETS];
    uint16_t buckets[BUCKETS];
    uint16_t free;
    struct queue families[2];      /* IPv4, IPv6: their times differ */
    struct queue sources[SOURCES]; /* by a hash */
    uint32_t bufs;
};

static void count(struct reasm *r, enum l3_counter c)
{
    ctr_add(&r->env.ctr[c], 1);
}

static struct frag *frag_of(struct nbuf *m)
{
    return (struct frag *)nbuf_meta(m);
}

static struct nbuf *last_buf(struct nbuf *m)
{
    while (nbuf_next(m))
        m = nbuf_next(m);
    return m;
}

/* --- packets --- */

static uint16_t index_of(const struct reasm *r, const struct packet *p)
{
    return (uint16_t)(p - r->packets);
}

static void drop_fragments(struct reasm *r, struct packet *p)
{
    for (struct nbuf *m = p->frags, *next; m; m = next) {
        next = frag_of(m)->next;
        nbuf_put_chain(m);
    }
    r->bufs -= p->bufs;
    p->frags = NULL;
    p->bufs = 0;
}

static void take_from_bucket(struct reasm *r, const struct packet *p)
{
    uint16_t *at = &r->buckets[p->bucket];

    while (*at != index_of(r, p))
        at = &r->packets[*at].next;
    *at = p->next;
}

static struct queue *queue_of(struct reasm *r, const struct packet *p, int by)
{
    return by == BY_FAMILY ? &r->families[p->key.v6] : &r->sources[p->source];
}

static void enqueue(struct reasm *r, struct packet *p, int by)
{
    struct queue *q = queue_of(r, p, by);
    uint16_t i = index_of(r, p);

    p->by[by].older = q->newest;
    p->by[by].newer = NONE;
    *(q->newest == NONE ? &q->oldest : &r->packets[q->newest].by[by].newer) = i;
    q->newest = i;
    q->count++;
}

static void dequeue(struct reasm *r, const struct packet *p, int by)
{
    struct queue *q = queue_of(r, p, by);
    uint16_t older = p->by[by].older, newer = p->by[by].newer;

    *(older == NONE ? &q->oldest : &r->packets[older].by[by].newer) = newer;
    *(newer == NONE ? &q->newest : &r->packets[newer].by[by].older) = older;
    q->count--;
}

static void release(struct reasm *r, struct packet *p)
{
    drop_fragments(r, p);
    take_from_bucket(r, p);
    dequeue(r, p, BY_FAMILY);
    dequeue(r, p, BY_SOURCE);
    p->next = r->free;
    r->free = index_of(r, p);
}

/* Nothing of it is kept, and what still comes is dropped. */
static void refuse(struct reasm *r, struct packet *p)
{
    drop_fragments(r, p);
    p->refused = true;
    count(r, NET_CTR_REASM_FAILS);
}

/* At a bound. */
static void give_up(struct reasm *r, struct packet *p)
{
    if (!p->refused) {
        count(r, NET_CTR_REASM_FAILS);
        count(r, NET_CTR_REASM_FULL);
        bound_hit(r->env.log, BOUND_REASSEMBLY, &p->key.src);
    }
    release(r, p);
}

static struct packet *oldest(struct reasm *r)
{
    uint16_t a = r->families[0].oldest, b = r->families[1].oldest;

    if (a == NONE || b == NONE)
        return a != NONE ? &r->packets[a] : b != NONE ? &r->packets[b] : NULL;
    return &r->packets[r->packets[a].arrived_ns <= r->packets[b].arrived_ns ? a : b];
}

static uint16_t source_of(const struct reasm *r, const struct key *k)
{
    return siphash13(&r->env.key, k->src.b, k->v6 ? 8 : 16) % SOURCES;
}

/* The oldest of a source that has its share, or NULL. */
static struct packet *over_share(struct reasm *r, uint16_t source)
{
    const struct queue *q = &r->sources[source];

    return q->count >= REASM_PER_SOURCE ? &r->packets[q->oldest] : NULL;
}

static uint16_t bucket_of(const struct reasm *r, const struct key *k)
{
    return siphash13(&r->env.key, k, sizeof(*k)) % BUCKETS;
}

static struct packet *find(struct reasm *r, const struct key *k)
{
    for (uint16_t i = r->buckets[bucket_of(r, k)]; i != NONE; i = r->packets[i].next) {
        if (memcmp(&r->packets[i].key, k, sizeof(*k)) == 0)
            return &r->packets[i];
    }
    return NULL;
}

static struct packet *begin(struct reasm *r, const struct key *k, uint64_t now_ns)
{
    uint16_t source = source_of(r, k);
    struct packet *p = over_share(r, source);

    if (!p && r->free == NONE)
        p = oldest(r);
    if (p)
        give_up(r, p);
    p = &r->packets[r->free];
    r->free = p->next;
    memset(p, 0, sizeof(*p));
    p->key = *k;
    p->arrived_ns = now_ns;
    p->source = source;
    p->bucket = bucket_of(r, k);
    p->next = r->buckets[p->bucket];
    r->buckets[p->bucket] = index_of(r, p);
    enqueue(r, p, BY_FAMILY);
    enqueue(r, p, BY_SOURCE);
    return p;
}

/* --- fragments --- */

enum placed { PLACED, COPY, WRONG };

/* Does its end agree with what is known of the packet's? */
static bool end_agrees(const struct packet *p, const struct frag *f, bool more)
{
    if (more)
        return !p->end_b || f->to < p->end_b;
    return p->end_b ? f->to == p->end_b : f->to >= p->top;
}

static enum placed place(struct packet *p, struct nbuf *m, bool more)
{
    struct frag *f = frag_of(m);
    struct nbuf **at = &p->frags;
    uint32_t before = 0; /* where the one in front ends */

    if (!end_agrees(p, f, more))
        return WRONG;
    for (; *at && frag_of(*at)->from < f->from; at = &frag_of(*at)->next)
        before = frag_of(*at)->to;
    if (*at && frag_of(*at)->from == f->from && frag_of(*at)->to == f->to)
        return COPY; /* the first one counts (RFC 8200 4.5: may be ignored) */
    if (before > f->from || (*at && frag_of(*at)->from < f->to))
        return WRONG; /* MUST, RFC 5722 4: the whole packet goes */
    f->next = *at;
    *at = m;
    p->have_b += f->to - f->from;
    if (f->to > p->top)
        p->top = f->to;
    if (!more)
        p->end_b = f->to;
    return PLACED;
}

/* --- whole packets --- */

/**
 * RFC 3168 5.3: a mark of one fragment is a mark of the packet, but where others say that it could not have
 * been marked. False: such a mixture.
 */
static bool ecn_of(uint8_t seen, uint8_t *ecn)
{
    if (seen & 1u << ECN_CE) {
        *ecn = ECN_CE;
        return !(seen & 1);
    }
    *ecn = seen & 1 ? 0 : seen & 1u << 2 ? 2 : 1;
    return true;
}

static void write_v4(uint8_t *p, uint8_t hdr_b, uint32_t payload, uint8_t ecn)
{
    p[1] = (uint8_t)((p[1] & ~3u) | ecn);
    put_u16(p + 2, (uint16_t)(hdr_b + payload));
    put_u16(p + 6, 0);
    put_u16(p + 10, 0);
    put_u16(p + 10, (uint16_t)~wire_sum(span_of(p, hdr_b), 0));
}

/* The headers in front of the fragment header move over it. */
static void write_v6(struct nbuf *m, const struct frag *f, uint32_t payload, uint8_t ecn)
{
    uint8_t *p = nbuf_data(m);
    uint8_t keep = (uint8_t)(f->hdr_b - IP6_FRAG_B);

    p[f->nh_at] = p[keep];
    memmove(p + IP6_FRAG_B, p, keep);
    p = nbuf_pull(m, IP6_FRAG_B);
    p[1] = (uint8_t)((p[1] & ~0x30u) | (uint32_t)ecn << 4);
    put_u16(p + 4, (uint16_t)(keep - IP6_HDR_B + payload));
}

/* Who reads headers looks for them in the first buffer. */
static void pull_up(struct nbuf *m, uint32_t want)
{
    struct nbuf *next;

    while (nbuf_len(m) < want && (next = nbuf_next(m))) {
        uint32_t n = want - nbuf_len(m);

        n = n < nbuf_len(next) ? n : nbuf_len(next);
        if (n > nbuf_tailroom(m))
            return; /* not of our pools: it will be judged as it is */
        memcpy(nbuf_add(m, n), nbuf_data(next), n);
        nbuf_pull(next, n);
        if (nbuf_len(next))
            return;
        nbuf_set_next(m, nbuf_next(next));
        nbuf_put(next);
    }
}

static struct nbuf *whole(struct reasm *r, struct packet *p)
{
    struct nbuf *head = p->frags;
    const struct frag f = *frag_of(head);
    uint32_t payload = p->end_b;
    uint8_t ecn;

    if (!ecn_of(p->ecn, &ecn) || f.hdr_b + payload > UINT16_MAX) {
        refuse(r, p);
        return NULL;
    }
    for (struct nbuf *m = head, *next; m; m = next) {
        next = frag_of(m)->next;
        nbuf_set_next(last_buf(m), next);
    }
    p->frags = NULL;
    release(r, p);
    nbuf_rx_csum_unknown(head); /* what the device said was of one fragment */
    nbuf_push(head, f.hdr_b);
    if (p->key.v6)
        write_v6(head, &f, payload, ecn);
    else
        write_v4(nbuf_data(head), f.hdr_b, payload, ecn);
    pull_up(head, HEAD_B);
    count(r, NET_CTR_REASM_OKS);
    return head;
}

/* --- in --- */

static bool sane(const struct ip_hdr *h)
{
    uint32_t len = (uint32_t)h->total - h->hdr_b;

    return len > 0 && (!h->frag_more || len % 8 == 0) &&
           (uint32_t)h->frag_off + len + h->hdr_b <= UINT16_MAX;
}

static struct key key_of(const struct ip_hdr *h)
{
    struct key k;

    k.src = h->src;
    k.dst = h->dst;
    k.id = h->frag_id;
    k.v6 = !ip_is_v4(&h->dst);
    return k;
}

static uint32_t bufs_of(const struct nbuf *m)
{
    uint32_t n = 0;

    for (; m; m = nbuf_next(m))
        n++;
    return n;
}

static struct nbuf *drop(struct reasm *r, struct nbuf *m, enum l3_counter why)
{
    count(r, why);
    nbuf_put_chain(m);
    return NULL;
}

struct nbuf *reasm_add(struct reasm *r, struct nbuf *m, const struct ip_hdr *h, uint64_t now_ns)
{
    struct key k = key_of(h);
    uint32_t bufs = bufs_of(m);
    struct packet *p;

    count(r, NET_CTR_REASM_REQDS);
    if (!sane(h) || bufs > REASM_FRAGMENTS || bufs > r->env.bufs_max)
        return drop(r, m, NET_CTR_IP_BAD);
    for (p = oldest(r); p && r->bufs + bufs > r->env.bufs_max; p = oldest(r))
        give_up(r, p);
    p = find(r, &k);
    if (!p)
        p = begin(r, &k, now_ns);
    if (p->refused)
        return drop(r, m, NET_CTR_IP_FRAGMENT);
    nbuf_pull(m, h->hdr_b);
    *frag_of(m) = (struct frag){NULL, h->frag_off, (uint16_t)(h->frag_off + h->total - h->hdr_b),
                                h->hdr_b, h->nh_at};
    switch (place(p, m, h->frag_more)) {
    case PLACED:
        break;
    case COPY:
        return drop(r, m, NET_CTR_IP_FRAGMENT);
    case WRONG:
        count(r, NET_CTR_REASM_OVERLAPS);
        refuse(r, p);
        return drop(r, m, NET_CTR_IP_FRAGMENT);
    }
    p->bufs = (uint16_t)(p->bufs + bufs);
    r->bufs += bufs;
    p->ecn |= (uint8_t)(1u << h->ecn);
    if (p->end_b && p->have_b == p->end_b)
        return whole(r, p);
    if (++p->frag_count == REASM_FRAGMENTS)
        refuse(r, p);
    return NULL;
}

/* --- time, life --- */

static const uint64_t lives_ns[2] = {REASM_V4_NS, REASM_V6_NS};

void reasm_timers(struct reasm *r, uint64_t now_ns)
{
    for (uint32_t v6 = 0; v6 < 2; v6++) {
        while (r->families[v6].oldest != NONE) {
            struct packet *p = &r->packets[r->families[v6].oldest];

            if (now_ns < p->arrived_ns + lives_ns[v6])
                break;
            if (!p->refused) {
                count(r, NET_CTR_REASM_TIMEOUT);
                count(r, NET_CTR_REASM_FAILS);
            }
            /* No ICMP time exceeded (RFC 8200: should): sources are unproven, and nobody would act on it. */
            release(r, p);
        }
    }
}

uint64_t reasm_next_deadline(const struct reasm *r)
{
    uint64_t at = UINT64_MAX;

    for (uint32_t v6 = 0; v6 < 2; v6++) {
        uint16_t i = r->families[v6].oldest;

        if (i != NONE && r->packets[i].arrived_ns + lives_ns[v6] < at)
            at = r->packets[i].arrived_ns + lives_ns[v6];
    }
    return at;
}

res reasm_new(const struct reasm_env *env, struct reasm **out)
{
    struct reasm *r = (struct reasm *)calloc(1, sizeof(*r));

    if (!r)
        return ERR(NOMEM);
    r->env = *env;
    memset(r->buckets, 0xff, sizeof(r->buckets));
    for (uint32_t i = 0; i < 2; i++)
        r->families[i] = (struct queue){NONE, NONE, 0};
    for (uint32_t i = 0; i < SOURCES; i++)
        r->sources[i] = (struct queue){NONE, NONE, 0};
    for (uint32_t i = 0; i < REASM_PACKETS; i++)
        r->packets[i].next = (uint16_t)(i + 1 < REASM_PACKETS ? i + 1 : NONE);
    *out = r;
    return OK;
}

void reasm_free(struct reasm *r)
{
    if (!r)
        return;
    for (struct packet *p; (p = oldest(r));)
        release(r, p);
    free(r);
}
