/**
 * What becomes of open connections when a generation takes away what their clients' identity stood on. A
 * request is judged by the generation that it finds anyway; this is for connections that wait. The clients
 * are walked once, some in each turn, and only when a trust set has changed.
 */
#include "proxy/internal.h"

#define TURN_COST  256u /* of one turn */
#define COST_LOOK  1u
#define COST_JUDGE 8u
#define WAIT_S     2 /* for an answer by OCSP */

static const struct snap_trust *trust_named(const struct snap *s, uint64_t key)
{
    for (uint32_t i = 0; i < s->trust_count; i++) {
        if (s->trusts[i].key == key)
            return &s->trusts[i];
    }
    return NULL;
}

/* Would anybody's verdict be another one? `old` is still there: its grace period begins when we are done. */
static bool differ(const struct snap *old, const struct snap *next)
{
    for (uint32_t i = 0; i < old->trust_count; i++) {
        const struct snap_trust *t = trust_named(next, old->trusts[i].key);

        if (!t || memcmp(trust_id(t->trust), trust_id(old->trusts[i].trust), 32) != 0)
            return true;
    }
    return false;
}

void px_sweep_more(struct px *px)
{
    if (px->sweeping) {
        px->sweep_again = true; /* so that no stream of answers keeps it from coming to an end */
        return;
    }
    px->sweeping = true;
    px->sweep_at = px->all;
    px_count(px, PX_CTR_SWEEPS);
}

static void finish(struct px *px)
{
    px->sweep_at = NULL;
    px->sweeping = false;
    if (px->sweep_again)
        px_sweep_more(px);
    px->sweep_again = false;
    if (!px->sweep_gen)
        return;
    px->sweep_gen = false;
    px->effect_gen = px->snap->gen;
    px->effect_us =
        px->now_ns > px->snap->published_ns ? (px->now_ns - px->snap->published_ns) / 1000 : 0;
    ctr_add(&px->ctr[PX_CTR_EFFECT_US], px->effect_us);
    px_count(px, PX_CTR_EFFECTS);
}

void px_sweep_begin(struct px *px, const struct snap *old)
{
    bool all = !old || px->sweep_at; /* one that is not over is begun again */

    px->sweep_gen = px->sweeping = true; /* it may be over at once: px_sweep() knows the time */
    px->sweep_at = NULL;
    if (!all && !differ(old, px->snap))
        return;
    px->sweep_at = px->all;
    px_count(px, PX_CTR_SWEEPS);
}

static bool lost(struct px *px, struct px_client *c)
{
    const struct snap_trust *t = trust_named(px->snap, c->stood_on);
    struct tls_info info;
    struct verdict v;

    tls_stream_info(c->s, &info);
    if (!info.peer || !t)
        return true;
    peer_verdict(px->env.peers, info.peer, t->trust, VERDICT_FOR_CLIENT, px->wall_s, &v);
    c->stands_until_s = v.look_s;
    if (v.ocsp_wait) /* asked for just now: the answer decides, or the next request waits for it */
        c->stands_until_s = px->wall_s + WAIT_S;
    return v.code != VERDICT_OK && !v.ocsp_wait;
}

void px_client_lost(struct px_client *c)
{
    px_count(c->px, PX_CTR_IDENTITY_CLOSED);
    LOG(c->px->env.log, PEER, "client.identity_lost", KV_EP("client", c->remote),
        KV_U64("gen", c->px->snap->gen));
    px_client_close(c);
}

bool px_client_still_stands(struct px_client *c)
{
    if (!lost(c->px, c) && c->stands_until_s >= c->px->wall_s)
        return true;
    px_client_lost(c);
    return false;
}

/* What a client was let in for; the latest counts. */
void px_client_stands(struct px_client *c, const struct snap_trust *t, int64_t until_s)
{
    c->stood_on = t->key;
    c->stands_until_s = until_s;
}

/* In flight: that request ends as it began, and the connection when nothing came behind it. */
static uint32_t look(struct px *px, struct px_client *c)
{
    if (!c->stood_on || !c->s)
        return COST_LOOK;
    c->lost = lost(px, c);
    if (c->state == PX_CL_IDLE) {
        if (c->lost)
            px_client_lost(c);
        else
            px_client_arm_idle(c);
    }
    return COST_JUDGE;
}

void px_sweep(struct px *px)
{
    uint32_t cost = 0;

    if (!px->sweeping)
        return;
    while (px->sweep_at && cost < TURN_COST) {
        struct px_client *c = px->sweep_at;

        px->sweep_at = c->next; /* px_client's forget() moves it on, too */
        cost += look(px, c);
        px_count(px, PX_CTR_SWEPT);
    }
    if (!px->sweep_at)
        finish(px);
}

bool px_sweeping(const struct px *px)
{
    return px->sweeping;
}

uint64_t px_effect(const struct px *px, uint64_t *us)
{
    *us = px->effect_us;
    return px->effect_gen;
}
