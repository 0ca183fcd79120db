#include "sim/script_internal.h"

#include <ctype.h>
#include <stddef.h>

/* --- values --- */

static bool term(const struct run *r, const char **at, int64_t *out)
{
    const char *s = *at;
    char *end;
    uint32_t mss = r->p->mtu - (r->p->v6 ? 60u : 40u);

    if (isdigit((unsigned char)*s)) {
        *out = (int64_t)strtoull(s, &end, 0);
        *at = end;
        return true;
    }
    if (strncmp(s, "MSS", 3) == 0) {
        *out = mss;
        *at = s + 3;
        return true;
    }
    if (*s == 'M') {
        *out = mss - 12;
        *at = s + 1;
        return true;
    }
    if (*s == 'i') {
        *out = (int64_t)r->i;
        *at = s + 1;
        return true;
    }
    return false;
}

static bool product(const struct run *r, const char **at, int64_t *out)
{
    int64_t v;

    if (!term(r, at, out))
        return false;
    while (**at == '*') {
        ++*at;
        if (!term(r, at, &v))
            return false;
        *out *= v;
    }
    return true;
}

bool expr(const struct run *r, const char *text, int64_t *out)
{
    const char *at = text;
    int64_t v;
    bool minus = *at == '-';

    at += minus;
    if (!product(r, &at, out))
        return false;
    if (minus)
        *out = -*out;
    while (*at == '+' || *at == '-') {
        minus = *at++ == '-';
        if (!product(r, &at, &v))
            return false;
        *out += minus ? -v : v;
    }
    return *at == 0;
}

bool need(struct run *r, unsigned at, int64_t *out)
{
    if (at >= r->n)
        return run_fail(r, "a number is missing");
    return expr(r, r->w[at], out) || run_fail(r, "\"%s\" is no number", r->w[at]);
}

/* --- comparisons --- */

static bool holds(int64_t a, const char *op, int64_t b)
{
    if (strcmp(op, "==") == 0)
        return a == b;
    if (strcmp(op, "!=") == 0)
        return a != b;
    if (strcmp(op, "<") == 0)
        return a < b;
    if (strcmp(op, "<=") == 0)
        return a <= b;
    if (strcmp(op, ">") == 0)
        return a > b;
    return strcmp(op, ">=") == 0 && a >= b;
}

static bool compare(struct run *r, int64_t got)
{
    int64_t want;

    if (r->n != 4 || !need(r, 3, &want))
        return run_fail(r, "expected: %s NAME OP VALUE", r->w[0]);
    return holds(got, r->w[2], want) || run_fail(r, "%s is %lld, expected %s %lld", r->w[1],
                                                 (long long)got, r->w[2], (long long)want);
}

static bool of_stack(const struct peer *p, const char *name, int64_t *out)
{
    if (strcmp(name, "conns") == 0)
        *out = p->t->conns.used;
    else if (strcmp(name, "reqs") == 0)
        *out = p->t->reqs.used;
    else if (strcmp(name, "tws") == 0)
        *out = p->t->tws.used;
    else if (strcmp(name, "flows") == 0)
        *out = p->t->flow.used;
    else if (strcmp(name, "buffers") == 0)
        *out = p->pool.out;
    else if (strcmp(name, "rxmem") == 0)
        *out = (int64_t)p->t->rx_used_b;
    else if (strcmp(name, "orphans") == 0)
        *out = p->t->orphans;
    else if (strcmp(name, "sent") == 0)
        *out = (int64_t)p->sent;
    else
        return false;
    return true;
}

#define VARS(X)                                                                                    \
    X("cwnd", c->cwnd)                                                                             \
    X("ssthresh", c->ssthresh)                                                                     \
    X("mss", c->snd_mss)                                                                           \
    X("rto_ms", c->rto_us / 1000)                                                                  \
    X("srtt_ms", c->srtt_us / 1000)                                                                \
    X("flight", tcp_in_flight(c))                                                                  \
    X("snd_wnd", c->snd_wnd)                                                                       \
    X("snd_ws", c->snd_wscale)                                                                     \
    X("rcv_ws", c->rcv_wscale)                                                                     \
    X("ooo", c->ooo_n) X("queued", c->rx_b) X("unsent", c->tx_unsent_b) X("tx", c->tx_b)           \
        X("backoff", c->backoff) X("rcvbuf", c->rcvbuf) X("truesize", c->rx_true_b)                \
            X("sacked", c->sacked_b) X("lost", c->lost_b) X("sack", (c->opts & TCP_OPT_SACK) != 0) \
                X("ts", (c->opts & TCP_OPT_TS) != 0) X("ecn", (c->opts & TCP_OPT_ECN) != 0)        \
                    X("recovery", (c->flags & TCPF_RECOVERY) != 0) X("iw", c->cwnd / c->snd_mss)   \
                        X("ts_recent", c->ts_recent) X("reo", c->reo_incr)

static bool of_conn(const struct tcp_conn *c, const char *name, int64_t *out)
{
#define X(text, value)             \
    if (strcmp(name, text) == 0) { \
        *out = (int64_t)(value);   \
        return true;               \
    }
    VARS(X)
#undef X
    return false;
}

bool step_var(struct run *r)
{
    uint16_t port = r->p->active ? PEER_PORT : PEER_RPORT;
    const struct tcp_conn *c = peer_conn(r->p, port);
    int64_t got;

    if (r->n != 4)
        return run_fail(r, "expected: var NAME OP VALUE");
    if (of_stack(r->p, r->w[1], &got))
        return compare(r, got);
    if (!c)
        return run_fail(r, "there is no connection");
    return of_conn(c, r->w[1], &got) ? compare(r, got) : run_fail(r, "no such variable");
}

bool step_ctr(struct run *r)
{
    if (r->n != 4)
        return run_fail(r, "expected: ctr NAME OP VALUE");
    for (unsigned i = 0; i < TCP_CTR_COUNT; i++) {
        const char *name = tcp_ctr_desc[i].name;
        size_t skip = strncmp(name, "TcpExt", 6) == 0 ? 6 : 3;

        if (strcmp(name, r->w[1]) == 0 || strcmp(name + skip, r->w[1]) == 0)
            return compare(r, (int64_t)(r->p->t->ctr[i] - r->p->ctr0[i]));
    }
    return run_fail(r, "no such counter");
}

/* --- settings --- */

#define SETTINGS(X)                                                                            \
    X(conns_max)                                                                               \
    X(reqs_max)                                                                                \
    X(tw_max)                                                                                  \
    X(orphans_max)                                                                             \
    X(reqs_per_prefix)                                                                         \
    X(conns_per_prefix)                                                                        \
    X(tx_budget_b)                                                                             \
    X(rx_budget_b)                                                                             \
    X(rcvbuf_start_b)                                                                          \
    X(rcvbuf_max_b) X(sndbuf_max_b) X(rto_min_us) X(rto_max_us) X(rto_initial_us) X(delack_us) \
        X(syn_retries) X(user_timeout_ms) X(keep_idle_ms) X(keep_intvl_ms) X(keep_count)       \
            X(persist_max_ms) X(time_wait_ms) X(fin_wait2_ms) X(linger_ms) X(linger_b)         \
                X(initial_window) X(port_lo) X(port_hi) X(mss_max)

#define SWITCHES(X) X(timestamps) X(sack) X(window_scaling) X(ecn) X(pacing)

bool step_set(struct run *r)
{
    struct tcp_settings *s = &r->p->set;
    int64_t v;

    if (r->n != 3 || !need(r, 2, &v))
        return run_fail(r, "expected: set KEY VALUE");
#define X(name)                           \
    if (strcmp(r->w[1], #name) == 0) {    \
        s->name = (__typeof__(s->name))v; \
        return true;                      \
    }
    SETTINGS(X)
#undef X
#define X(name)                        \
    if (strcmp(r->w[1], #name) == 0) { \
        s->name = v != 0;              \
        return true;                   \
    }
    SWITCHES(X)
#undef X
    if (strcmp(r->w[1], "iss") == 0 || strcmp(r->w[1], "irs") == 0)
        return run_fail(r, "use the step \"%s\"", r->w[1]);
    return run_fail(r, "no such setting");
}
