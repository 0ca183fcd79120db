#include "crypto/crl_internal.h"

#include "base/siphash.h"
#include "crypto/sig.h"

#include <stdlib.h>
#include <sys/random.h>

#define PER_BUCKET     16u
#define FILTER_BITS    13u /* per serial: of the others about one in 250 passes */
#define FILTER_PROBES  5u
#define LINE_BITS      512u /* of a cache line */
#define REASON_REMOVED 8u   /* removeFromCRL, in deltas (RFC 5280 5.3.1) */

struct crl {
    struct span issuer, point, number, base_number; /* in `text` */
    uint8_t *text;
    uint8_t signer_key[32]; /* SHA-256 of its SubjectPublicKeyInfo */
    int64_t this_s, next_s;
    bool is_delta, users_only, cas_only;
    struct sip_key key;
    uint32_t count, buckets;
    uint32_t lines;
    uint64_t *filter; /* says of almost all serials that are not here that they are not */
    uint32_t *starts; /* buckets + 1: where each one's entries begin */
    struct crl_entry *entries;
    uint8_t id[32];
    uint32_t refs; /* control side */
};

static uint64_t hash_of(const struct crl *c, const uint8_t *serial, size_t len)
{
    return siphash13(&c->key, serial, len);
}

static uint32_t bucket_of(const struct crl *c, uint64_t hash)
{
    return (uint32_t)(((hash >> 32) * c->buckets) >> 32);
}

/* A Bloom filter in one cache line: one miss at most, and small enough to stay in a cache that the list does not fit. */
static uint64_t *line_of(const struct crl *c, uint64_t hash)
{
    return &c->filter[(((hash >> 32) * c->lines) >> 32) * (LINE_BITS / 64)];
}

static uint32_t probe(uint64_t hash, uint32_t k)
{
    return (uint32_t)(hash >> 9 * k) % LINE_BITS;
}

static void mark(uint64_t *line, uint64_t hash)
{
    for (uint32_t k = 0; k < FILTER_PROBES; k++)
        line[probe(hash, k) / 64] |= 1ULL << probe(hash, k) % 64;
}

static bool marked(const uint64_t *line, uint64_t hash)
{
    uint64_t all = 1;

    for (uint32_t k = 0; k < FILTER_PROBES; k++)
        all &= line[probe(hash, k) / 64] >> probe(hash, k) % 64;
    return all;
}

/* Serials longer than any that a certificate can have here are counted, not kept. */
static bool fill(struct crl *c, struct span entries)
{
    struct span rest = entries;
    struct crl_entry e;
    uint32_t n = 0;

    while (crl_next_entry(&rest, &e))
        n += e.len <= CRL_SERIAL_MAX_B;
    c->buckets = n / PER_BUCKET + 1;
    c->lines = (uint32_t)((uint64_t)n * FILTER_BITS / LINE_BITS) + 1;
    c->filter = (uint64_t *)aligned_alloc(LINE_BITS / 8, (size_t)c->lines * (LINE_BITS / 8));
    c->starts = (uint32_t *)calloc(c->buckets + 2, sizeof(uint32_t));
    c->entries = (struct crl_entry *)malloc((n ? n : 1) * sizeof(struct crl_entry));
    if (!c->filter || !c->starts || !c->entries)
        return false;
    memset(c->filter, 0, (size_t)c->lines * (LINE_BITS / 8));
    for (rest = entries; crl_next_entry(&rest, &e);) {
        if (e.len <= CRL_SERIAL_MAX_B) {
            uint64_t hash = hash_of(c, e.serial, e.len);

            c->starts[bucket_of(c, hash) + 2]++;
            mark(line_of(c, hash), hash);
        }
    }
    for (uint32_t b = 1; b <= c->buckets + 1; b++)
        c->starts[b] += c->starts[b - 1];
    /* starts[b + 1] is where the next entry of b goes; when all are in, it is where b + 1 begins. */
    for (rest = entries; crl_next_entry(&rest, &e);) {
        if (e.len <= CRL_SERIAL_MAX_B)
            c->entries[c->starts[bucket_of(c, hash_of(c, e.serial, e.len)) + 1]++] = e;
    }
    c->count = n;
    return true;
}

static struct span keep(uint8_t **at, struct span s)
{
    struct span kept = span_of(*at, s.len);

    if (s.len)
        memcpy(*at, s.p, s.len);
    *at += s.len;
    return kept;
}

res crl_new(const struct crl_view *v, const struct cert *signer, struct crl **out)
{
    struct crl *c = (struct crl *)calloc(1, sizeof(*c));
    size_t text_b = v->issuer.len + v->point.len + v->number.len + v->base_number.len;
    uint8_t *at;

    if (!c)
        return ERR(NOMEM);
    c->text = at = (uint8_t *)malloc(text_b);
    c->refs = 1;
    if (!at || getrandom(&c->key, sizeof(c->key), 0) != sizeof(c->key) || !fill(c, v->entries)) {
        crl_unref(c);
        return ERR(NOMEM);
    }
    c->issuer = keep(&at, v->issuer);
    c->point = keep(&at, v->point);
    c->number = keep(&at, v->number);
    c->base_number = keep(&at, v->base_number);
    sha256(signer->spki, c->signer_key);
    sha256(v->tbs, c->id);
    c->this_s = v->this_s;
    c->next_s = v->next_s;
    c->is_delta = v->delta;
    c->users_only = v->users_only;
    c->cas_only = v->cas_only;
    *out = c;
    return OK;
}

struct crl *crl_ref(struct crl *c)
{
    c->refs++;
    return c;
}

void crl_unref(struct crl *c)
{
    if (!c || --c->refs)
        return;
    free(c->text);
    free(c->filter);
    free(c->starts);
    free(c->entries);
    free(c);
}

/* CRL numbers without leading zeros. */
static int number_cmp(struct span a, struct span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len ? memcmp(a.p, b.p, a.len) : 0;
}

bool crl_signed_by(const struct crl *c, const struct cert *ca)
{
    uint8_t key[32];

    if (!cert_name_eq(c->issuer, ca->subject))
        return false;
    sha256(ca->spki, key);
    return memcmp(key, c->signer_key, 32) == 0;
}

static bool same_source(const struct crl *a, const struct crl *b)
{
    return cert_name_eq(a->issuer, b->issuer) && memcmp(a->signer_key, b->signer_key, 32) == 0 &&
           span_eq(a->point, b->point) && a->users_only == b->users_only &&
           a->cas_only == b->cas_only;
}

bool crl_same_scope(const struct crl *a, const struct crl *b)
{
    return a->is_delta == b->is_delta && same_source(a, b);
}

bool crl_older(const struct crl *a, const struct crl *b)
{
    if (a->number.len && b->number.len && number_cmp(a->number, b->number) < 0)
        return true;
    return a->this_s < b->this_s;
}

bool crl_delta_fits(const struct crl *base, const struct crl *delta)
{
    return !base->is_delta && delta->is_delta && same_source(base, delta) &&
           number_cmp(base->number, delta->base_number) >= 0 &&
           number_cmp(base->number, delta->number) <= 0;
}

const uint8_t *crl_id(const struct crl *c)
{
    return c->id;
}

bool crl_is_delta(const struct crl *c)
{
    return c->is_delta;
}

uint32_t crl_count(const struct crl *c)
{
    return c->count;
}

uint64_t crl_bytes(const struct crl *c)
{
    return sizeof(*c) + (uint64_t)c->count * sizeof(struct crl_entry) +
           (c->buckets + 2) * sizeof(uint32_t) + (uint64_t)c->lines * (LINE_BITS / 8);
}

struct span crl_issuer(const struct crl *c)
{
    return c->issuer;
}

int64_t crl_next_s(const struct crl *c)
{
    return c->next_s ? c->next_s : INT64_MAX;
}

int64_t crl_this_s(const struct crl *c)
{
    return c->this_s;
}

/* --- asking --- */

/* As the list has them: without zeros in front. */
static struct span plain(struct span serial)
{
    while (serial.len > 1 && serial.p[0] == 0)
        serial = span_from(serial, 1);
    return serial;
}

/* The filter of a large list is in no cache near: its line is on its way while the signer's key is looked at. */
static void fetch_ahead(const struct crl *c, struct span serial)
{
    serial = plain(serial);
    if (serial.len <= CRL_SERIAL_MAX_B)
        __builtin_prefetch(line_of(c, hash_of(c, serial.p, serial.len)));
}

bool crl_covers(const struct crl *c, const struct cert *issuer, const struct cert *cert)
{
    uint8_t key[32];

    if (!cert_name_eq(c->issuer, cert->issuer) || (c->users_only && cert->is_ca) ||
        (c->cas_only && !cert->is_ca))
        return false;
    /* A list for one distribution point is for certificates that name it (RFC 5280 6.3.3 (b)(2)). */
    if (c->point.len && !crl_point_named(cert->crl_dp, c->point))
        return false;
    fetch_ahead(c, cert->serial);
    sha256(issuer->spki, key);
    return memcmp(key, c->signer_key, 32) == 0;
}

static const struct crl_entry *find(const struct crl *c, struct span serial)
{
    uint64_t hash;
    uint32_t b;

    serial = plain(serial);
    if (serial.len > CRL_SERIAL_MAX_B)
        return NULL;
    hash = hash_of(c, serial.p, serial.len);
    if (!marked(line_of(c, hash), hash))
        return NULL;
    b = bucket_of(c, hash);
    for (uint32_t i = c->starts[b]; i < c->starts[b + 1]; i++) {
        const struct crl_entry *e = &c->entries[i];

        if (e->len == serial.len && memcmp(e->serial, serial.p, serial.len) == 0)
            return e;
    }
    return NULL;
}

enum crl_answer crl_ask(const struct crl *c, const struct crl *delta, const struct cert *cert,
                        int64_t now_s)
{
    const struct crl_entry *e = delta ? find(delta, cert->serial) : NULL;
    const struct crl *newest = delta ? delta : c;

    if (!e)
        e = find(c, cert->serial);
    if (e && e->reason != REASON_REMOVED)
        return CRL_REVOKED;
    return now_s > crl_next_s(newest) || now_s < newest->this_s ? CRL_STALE : CRL_GOOD;
}
