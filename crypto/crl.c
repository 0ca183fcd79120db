#include "crypto/crl.h"

#include "base/siphash.h"
#include "crypto/der.h"
#include "crypto/oid.h"
#include "crypto/sig.h"

#include <stdlib.h>
#include <sys/random.h>

#define SERIAL_MAX_B   20u
#define PER_BUCKET     8u
#define FILTER_BITS    11u /* per serial: about one in thirty of the others passes */
#define REASON_REMOVED 8u  /* removeFromCRL, in deltas (RFC 5280 5.3.1) */
#define OID_CRL_NUMBER OID("\x55\x1d\x14")
#define OID_CRL_REASON OID("\x55\x1d\x15")
#define OID_DELTA      OID("\x55\x1d\x1b")
#define OID_IDP        OID("\x55\x1d\x1c")
#define OID_CRL_ISSUER OID("\x55\x1d\x1d")
#define OID_CRL_AKI    OID("\x55\x1d\x23")

struct entry {
    uint8_t len, reason;
    uint8_t serial[SERIAL_MAX_B];
};

struct crl {
    struct span issuer, point, number, base_number; /* in `text` */
    uint8_t *text;
    uint8_t signer_key[32]; /* SHA-256 of its SubjectPublicKeyInfo */
    int64_t this_s, next_s;
    bool is_delta, users_only, cas_only;
    struct sip_key key;
    uint32_t count, buckets;
    uint32_t words;
    uint64_t *filter; /* says of almost all serials that are not here that they are not */
    uint32_t *starts; /* buckets + 1: where each one's entries begin */
    struct entry *entries;
    uint8_t id[32];
    uint32_t refs; /* control side */
};

/* --- reading --- */

struct reading {
    struct crl_view *v;
    const char *why;
};

static bool no(struct reading *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

/* IssuingDistributionPoint (RFC 5280 5.2.5) */
static bool take_idp(struct reading *r, struct span value)
{
    struct span seq;
    struct der e;

    if (!der_get(&value, DER_SEQUENCE, &seq) || value.len)
        return no(r, "issuingDistributionPoint");
    while (der_next(&seq, &e)) {
        bool set = true;

        if (e.tag == (DER_CONTEXT_CONS | 0)) {
            struct span names;
            bool full;

            if (!der_maybe(&e.body, DER_CONTEXT_CONS | 0, &names, &full))
                return no(r, "issuingDistributionPoint");
            if (!full)
                return no(r, "a distribution point relative to its issuer");
            r->v->point = names;
            continue;
        }
        if (e.tag == (DER_CONTEXT | 3))
            return no(r, "it is for some reasons only");
        if (!der_boolean(e.body, &set))
            return no(r, "issuingDistributionPoint");
        if (e.tag == (DER_CONTEXT | 1))
            r->v->users_only = set;
        else if (e.tag == (DER_CONTEXT | 2))
            r->v->cas_only = set;
        else if (e.tag == (DER_CONTEXT | 4) && set)
            return no(r,
                      "it is an indirect list: lists are taken from the certificates' own issuers");
        else if (set)
            return no(r, "it is for attribute certificates");
    }
    return seq.len ? no(r, "issuingDistributionPoint") : true;
}

static bool take_number(struct reading *r, struct span value, struct span *out)
{
    if (!der_get(&value, DER_INTEGER, out) || value.len || !der_integer_ok(*out) ||
        out->p[0] & 0x80)
        return no(r, "its number");
    while (out->len > 1 && out->p[0] == 0)
        *out = span_from(*out, 1);
    return out->len <= SERIAL_MAX_B ? true : no(r, "its number");
}

static bool take_aki(struct reading *r, struct span value)
{
    struct span seq, id;
    bool there;

    if (!der_get(&value, DER_SEQUENCE, &seq) || value.len ||
        !der_maybe(&seq, DER_CONTEXT | 0, &id, &there))
        return no(r, "authorityKeyIdentifier");
    if (there)
        r->v->aki = id;
    return true;
}

/* Extension ::= SEQUENCE { OID, critical BOOLEAN DEFAULT FALSE, value OCTET STRING } */
static bool open_extension(struct span one, struct span *oid, bool *critical, struct span *value)
{
    struct span flag;
    bool there;

    *critical = false;
    return der_get(&one, DER_OID, oid) && der_maybe(&one, DER_BOOLEAN, &flag, &there) &&
           (!there || der_boolean(flag, critical)) && der_get(&one, DER_OCTET_STRING, value) &&
           one.len == 0;
}

static bool take_extensions(struct reading *r, struct span part)
{
    struct span seq, one, oid, value;
    bool critical;

    if (!der_get(&part, DER_SEQUENCE, &seq) || part.len)
        return no(r, "extensions");
    while (seq.len) {
        bool good = true;

        if (!der_get(&seq, DER_SEQUENCE, &one) || !open_extension(one, &oid, &critical, &value))
            return no(r, "extensions");
        if (span_eq(oid, OID_CRL_NUMBER))
            good = take_number(r, value, &r->v->number);
        else if (span_eq(oid, OID_DELTA))
            good = r->v->delta = take_number(r, value, &r->v->base_number);
        else if (span_eq(oid, OID_IDP))
            good = take_idp(r, value);
        else if (span_eq(oid, OID_CRL_AKI))
            good = take_aki(r, value);
        else if (critical)
            good = no(r, "a critical extension that is not known here");
        if (!good)
            return false;
    }
    return true;
}

static bool take_time(struct span *in, int64_t *out)
{
    struct der e;

    return der_next(in, &e) && (e.tag == DER_UTC_TIME || e.tag == DER_GENERAL_TIME) &&
           der_time(e.tag, e.body, out);
}

static bool take_tbs(struct reading *r, struct span tbs, struct span outer_alg)
{
    struct span part, alg;
    uint32_t version = 0;
    bool there;
    struct der e;

    if (!der_maybe(&tbs, DER_INTEGER, &part, &there) || (there && !der_small(part, &version)))
        return no(r, "version");
    if (version != 1)
        return no(r, "it is not of version 2");
    if (!der_get(&tbs, DER_SEQUENCE, &alg) || !span_eq(alg, outer_alg))
        return no(r, "signature algorithm");
    if (!der_next(&tbs, &e) || e.tag != DER_SEQUENCE || e.body.len == 0)
        return no(r, "issuer");
    r->v->issuer = e.whole;
    if (!take_time(&tbs, &r->v->this_s))
        return no(r, "thisUpdate");
    if (tbs.len && (tbs.p[0] == DER_UTC_TIME || tbs.p[0] == DER_GENERAL_TIME) &&
        !take_time(&tbs, &r->v->next_s))
        return no(r, "nextUpdate");
    if (!der_maybe(&tbs, DER_SEQUENCE, &part, &there))
        return no(r, "entries");
    r->v->entries = there ? part : SPAN_NONE;
    if (!der_maybe(&tbs, DER_CONTEXT_CONS | 0, &part, &there) || tbs.len)
        return no(r, "extensions");
    return !there || take_extensions(r, part);
}

/* The reason of an entry; an entry extension that is critical and not known makes the list unusable. */
static bool take_reason(struct span part, uint8_t *reason)
{
    struct span seq, one, oid, value, body;
    bool critical;

    if (!der_get(&part, DER_SEQUENCE, &seq) || part.len)
        return false;
    while (seq.len) {
        if (!der_get(&seq, DER_SEQUENCE, &one) || !open_extension(one, &oid, &critical, &value))
            return false;
        if (span_eq(oid, OID_CRL_REASON)) {
            if (!der_get(&value, DER_ENUMERATED, &body) || value.len || body.len != 1)
                return false;
            *reason = body.p[0];
        } else if (critical) {
            return false; /* certificateIssuer among them: an indirect list */
        }
    }
    return true;
}

/* The next revoked certificate. False at the end, or with rest->len != 0: not to be read. */
static bool next_entry(struct span *rest, struct entry *out)
{
    struct span seq, serial;
    int64_t when;

    if (!der_get(rest, DER_SEQUENCE, &seq))
        return false;
    if (!der_get(&seq, DER_INTEGER, &serial) || !der_integer_ok(serial) ||
        !take_time(&seq, &when) ||
        (*out = (struct entry){0}, seq.len && !take_reason(seq, &out->reason))) {
        *rest = span_of(rest->p - 1, rest->len + 1); /* whatever it was, it is not the end */
        return false;
    }
    while (serial.len > 1 && serial.p[0] == 0)
        serial = span_from(serial, 1);
    out->len = (uint8_t)min_size(serial.len, SERIAL_MAX_B + 1);
    if (out->len <= SERIAL_MAX_B)
        memcpy(out->serial, serial.p, serial.len);
    return true;
}

res crl_parse(struct span der, struct crl_view *out, const char **why)
{
    struct reading r = {.v = out};
    struct span seq, alg, bits, rest;
    struct entry e;
    struct der tbs;
    uint8_t unused;

    memset(out, 0, sizeof(*out));
    *why = "it is no SEQUENCE of three";
    if (!der_get(&der, DER_SEQUENCE, &seq) || der.len || !der_next(&seq, &tbs) ||
        tbs.tag != DER_SEQUENCE || !der_get(&seq, DER_SEQUENCE, &alg) ||
        !der_get(&seq, DER_BIT_STRING, &bits) || seq.len)
        return ERR(INVALID);
    out->tbs = tbs.whole;
    *why = "signature";
    if (!cert_alg_parse(alg, &out->alg) || !der_bits(bits, &out->sig, &unused) || unused)
        return ERR(INVALID);
    if (!take_tbs(&r, tbs.body, alg)) {
        *why = r.why;
        return ERR(INVALID);
    }
    rest = out->entries;
    while (next_entry(&rest, &e))
        ;
    *why = "an entry";
    return rest.len ? ERR(INVALID) : OK;
}

/* --- the set --- */

static uint64_t hash_of(const struct crl *c, const uint8_t *serial, size_t len)
{
    return siphash13(&c->key, serial, len);
}

static uint32_t bucket_of(const struct crl *c, uint64_t hash)
{
    return (uint32_t)(((hash >> 32) * c->buckets) >> 32);
}

/* A Bloom filter of one word: small enough to stay in a cache, where the list itself does not. */
static uint64_t *word_of(const struct crl *c, uint64_t hash)
{
    return &c->filter[((hash >> 32) * c->words) >> 32];
}

static uint64_t bits_of(uint64_t hash)
{
    return 1ULL << (hash & 63) | 1ULL << (hash >> 6 & 63) | 1ULL << (hash >> 12 & 63) |
           1ULL << (hash >> 18 & 63);
}

/* Serials longer than any that a certificate can have here are counted, not kept. */
static bool fill(struct crl *c, struct span entries)
{
    struct span rest = entries;
    struct entry e;
    uint32_t n = 0;

    while (next_entry(&rest, &e))
        n += e.len <= SERIAL_MAX_B;
    c->buckets = n / PER_BUCKET + 1;
    c->words = (uint32_t)((uint64_t)n * FILTER_BITS / 64) + 1;
    c->filter = (uint64_t *)calloc(c->words, sizeof(uint64_t));
    c->starts = (uint32_t *)calloc(c->buckets + 2, sizeof(uint32_t));
    c->entries = (struct entry *)malloc((n ? n : 1) * sizeof(struct entry));
    if (!c->filter || !c->starts || !c->entries)
        return false;
    for (rest = entries; next_entry(&rest, &e);) {
        if (e.len <= SERIAL_MAX_B) {
            uint64_t hash = hash_of(c, e.serial, e.len);

            c->starts[bucket_of(c, hash) + 2]++;
            *word_of(c, hash) |= bits_of(hash);
        }
    }
    for (uint32_t b = 1; b <= c->buckets + 1; b++)
        c->starts[b] += c->starts[b - 1];
    /* starts[b + 1] is where the next entry of b goes; when all are in, it is where b + 1 begins. */
    for (rest = entries; next_entry(&rest, &e);) {
        if (e.len <= SERIAL_MAX_B)
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
    return sizeof(*c) + (uint64_t)c->count * sizeof(struct entry) +
           (c->buckets + 2) * sizeof(uint32_t) + c->words * sizeof(uint64_t);
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

bool crl_covers(const struct crl *c, const struct cert *issuer, const struct cert *cert)
{
    uint8_t key[32];

    if (!cert_name_eq(c->issuer, cert->issuer) || (c->users_only && cert->is_ca) ||
        (c->cas_only && !cert->is_ca))
        return false;
    /* A list for one distribution point is for certificates that name it (RFC 5280 6.3.3 (b)(2)). */
    if (c->point.len && !crl_point_named(cert->crl_dp, c->point))
        return false;
    sha256(issuer->spki, key);
    return memcmp(key, c->signer_key, 32) == 0;
}

static const struct entry *find(const struct crl *c, struct span serial)
{
    uint64_t hash, bits;
    uint32_t b;

    while (serial.len > 1 && serial.p[0] == 0)
        serial = span_from(serial, 1);
    if (serial.len > SERIAL_MAX_B)
        return NULL;
    hash = hash_of(c, serial.p, serial.len);
    bits = bits_of(hash);
    if ((*word_of(c, hash) & bits) != bits)
        return NULL;
    b = bucket_of(c, hash);
    for (uint32_t i = c->starts[b]; i < c->starts[b + 1]; i++) {
        const struct entry *e = &c->entries[i];

        if (e->len == serial.len && memcmp(e->serial, serial.p, serial.len) == 0)
            return e;
    }
    return NULL;
}

enum crl_answer crl_ask(const struct crl *c, const struct crl *delta, const struct cert *cert,
                        int64_t now_s)
{
    const struct entry *e = delta ? find(delta, cert->serial) : NULL;
    const struct crl *newest = delta ? delta : c;

    if (!e)
        e = find(c, cert->serial);
    if (e && e->reason != REASON_REMOVED)
        return CRL_REVOKED;
    return now_s > crl_next_s(newest) || now_s < newest->this_s ? CRL_STALE : CRL_GOOD;
}
