#include "crypto/peer.h"

#include "base/must.h"
#include "crypto/heap.h"
#include "crypto/sig.h"

#include <stdlib.h>

#define CHAIN_BYTES_MAX 32768u
#define CACHED          4u /* verdicts kept per chain */
#define RETRY_S         10 /* a refusal is looked at again after so long */

struct cached {
    uint64_t trust_id;       /* first bytes of it */
    int64_t from_s, until_s; /* when it is good for */
    uint64_t ocsp;           /* the table's version, or what of it counts */
    uint8_t purpose;
    bool used;
    struct verdict v;
};

/* A view's value. */
struct text {
    struct text *next;
    uint64_t key;
    uint32_t len;
    bool there;
    char p[]; /* ends in NUL */
};

struct peer {
    uint8_t id[32];
    uint32_t refs;
    uint32_t hash_next, lru_next, lru_prev; /* index + 1 */
    uint32_t n;         /* certificates that could be read: 0 when the leaf could not */
    bool offered;       /* to other cores, or by one */
    bool whole;         /* all certificates of the chain could be read */
    int64_t asked_s;    /* OCSP: when last */
    uint32_t turn;      /* which cached verdict gives way next */
    struct cert *certs; /* with the DER in one piece of memory: `mem` */
    void *mem;
    struct text *texts; /* made when first asked for */
    uint32_t texts_b;
    struct cached cached[CACHED];
};

struct peers {
    struct peer *entries;
    uint32_t cap, touched, free_head; /* index + 1 */
    uint32_t *heads, mask;
    uint32_t lru_head, lru_tail; /* unused ones, oldest first */
    struct heap *heap;
    struct memo *memo;
    struct peers_stats st;
    struct ocsp_table *ocsp; /* NULL: none */
    peers_ask_fn ask;
    void *ask_ctx;
    char scratch[CERT_VIEW_MAX_B]; /* a view's value in the making */
};

res peers_new(uint32_t entries, size_t bytes, struct memo *memo, struct peers **out)
{
    struct peers *p = (struct peers *)calloc(1, sizeof(*p));
    uint32_t slots = 64;

    if (!p)
        return ERR(NOMEM);
    while (slots < 2 * entries)
        slots *= 2;
    p->mask = slots - 1;
    p->cap = entries;
    p->memo = memo;
    p->entries = (struct peer *)calloc(entries, sizeof(struct peer));
    p->heads = (uint32_t *)calloc(slots, sizeof(uint32_t));
    if (!p->entries || !p->heads || !IS_OK(heap_new(bytes, &p->heap))) {
        peers_free(p);
        return ERR(NOMEM);
    }
    *out = p;
    return OK;
}

void peers_free(struct peers *p)
{
    if (!p)
        return;
    heap_free(p->heap);
    free(p->entries);
    free(p->heads);
    free(p);
}

void peers_stats(const struct peers *p, struct peers_stats *out)
{
    struct heap_stats h;

    heap_stats(p->heap, &h);
    *out = p->st;
    out->bytes = h.used_b;
}

static uint32_t index_of(const struct peers *p, const struct peer *e)
{
    return (uint32_t)(e - p->entries) + 1;
}

static struct peer *at(struct peers *p, uint32_t i)
{
    return i ? &p->entries[i - 1] : NULL;
}

/* --- unused ones, oldest first --- */

static void lru_add(struct peers *p, struct peer *e)
{
    e->lru_next = 0;
    e->lru_prev = p->lru_tail;
    if (p->lru_tail)
        at(p, p->lru_tail)->lru_next = index_of(p, e);
    else
        p->lru_head = index_of(p, e);
    p->lru_tail = index_of(p, e);
}

static void lru_remove(struct peers *p, struct peer *e)
{
    if (e->lru_prev)
        at(p, e->lru_prev)->lru_next = e->lru_next;
    else
        p->lru_head = e->lru_next;
    if (e->lru_next)
        at(p, e->lru_next)->lru_prev = e->lru_prev;
    else
        p->lru_tail = e->lru_prev;
}

/* --- the table --- */

static uint32_t *head_of(struct peers *p, const uint8_t id[32])
{
    uint32_t h;

    memcpy(&h, id, sizeof(h));
    return &p->heads[h & p->mask];
}

static struct peer *look_up(struct peers *p, const uint8_t id[32])
{
    for (struct peer *e = at(p, *head_of(p, id)); e; e = at(p, e->hash_next)) {
        if (memcmp(e->id, id, 32) == 0)
            return e;
    }
    return NULL;
}

static void give_up_texts(struct peers *p, struct peer *e)
{
    while (e->texts) {
        struct text *t = e->texts;

        e->texts = t->next;
        heap_put(p->heap, t);
    }
    e->texts_b = 0;
}

static void destroy(struct peers *p, struct peer *e)
{
    uint32_t *link = head_of(p, e->id);

    while (*link != index_of(p, e))
        link = &at(p, *link)->hash_next;
    *link = e->hash_next;
    lru_remove(p, e);
    give_up_texts(p, e);
    heap_put(p->heap, e->mem);
    memset(e, 0, sizeof(*e));
    e->hash_next = p->free_head;
    p->free_head = index_of(p, e);
    p->st.entries--;
    p->st.evicted++;
}

static struct peer *new_slot(struct peers *p)
{
    struct peer *e;

    if (p->free_head) {
        e = at(p, p->free_head);
        p->free_head = e->hash_next;
        return e;
    }
    return p->touched < p->cap ? &p->entries[p->touched++] : NULL;
}

static bool evict(struct peers *p)
{
    struct peer *e = at(p, p->lru_head);

    if (!e)
        return false;
    destroy(p, e);
    return true;
}

static void chain_id(const struct span *chain, uint32_t n, uint8_t scratch[CHAIN_BYTES_MAX + 64],
                     size_t *len, uint8_t id[32])
{
    size_t at_b = 0;

    for (uint32_t i = 0; i < n; i++) {
        scratch[at_b++] = (uint8_t)(chain[i].len >> 16);
        scratch[at_b++] = (uint8_t)(chain[i].len >> 8);
        scratch[at_b++] = (uint8_t)chain[i].len;
        memcpy(scratch + at_b, chain[i].p, chain[i].len);
        at_b += chain[i].len;
    }
    *len = at_b;
    sha256(span_of(scratch, at_b), id);
}

/* Parsed certificates first, their DER behind them. */
static bool fill(struct peers *p, struct peer *e, const struct span *chain, uint32_t n)
{
    size_t der_b = 0, certs_b = n * sizeof(struct cert);
    uint8_t *der;
    const char *why;

    for (uint32_t i = 0; i < n; i++)
        der_b += chain[i].len;
    e->mem = heap_get(p->heap, certs_b + der_b);
    while (!e->mem && evict(p))
        e->mem = heap_get(p->heap, certs_b + der_b);
    if (!e->mem)
        return false;
    e->certs = (struct cert *)e->mem;
    der = (uint8_t *)e->mem + certs_b;
    e->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(der, chain[i].p, chain[i].len);
        /* What cannot be read helps nobody; but without a leaf there is nothing to judge. */
        if (IS_OK(cert_parse(span_of(der, chain[i].len), &e->certs[e->n], &why)))
            e->n++;
        else if (i == 0)
            break;
        der += chain[i].len;
    }
    e->whole = e->n == n;
    return true;
}

static struct peer *add(struct peers *p, const uint8_t id[32], const struct span *chain, uint32_t n)
{
    struct peer *e = new_slot(p);
    uint32_t *head;

    if (!e && evict(p))
        e = new_slot(p);
    if (!e)
        return NULL;
    memset(e, 0, sizeof(*e));
    if (!fill(p, e, chain, n)) {
        e->hash_next = p->free_head;
        p->free_head = index_of(p, e);
        return NULL;
    }
    memcpy(e->id, id, 32);
    head = head_of(p, id);
    e->hash_next = *head;
    *head = index_of(p, e);
    p->st.entries++;
    return e;
}

struct peer *peer_get(struct peers *p, const struct span *chain, uint32_t n)
{
    uint8_t scratch[CHAIN_BYTES_MAX + 64], id[32];
    size_t total = 0, len;
    struct peer *e;

    for (uint32_t i = 0; i < n && n <= CERT_CHAIN_MAX; i++)
        total += chain[i].len;
    if (n == 0 || n > CERT_CHAIN_MAX || total > CHAIN_BYTES_MAX) {
        p->st.refused++;
        return NULL;
    }
    chain_id(chain, n, scratch, &len, id);
    e = look_up(p, id);
    if (e) {
        p->st.hits++;
        if (e->refs++ == 0)
            lru_remove(p, e);
        return e;
    }
    p->st.misses++;
    e = add(p, id, chain, n);
    if (!e) {
        p->st.refused++;
        return NULL;
    }
    e->refs = 1;
    return e;
}

void peer_ref(struct peer *peer)
{
    peer->refs++;
}

void peer_put(struct peers *p, struct peer *peer)
{
    MUST_HOT(peer->refs > 0);
    if (--peer->refs == 0)
        lru_add(p, peer);
}

struct peer *peer_find(struct peers *p, const uint8_t id[32])
{
    struct peer *e = look_up(p, id);

    if (e && e->refs++ == 0)
        lru_remove(p, e);
    return e;
}

const uint8_t *peer_id(const struct peer *peer)
{
    return peer->id;
}

/* --- between cores: for each certificate three bytes of length and its DER --- */

#define PACKED_HDR_B 3u

uint32_t peer_packed_b(const struct peer *peer)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < peer->n && peer->whole && !peer->offered; i++)
        n += PACKED_HDR_B + (uint32_t)peer->certs[i].der.len;
    return n;
}

void peer_pack(struct peer *peer, uint8_t *to)
{
    for (uint32_t i = 0; i < peer->n; i++) {
        struct span der = peer->certs[i].der;

        *to++ = (uint8_t)(der.len >> 16);
        *to++ = (uint8_t)(der.len >> 8);
        *to++ = (uint8_t)der.len;
        memcpy(to, der.p, der.len);
        to += der.len;
    }
}

void peer_offered(struct peer *peer)
{
    peer->offered = true;
}

void peers_hear(struct peers *p, struct span packed)
{
    struct span chain[CERT_CHAIN_MAX];
    struct peer *peer;
    uint32_t n = 0;

    while (packed.len && n < CERT_CHAIN_MAX) {
        size_t len = (size_t)packed.p[0] << 16 | (size_t)packed.p[1] << 8 | packed.p[2];

        if (!SHOULD(len + PACKED_HDR_B <= packed.len))
            return;
        chain[n++] = span_of(packed.p + PACKED_HDR_B, len);
        packed = span_of(packed.p + PACKED_HDR_B + len, packed.len - PACKED_HDR_B - len);
    }
    peer = peer_get(p, chain, n);
    if (!peer)
        return;
    peer->offered = true;
    peer_put(p, peer);
}

/* --- verdicts --- */

static uint64_t short_id(const struct trust *trust)
{
    uint64_t id = 0;

    if (trust)
        memcpy(&id, trust_id(trust), sizeof(id));
    return id;
}

/* What makes a kept verdict old: any answer when it is not good, else those that take something away. */
struct stamp {
    uint64_t version, worse;
};

static uint64_t stamp_for(const struct stamp *s, const struct verdict *v)
{
    return v->ocsp_want || v->code != VERDICT_OK ? s->version : s->worse;
}

static struct stamp stamp_now(const struct peers *p, const struct trust *trust)
{
    if (!p->ocsp || !trust || trust_ocsp(trust)->check == OCSP_CHECK_OFF)
        return (struct stamp){0, 0};
    return (struct stamp){ocsp_table_version(p->ocsp), ocsp_table_worse(p->ocsp)};
}

static struct cached *find_cached(struct peer *peer, uint64_t id, enum verdict_purpose purpose,
                                  int64_t now_s, const struct stamp *stamp)
{
    for (uint32_t i = 0; i < CACHED; i++) {
        struct cached *c = &peer->cached[i];

        if (c->used && c->trust_id == id && c->purpose == purpose && now_s >= c->from_s &&
            now_s <= c->until_s && c->ocsp == stamp_for(stamp, &c->v))
            return c;
    }
    return NULL;
}

void peers_use_ocsp(struct peers *p, struct ocsp_table *table, peers_ask_fn ask, void *ctx)
{
    p->ocsp = table;
    p->ask = ask;
    p->ask_ctx = ctx;
}

static const struct cert *cert_of(const struct peer *peer, const struct trust *trust, int16_t ref)
{
    const struct trust_entry *e;

    if (ref >= 0)
        return &peer->certs[ref];
    e = trust_entry_at(trust, (uint32_t)(-1 - ref));
    return e ? &e->cert : NULL;
}

static void ask_for(struct peers *p, struct peer *peer, const struct trust *trust,
                    const struct verdict *v, int64_t now_s)
{
    if (!v->ocsp_want || !p->ask || peer->asked_s == now_s)
        return;
    peer->asked_s = now_s;
    for (uint32_t i = 0; i + 1 < v->path_len; i++) {
        const struct cert *cert = cert_of(peer, trust, v->path[i]);
        const struct cert *issuer = cert_of(peer, trust, v->path[i + 1]);

        if (v->ocsp_want & 1u << i && cert && issuer)
            p->ask(p->ask_ctx, trust, cert, issuer);
    }
}

static void judge(struct peers *p, struct peer *peer, const struct trust *trust,
                  enum verdict_purpose purpose, int64_t now_s, bool late, struct verdict *out)
{
    struct verdict_input in = {.chain = peer->certs,
                               .chain_len = peer->n,
                               .trust = trust,
                               .now_s = now_s,
                               .purpose = purpose,
                               .max_depth = -1,
                               .ocsp = p->ocsp,
                               .ocsp_late = late,
                               .memo = p->memo};

    verdict_judge(&in, out);
    if (peer->n == 0)
        out->code = VERDICT_MALFORMED;
    ask_for(p, peer, trust, out, now_s);
}

void peer_verdict(struct peers *p, struct peer *peer, const struct trust *trust,
                  enum verdict_purpose purpose, int64_t now_s, struct verdict *out)
{
    struct stamp stamp = stamp_now(p, trust); /* before the table is looked at */
    uint64_t id = short_id(trust);
    struct cached *c = find_cached(peer, id, purpose, now_s, &stamp);

    if (c && p->memo) {
        *out = c->v;
        ask_for(p, peer, trust, out, now_s);
        return;
    }
    judge(p, peer, trust, purpose, now_s, false, out);
    c = &peer->cached[peer->turn++ % CACHED];
    *c = (struct cached){id,   now_s, now_s + RETRY_S, stamp_for(&stamp, out), (uint8_t)purpose,
                         true, *out};
    if (out->code == VERDICT_OK) {
        c->from_s = out->valid_from_s;
        c->until_s = out->expires_s;
    }
}

void peer_verdict_late(struct peers *p, struct peer *peer, const struct trust *trust,
                       enum verdict_purpose purpose, int64_t now_s, struct verdict *out)
{
    judge(p, peer, trust, purpose, now_s, true, out);
}

const struct cert *peer_leaf(const struct peer *peer)
{
    return peer->n ? &peer->certs[0] : NULL;
}

uint32_t peer_chain(const struct peer *peer, const struct cert **chain)
{
    *chain = peer->certs;
    return peer->n;
}

/* --- views --- */

static struct span span_of_text(const struct text *t)
{
    return t->there ? span_of(t->p, t->len) : SPAN_NONE;
}

static void keep(struct peers *p, struct peer *peer, const struct view *v, const struct sb *text,
                 bool there)
{
    uint32_t size = (uint32_t)(sizeof(struct text) + text->len + 1);
    struct text *t;

    if (peer->texts_b + size > PEER_TEXTS_B || !(t = (struct text *)heap_get(p->heap, size)))
        return;
    *t = (struct text){peer->texts, v->key, (uint32_t)text->len, there};
    memcpy(t->p, text->p, text->len + 1);
    peer->texts = t;
    peer->texts_b += size;
}

struct span peer_view(struct peers *p, struct peer *peer, const struct view *v, int64_t now_s)
{
    struct sb s = sb_of(p->scratch, sizeof(p->scratch));
    bool there;

    for (const struct text *t = peer->texts; t; t = t->next) {
        if (t->key == v->key)
            return span_of_text(t);
    }
    there = cert_view(&s, v, peer->certs, peer->n, now_s);
    if (!cert_view_fleeting(v))
        keep(p, peer, v, &s, there);
    return there ? sb_span(&s) : SPAN_NONE;
}

const char *peer_subject(struct peers *p, struct peer *peer)
{
    struct view v;
    const char *why;
    struct span text;

    if (!view_compile(SPAN_LIT("SSL_CLIENT_S_DN"), &v, &why))
        return "";
    text = peer_view(p, peer, &v, 0);
    return text.p ? (const char *)text.p : "";
}
