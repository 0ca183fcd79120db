/* What is at the ends of the connections of a core: one side sends, the other gives it back. */
#include "sim/cores.h"

#include "base/must.h"

#include <stdlib.h>

struct end {
    struct cores_core *core;
    struct stream *s;
    uint64_t key;
    uint32_t to_send, sent, got;
    bool client, ended;
};

static uint8_t pattern(const struct end *e, uint32_t i)
{
    return (uint8_t)((e->key + i) * 0x9e3779b97f4a7c15ULL >> 56);
}

static void over(struct end *e, bool well)
{
    struct cores_core *c = e->core;

    if (e->client) {
        c->open--;
        ctr_add(&c->stats.bytes, e->got);
        ctr_add(well ? &c->stats.done : &c->stats.failed, 1);
    }
    free(e);
}

static void client_writes(struct end *e)
{
    while (e->sent < e->to_send) {
        uint32_t got = 0;
        uint8_t *to = (uint8_t *)stream_reserve(e->s, e->to_send - e->sent, &got);

        if (!to)
            return;
        for (uint32_t i = 0; i < got; i++)
            to[i] = pattern(e, e->sent + i);
        stream_commit(e->s, got);
        e->sent += got;
    }
    if (!e->ended)
        stream_shutdown(e->s);
    e->ended = true;
}

static void client_reads(struct end *e)
{
    struct span v[4];
    uint32_t n;

    while ((n = stream_peek(e->s, v, 4)) > 0) {
        uint32_t taken = 0;

        for (uint32_t k = 0; k < n; k++) {
            for (size_t i = 0; i < v[k].len; i++) {
                if (v[k].p[i] != pattern(e, e->got + taken + (uint32_t)i))
                    ctr_add(&e->core->stats.wrong, 1);
            }
            taken += (uint32_t)v[k].len;
        }
        e->got += taken;
        stream_consume(e->s, taken);
    }
}

static void server_echoes(struct end *e)
{
    struct span v;

    while (stream_peek(e->s, &v, 1) > 0) {
        uint32_t got = 0;
        uint8_t *to = (uint8_t *)stream_reserve(e->s, (uint32_t)v.len, &got);

        if (!to)
            return;
        memcpy(to, v.p, got);
        stream_commit(e->s, got);
        stream_consume(e->s, got);
    }
}

static void on_event(void *owner, struct stream *s, uint32_t events)
{
    struct end *e = (struct end *)owner;

    e->s = s;
    if (events & STREAM_EV_CLOSED) {
        stream_close(s);
        over(e, false);
        return;
    }
    if (e->client) {
        client_writes(e);
        client_reads(e);
    } else {
        server_echoes(e);
    }
    if (stream_at_eof(s)) {
        stream_close(s);
        over(e, e->got == e->to_send);
    }
}

static const struct stream_owner owner = {"cores_app", on_event};

static struct end *end_new(struct cores_core *c, bool client)
{
    struct end *e = (struct end *)calloc(1, sizeof(*e));

    MUST(e);
    e->core = c;
    e->client = client;
    return e;
}

static void check_place(struct cores_core *c, const struct tcp_tuple *t)
{
    if (steer_owner(&c->host->handoff.steer, &t->raddr, &t->laddr, t->rport, t->lport) != c->id)
        ctr_add(&c->stats.misplaced, 1);
}

static bool on_accept(void *ctx, struct stream *s, const struct tcp_tuple *t)
{
    struct cores_core *c = (struct cores_core *)ctx;
    struct end *e = end_new(c, false);

    check_place(c, t);
    ctr_add(&c->stats.accepted, 1);
    e->s = s;
    stream_set_owner(s, &owner, e);
    return true;
}

void cores_app_listen(struct cores_core *c)
{
    struct endpoint at = {{{0}}, CORES_PORT};

    MUST(IS_OK(tcp_listen(c->tcp, &at, on_accept, c)));
}

static void connect_one(struct cores_core *c)
{
    struct cores_host *to = &c->host->world->host[c->host == &c->host->world->host[0]];
    uint32_t k = (uint32_t)(c->stats.made % CORES_ADDRS);
    struct tcp_connect how = {.remote = {c->plan.v6 ? to->addr6[k] : to->addr4[k], CORES_PORT}};
    struct end *e = end_new(c, true);
    enum stream_why why;

    e->key = rng_u64(&c->rng);
    e->to_send = 1 + rng_below(&c->rng, c->plan.bytes_max);
    c->open++;
    ctr_add(&c->stats.made, 1);
    e->s = tcp_connect(c->tcp, &how, &owner, e, &why);
    if (e->s)
        check_place(c, tcp_stream_tuple(e->s));
    else
        over(e, false);
}

void cores_app_turn(struct cores_core *c)
{
    while (c->open < c->plan.parallel && c->stats.made < c->plan.connects)
        connect_one(c);
}
