#include "base/must.h"
#include "proxy/internal.h"

#include <stdlib.h>
#include <time.h>

const struct ctr_desc px_ctr_desc[] = {
#define CTR(sym, name, help) {name, help},
#include "proxy/px_ctr.def"
#undef CTR
};
const unsigned px_ctr_count = PX_CTR_COUNT;

/* Names of our own, so they are known. */
static void own_view(const char *name, struct view *out)
{
    const char *why;

    MUST(view_compile(span_str(name), out, &why));
}

res px_new(const struct px_bounds *b, const struct px_env *env, struct px **out)
{
    struct px *px = (struct px *)calloc(1, sizeof(*px));

    if (!px)
        return ERR(NOMEM);
    px->env = *env;
    px->bounds = *b;
    px->ref_base = rng_u64(env->rng);
    wheel_init(&px->wheel, 0);
    own_view("SSL_CLIENT_S_DN", &px->s_dn);
    own_view("SSL_CLIENT_I_DN", &px->i_dn);
    own_view("SSL_CLIENT_M_SERIAL", &px->serial);
    if (!IS_OK(pool_init(&px->clients, sizeof(struct px_client), b->clients_max)) ||
        !IS_OK(pool_init(&px->reqs, sizeof(struct px_req), b->requests_max)) ||
        !IS_OK(pool_init(&px->backends, sizeof(struct px_backend), b->backends_max)) ||
        !IS_OK(pool_init(&px->bufs, sizeof(struct px_buf), b->bufs_max))) {
        px_free(px);
        return ERR(NOMEM);
    }
    *out = px;
    return OK;
}

void px_free(struct px *px)
{
    if (!px)
        return;
    pool_fini(&px->clients);
    pool_fini(&px->reqs);
    pool_fini(&px->backends);
    pool_fini(&px->bufs);
    free(px);
}

/* What ended in the last turn. */
static void bury(struct px *px)
{
    while (px->dead_clients) {
        struct px_client *c = px->dead_clients;

        px->dead_clients = c->next;
        pool_put(&px->clients, c);
    }
    while (px->dead_reqs) {
        struct px_req *r = px->dead_reqs;

        px->dead_reqs = r->next_dead;
        pool_put(&px->reqs, r);
    }
    while (px->dead_backends) {
        struct px_backend *b = px->dead_backends;

        px->dead_backends = b->next;
        pool_put(&px->backends, b);
    }
}

void px_begin(struct px *px, uint64_t now_ns, int64_t wall_s)
{
    if (px->now_ns == 0)
        wheel_init(&px->wheel, now_ns);
    px->now_ns = now_ns;
    px->wall_s = wall_s;
    bury(px);
}

void px_adopt(struct px *px, struct snap *snap)
{
    const struct snap *old = px->snap;

    px->snap = snap;
    px_sweep_begin(px, old);
}

struct snap *px_snap(const struct px *px)
{
    return px->snap;
}

struct px_buf *px_buf_get(struct px *px)
{
    struct px_buf *b = (struct px_buf *)pool_get(&px->bufs);

    if (!b) {
        px_count(px, PX_CTR_NO_BUFFER);
        return NULL;
    }
    b->next = NULL;
    b->from = b->to = 0;
    return b;
}

void px_buf_put(struct px *px, struct px_buf **b)
{
    if (*b)
        pool_put(&px->bufs, *b);
    *b = NULL;
}

bool px_fill(struct px_buf *b, struct stream *s)
{
    uint32_t before = b->to;

    while (b->to < PX_BUF_B) {
        struct span v[4];
        uint32_t n = stream_peek(s, v, ARRAY_LEN(v)), taken = 0;

        for (uint32_t i = 0; i < n && b->to < PX_BUF_B; i++) {
            uint32_t part = (uint32_t)min_size(v[i].len, PX_BUF_B - b->to);

            memcpy(b->p + b->to, v[i].p, part);
            b->to += part;
            taken += part;
        }
        if (taken == 0)
            break;
        stream_consume(s, taken);
    }
    return b->to != before;
}

void px_buf_put_all(struct px *px, struct px_buf **first)
{
    while (*first) {
        struct px_buf *b = *first;

        *first = b->next;
        px_buf_put(px, &b);
    }
}

/* --- timers: a deadline moves far more often than it is reached, the node only when it must --- */

void px_arm(struct px *px, struct px_timer *t, uint32_t ms)
{
    uint64_t at = px->now_ns + (uint64_t)ms * 1000000;

    t->at_ns = at;
    if (!wheel_armed(&t->node) || wheel_at_ns(&px->wheel, &t->node) > at)
        wheel_arm(&px->wheel, &t->node, at);
}

void px_disarm(struct px *px, struct px_timer *t)
{
    t->at_ns = WHEEL_NEVER;
    wheel_disarm(&px->wheel, &t->node);
}

static void on_timer(void *ctx, struct wheel_node *node, uint64_t now_ns)
{
    struct px *px = (struct px *)ctx;
    struct px_timer *t = CONTAINER_OF(node, struct px_timer, node);

    if (t->at_ns == WHEEL_NEVER)
        return;
    if (t->at_ns > now_ns) {
        wheel_arm(&px->wheel, node, t->at_ns);
        return;
    }
    t->at_ns = WHEEL_NEVER;
    if (t->kind == PX_TIMER_CLIENT)
        px_client_timer(CONTAINER_OF(t, struct px_client, timer));
    else
        px_backend_timer(CONTAINER_OF(t, struct px_backend, timer));
}

void px_timers(struct px *px)
{
    wheel_advance(&px->wheel, px->now_ns, PX_TIMERS_MAX, on_timer, px);
}

uint64_t px_next_deadline(const struct px *px)
{
    return wheel_next_deadline(&px->wheel);
}

const char *px_date(struct px *px)
{
    if (px->date_s != px->wall_s || !px->date[0]) {
        time_t t = (time_t)px->wall_s;
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(px->date, sizeof(px->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        px->date_s = px->wall_s;
    }
    return px->date;
}

void px_drain(struct px *px)
{
    struct px_client *next;

    px->draining = true;
    for (struct px_client *c = px->all; c; c = next) {
        next = c->next;
        if (c->state == PX_CL_IDLE)
            px_client_close(c);
        else
            c->last = true;
    }
    px_backends_close_idle(px);
}

void px_abort_all(struct px *px)
{
    px->draining = true;
    while (px->all) {
        struct px_client *c = px->all;

        if (c->req)
            px_req_client_gone(c->req, "stopped");
        else
            px_client_abort(c);
    }
    px_backends_close_idle(px);
}

void px_gauges(const struct px *px, struct px_gauges *out)
{
    *out = (struct px_gauges){px->clients.used, px->reqs.used, px->idle_backends,
                              px->backends.used - px->idle_backends,
                              pool_used_b(&px->clients) + pool_used_b(&px->reqs) +
                                  pool_used_b(&px->backends) + pool_used_b(&px->bufs)};
}

const uint64_t *px_counters(const struct px *px)
{
    return px->ctr;
}
