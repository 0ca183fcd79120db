/* Steps of the application: what it does with its connection, and what it sees of it. */
#include "base/bytes.h"
#include "sim/script_internal.h"

uint16_t script_port(const struct run *r)
{
    return r->p->active ? PEER_PORT : PEER_RPORT;
}

static struct peer_app *the_app(struct run *r)
{
    struct peer_app *a = peer_app_of(r->p, script_port(r));

    if (!a)
        run_fail(r, "the application has no connection");
    return a;
}

bool step_write(struct run *r)
{
    struct peer_app *a = the_app(r);
    int64_t n;

    if (!a || !need(r, 1, &n))
        return false;
    tcp_begin(r->p->t, r->p->now);
    peer_app_write(r->p, a, (uint64_t)n);
    peer_turn(r->p);
    return true;
}

bool step_read(struct run *r)
{
    struct peer_app *a = the_app(r);
    int64_t n;

    if (!a || r->n < 2)
        return run_fail(r, "expected: read on|off|BYTES");
    tcp_begin(r->p->t, r->p->now);
    if (strcmp(r->w[1], "on") == 0 || strcmp(r->w[1], "off") == 0) {
        a->reads = r->w[1][1] == 'n';
        if (a->reads && a->s)
            stream_again(a->s);
    } else if (need(r, 1, &n)) {
        if (stream_readable(a->s) < n)
            return run_fail(r, "%u bytes are there", stream_readable(a->s));
        stream_consume(a->s, (uint32_t)n);
        a->got += (uint64_t)n;
    } else {
        return false;
    }
    peer_turn(r->p);
    return true;
}

bool step_end(struct run *r)
{
    struct peer_app *a = the_app(r);

    if (!a || !a->s)
        return run_fail(r, "nothing to end");
    tcp_begin(r->p->t, r->p->now);
    if (strcmp(r->w[0], "shutdown") == 0) {
        stream_shutdown(a->s);
    } else {
        if (strcmp(r->w[0], "close") == 0)
            stream_close(a->s);
        else
            stream_abort(a->s);
        a->s = NULL;
    }
    peer_turn(r->p);
    return true;
}

/* The application writes N bytes when it next has something to read. */
bool step_answer(struct run *r)
{
    struct peer_app *a = the_app(r);
    int64_t n;

    if (!a || !need(r, 1, &n))
        return false;
    a->answer = (uint64_t)n;
    return true;
}

bool step_refuse(struct run *r)
{
    return (r->p->refuse = true);
}

bool step_ev(struct run *r)
{
    static const char *const names[] = {"open", "readable", "writable", "eof", "closed"};
    struct peer_app *a = the_app(r);

    for (unsigned i = 0; a && r->n > 1 && i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], r->w[1]) != 0)
            continue;
        if (!(a->ev & 1u << i))
            return run_fail(r, "no such event came (those that came: %x)", a->ev);
        if (r->n > 2 && !strstr(stream_why_text(a->why), r->w[2]))
            return run_fail(r, "closed because: %s", stream_why_text(a->why));
        a->ev &= ~(1u << i);
        return true;
    }
    return run_fail(r, "expected: ev open|readable|writable|eof|closed [WORD]");
}

bool step_noev(struct run *r)
{
    struct peer_app *a = peer_app_of(r->p, script_port(r));

    return !a || !(a->ev & ~(STREAM_EV_WRITABLE | STREAM_EV_READABLE)) ||
           run_fail(r, "events came: %x", a->ev);
}

bool step_got(struct run *r)
{
    struct peer_app *a = the_app(r);
    int64_t n;

    if (!a || !need(r, 1, &n))
        return false;
    if (a->wrong)
        return run_fail(r, "the stream's content is wrong");
    return a->got == (uint64_t)n || run_fail(r, "%llu bytes were read", (unsigned long long)a->got);
}

bool step_state(struct run *r)
{
    const struct tcp_conn *c = peer_conn(r->p, script_port(r));
    const char *name = c ? tcp_state_name((enum tcp_state)c->state) : "none";

    return (r->n == 2 && strcmp(name, r->w[1]) == 0) || run_fail(r, "the state is %s", name);
}
