#include "crypto/peer_internal.h"

#define RETRY_S 10 /* a refusal is looked at again after so long */

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
    for (uint32_t i = 0; i < PEER_CACHED; i++) {
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

void peers_use_lists(struct peers *p, const struct sip_key *key, peers_teach_fn teach, void *ctx)
{
    memset(&p->told, 0, sizeof(p->told));
    p->told.key = *key;
    p->teach = teach;
    p->teach_ctx = ctx;
}

/* False: no room for it now. */
static bool teach_one(struct peers *p, const struct trust *trust, const struct cert *const *path,
                      uint32_t n, int64_t now_s)
{
    uint64_t what;

    if (!crl_told_due(&p->told, trust, path[0], path[1], now_s, &what))
        return true;
    if (!crl_told_room(&p->told, now_s) || !p->teach(p->teach_ctx, trust, path, n))
        return false;
    crl_told_note(&p->told, what, now_s);
    return true;
}

/* What no list is known for, each once, with what stands above it. */
static void teach(struct peers *p, struct peer *peer, const struct trust *trust,
                  const struct verdict *v, int64_t now_s)
{
    const struct cert *path[VERDICT_PATH_MAX];
    bool all = true;

    if (!v->crl_want || !p->teach || now_s < peer->teach_s)
        return;
    for (uint32_t i = 0; i < v->path_len; i++) {
        path[i] = cert_of(peer, trust, v->path[i]);
        if (!path[i])
            return;
    }
    for (uint32_t i = 0; i + 1 < v->path_len; i++) {
        if (v->crl_want & 1u << i)
            all &= teach_one(p, trust, path + i, v->path_len - i, now_s);
    }
    peer->teach_s = now_s + (all ? CRL_TOLD_LOOK_S : 1);
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
    teach(p, peer, trust, out, now_s);
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
        teach(p, peer, trust, out, now_s);
        return;
    }
    judge(p, peer, trust, purpose, now_s, false, out);
    c = &peer->cached[peer->turn++ % PEER_CACHED];
    *c = (struct cached){id,   now_s, now_s + RETRY_S, stamp_for(&stamp, out), (uint8_t)purpose,
                         true, *out};
    if (out->code == VERDICT_OK) {
        c->from_s = out->valid_from_s;
        c->until_s = out->look_s;
    }
}

void peer_verdict_late(struct peers *p, struct peer *peer, const struct trust *trust,
                       enum verdict_purpose purpose, int64_t now_s, struct verdict *out)
{
    judge(p, peer, trust, purpose, now_s, true, out);
}
