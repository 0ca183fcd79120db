#include "proxy/internal.h"

static bool tried(const struct px_req *r, uint32_t i)
{
    return r->tried >> i & 1;
}

static bool out_of_turn(struct px *px, const struct snap_member *m)
{
    struct px_member *st = &px->members[m->slot];

    if (st->out_until_ns && st->out_until_ns <= px->now_ns)
        st->out_until_ns = 0;
    return st->out_until_ns != 0;
}

static bool usable(struct px_req *r, uint32_t i)
{
    return !tried(r, i) && !out_of_turn(r->px, &r->upstream->members[i]);
}

/**
 * Smooth weighted round robin, as mod_lbmethod_byrequests does it: everybody gains its weight, the one
 * with most is taken and pays the sum. The first in the configuration wins ties.
 */
static uint32_t round_robin(struct px_req *r)
{
    const struct snap_upstream *u = r->upstream;
    uint32_t best = SNAP_NONE;
    int32_t sum = 0;

    for (uint32_t i = 0; i < u->member_count; i++) {
        struct px_member *st = &r->px->members[u->members[i].slot];

        if (!usable(r, i) || u->members[i].weight == 0)
            continue;
        st->lb += (int32_t)u->members[i].weight;
        sum += (int32_t)u->members[i].weight;
        if (best == SNAP_NONE || st->lb > r->px->members[u->members[best].slot].lb)
            best = i;
    }
    if (best != SNAP_NONE)
        r->px->members[u->members[best].slot].lb -= sum;
    return best;
}

/* Fewest connections in use for its weight; ties go round by smooth round robin's count. */
static uint32_t least_conn(struct px_req *r)
{
    const struct snap_upstream *u = r->upstream;
    uint32_t best = SNAP_NONE;
    uint64_t best_load = 0;

    for (uint32_t i = 0; i < u->member_count; i++) {
        const struct px_member *st = &r->px->members[u->members[i].slot];
        uint64_t load;

        if (!usable(r, i) || u->members[i].weight == 0)
            continue;
        load = (uint64_t)(st->conns - st->idle_count + 1) * 1000 / u->members[i].weight;
        if (best == SNAP_NONE || load < best_load ||
            (load == best_load && st->lb > r->px->members[u->members[best].slot].lb)) {
            best = i;
            best_load = load;
        }
    }
    for (uint32_t i = 0; i < u->member_count && best != SNAP_NONE; i++)
        r->px->members[u->members[i].slot].lb += i == best ? -1 : 1;
    return best;
}

/* Members of weight 0 stand in when nobody else is left. */
static uint32_t stand_in(struct px_req *r)
{
    const struct snap_upstream *u = r->upstream;

    for (uint32_t i = 0; i < u->member_count; i++) {
        if (u->members[i].weight == 0 && usable(r, i))
            return i;
    }
    return SNAP_NONE;
}

static uint32_t by_route(struct px_req *r, struct span session)
{
    size_t dot = span_find(session, '.');
    struct span route = span_from(session, dot + 1);

    if (dot >= session.len || route.len == 0)
        return SNAP_NONE;
    for (uint32_t i = 0; i < r->upstream->member_count; i++) {
        if (span_eq(r->upstream->members[i].route, route) && usable(r, i))
            return i;
    }
    return SNAP_NONE;
}

static uint32_t in_turn(struct px_req *r)
{
    uint32_t i = r->upstream->balance == SNAP_LEAST_CONN ? least_conn(r) : round_robin(r);

    return i == SNAP_NONE ? stand_in(r) : i;
}

/* All are out of turn: rather try them than answer 503 unasked (mod_proxy_balancer forcerecovery). */
static void take_all_back(struct px_req *r)
{
    for (uint32_t i = 0; i < r->upstream->member_count; i++)
        r->px->members[r->upstream->members[i].slot].out_until_ns = 0;
    px_count(r->px, PX_CTR_RECOVERED);
}

uint32_t px_pick(struct px_req *r, struct span sticky)
{
    uint32_t i = sticky.len ? by_route(r, sticky) : SNAP_NONE;

    if (i == SNAP_NONE)
        i = in_turn(r);
    if (i == SNAP_NONE && r->tried == 0) {
        take_all_back(r);
        i = in_turn(r);
    }
    return i;
}

void px_member_failed(struct px *px, const struct snap_member *m, const char *what,
                      const char *reason)
{
    struct px_member *st = &px->members[m->slot];

    LOG(px->env.log, OPER, "member.failed", KV_TEXT("member", m->name), KV_STR("what", what),
        KV_STR("reason", reason), KV_U64("retry_ms", m->retry_ms));
    if (m->retry_ms == 0)
        return;
    if (st->out_until_ns == 0)
        px_count(px, PX_CTR_MEMBERS_OUT);
    st->out_until_ns = px->now_ns + (uint64_t)m->retry_ms * 1000000;
}
