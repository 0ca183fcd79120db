#include "crypto/crl_learn.h"

#include "base/must.h"

/* --- what has been told --- */

static uint64_t hash_what(const struct crl_told *t, const struct trust *trust,
                          const struct cert *cert, const struct cert *issuer)
{
    const struct span parts[] = {span_of(trust_id(trust), 32), issuer->spki, cert->crl_dp,
                                 cert->freshest_crl};
    uint64_t h = 0;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct sip_key key = {t->key.k0 ^ h, t->key.k1 + i};

        h = siphash13(&key, parts[i].p, parts[i].len);
    }
    return h;
}

bool crl_told_room(const struct crl_told *t, int64_t now_s)
{
    return t->second_s != now_s || t->in_second < CRL_TOLD_PER_S;
}

bool crl_told_due(const struct crl_told *t, const struct trust *trust, const struct cert *cert,
                  const struct cert *issuer, int64_t now_s, uint64_t *what)
{
    uint32_t i;

    *what = hash_what(t, trust, cert, issuer);
    i = (uint32_t)*what % CRL_TOLD_SLOTS;
    return t->slot[i].what != *what || now_s >= t->slot[i].until_s;
}

void crl_told_note(struct crl_told *t, uint64_t what, int64_t now_s)
{
    uint32_t i = (uint32_t)what % CRL_TOLD_SLOTS;

    if (t->second_s != now_s)
        t->in_second = 0;
    t->second_s = now_s;
    t->in_second++;
    t->slot[i].what = what;
    t->slot[i].until_s = now_s + CRL_TOLD_S;
}

/* --- a path on its way --- */

uint32_t crl_rec_b(const struct cert *const *path, uint32_t n)
{
    size_t len = sizeof(struct crl_rec);

    for (uint32_t i = 0; i < n; i++)
        len += path[i]->der.len;
    return (uint32_t)len;
}

void crl_rec_put(struct crl_rec *to, const uint8_t id[32], const struct cert *const *path,
                 uint32_t n)
{
    uint8_t *at = to->der;

    memcpy(to->trust_id, id, sizeof(to->trust_id));
    memset(to->der_b, 0, sizeof(to->der_b));
    to->n = n;
    for (uint32_t i = 0; i < n; i++) {
        to->der_b[i] = (uint32_t)path[i]->der.len;
        memcpy(at, path[i]->der.p, path[i]->der.len);
        at += path[i]->der.len;
    }
}

bool crl_rec_read(struct span record, uint8_t id[32], struct span der[VERDICT_PATH_MAX],
                  uint32_t *n)
{
    struct crl_rec head;
    struct span rest;

    if (record.len < sizeof(head))
        return false;
    memcpy(&head, record.p, sizeof(head));
    rest = span_from(record, sizeof(head));
    if (head.n < 2 || head.n > VERDICT_PATH_MAX)
        return false;
    for (uint32_t i = 0; i < head.n; i++) {
        if (head.der_b[i] == 0 || head.der_b[i] > CERT_DER_MAX || head.der_b[i] > rest.len)
            return false;
        der[i] = span_first(rest, head.der_b[i]);
        rest = span_from(rest, head.der_b[i]);
    }
    memcpy(id, head.trust_id, sizeof(head.trust_id));
    *n = head.n;
    return true;
}
