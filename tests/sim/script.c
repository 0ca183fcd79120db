#include "sim/script.h"

#include "base/bytes.h"
#include "sim/script_internal.h"

bool run_fail(struct run *r, const char *fmt, ...)
{
    va_list args;
    size_t n;

    if (r->error[0])
        return false;
    n = (size_t)snprintf(r->error, SCRIPT_ERROR_B, "line %u: ", r->line);
    va_start(args, fmt);
    vsnprintf(r->error + n, SCRIPT_ERROR_B - n, fmt, args);
    va_end(args);
    return false;
}

/* Time passes; nothing may come out meanwhile. */
static bool pass(struct run *r, uint64_t until)
{
    if (!peer_wait(r->p, until))
        return true;
    return run_fail(r, "%u segments are there that nobody expected, the first with flags %02x",
                    r->p->outs, r->p->out[0].s.flags);
}

/* --- steps --- */

static bool start(struct run *r)
{
    if (r->p->t)
        return true;
    r->p->device.on = getenv("SCENARIO_DEVICE") != NULL;
    peer_start(r->p);
    return true;
}

static bool step_listen(struct run *r)
{
    (void)start(r);
    peer_listen(r->p, PEER_PORT);
    return true;
}

static bool step_connect(struct run *r)
{
    enum stream_why why;

    (void)start(r);
    why = peer_connect(r->p);
    if (r->n == 2)
        return strcmp(stream_why_text(why), r->w[1]) == 0 ||
               (why && strcmp(r->w[1], "refused") == 0) ||
               run_fail(r, "connect said: %s", stream_why_text(why));
    return why == STREAM_WHY_NONE || run_fail(r, "connect failed: %s", stream_why_text(why));
}

/* Waits until the stack would begin at this ISN (its clock runs through all numbers). */
static bool step_iss(struct run *r)
{
    struct tcp_tuple tuple;
    int64_t want;

    if (!need(r, 1, &want))
        return false;
    (void)start(r);
    memset(&tuple, 0, sizeof(tuple));
    tuple.laddr = r->p->us;
    tuple.raddr = r->p->them;
    tuple.lport = PEER_PORT;
    tuple.rport = PEER_RPORT;
    tcp_begin(r->p->t, r->p->now);
    r->p->now += (uint64_t)((uint32_t)want - tcp_clock_isn(r->p->t, &tuple)) << 6;
    tcp_begin(r->p->t, r->p->now);
    r->base = r->p->now;
    return true;
}

static bool step_irs(struct run *r)
{
    int64_t v;

    if (!need(r, 1, &v))
        return false;
    r->p->irs = (uint32_t)v;
    return true;
}

static bool step_mtu(struct run *r)
{
    int64_t v;

    if (!need(r, 1, &v))
        return false;
    r->p->mtu = (uint16_t)v;
    return true;
}

static bool step_quiet(struct run *r)
{
    int64_t ms;

    return need(r, 1, &ms) && pass(r, r->p->now + PEER_MS(ms));
}

/* Time passes, and what the stack sends is not looked at. */
static bool step_skip(struct run *r)
{
    struct peer_seg g;
    uint64_t end;
    int64_t ms;

    if (!need(r, 1, &ms))
        return false;
    for (end = r->p->now + PEER_MS(ms); peer_wait(r->p, end);)
        (void)peer_take(r->p, &g);
    return true;
}

static bool step_drain(struct run *r)
{
    struct peer_seg g;
    int64_t n = INT64_MAX;

    if (r->n > 1 && !need(r, 1, &n))
        return false;
    while (n-- > 0 && peer_take(r->p, &g))
        ;
    return r->n == 1 || n < 0 || run_fail(r, "fewer segments came");
}

static bool step_icmp(struct run *r)
{
    static const char *const kinds[] = {"soft", "hard", "toobig"};
    struct tcp_tuple tuple;
    int64_t seq, mtu = 0;
    uint32_t s;

    if (r->n < 3 || !need(r, 2, &seq) || (r->n > 3 && !need(r, 3, &mtu)))
        return run_fail(r, "expected: icmp soft|hard|toobig SEQ [MTU]");
    memset(&tuple, 0, sizeof(tuple));
    tuple.laddr = r->p->us;
    tuple.raddr = r->p->them;
    tuple.lport = r->p->active ? r->p->lport : PEER_PORT;
    tuple.rport = script_port(r);
    s = (uint32_t)seq + r->p->iss;
    tcp_begin(r->p->t, r->p->now);
    for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
        if (strcmp(kinds[k], r->w[1]) == 0) {
            if (k == TCP_ICMP_TOO_BIG && mtu >= 576) /* the IP layer remembers it, too */
                r->p->mtu = r->n > 4 ? r->p->mtu : (uint16_t)(mtu < r->p->mtu ? mtu : r->p->mtu);
            tcp_icmp_error(r->p->t, &tuple, s, (enum tcp_icmp)k, (uint16_t)mtu);
            peer_turn(r->p);
            return true;
        }
    }
    return run_fail(r, "no such error");
}

/* buffers off: the pool is empty; buffers on: it is not any more; buffers N: room for N more. */
static bool step_buffers(struct run *r)
{
    int64_t n;

    if (r->n == 2 && strcmp(r->w[1], "on") == 0)
        r->p->pool.cap = 100000;
    else if (r->n == 2 && strcmp(r->w[1], "off") == 0)
        r->p->pool.cap = 0;
    else if (need(r, 1, &n))
        r->p->pool.cap = r->p->pool.out + (uint32_t)n;
    else
        return false;
    return true;
}

static bool step_burst(struct run *r)
{
    r->burst = r->w[0][0] == 'b';
    if (!r->burst)
        peer_turn(r->p);
    return true;
}

static bool step_reiss(struct run *r)
{
    r->p->iss_known = false;
    return true;
}

static bool step_link(struct run *r)
{
    r->p->mute = r->n > 1 && strcmp(r->w[1], "off") == 0;
    return true;
}

/* The core was busy for that long: time has passed, and there was no turn. */
static bool step_busy(struct run *r)
{
    int64_t ms;

    if (!need(r, 1, &ms))
        return false;
    r->p->now += PEER_MS(ms);
    return true;
}

static bool one_line(struct run *r, const char *line);

/* open [OPTIONS]: listen, and a handshake over a path of 10 ms in which the peer offers these options. */
static bool step_open(struct run *r)
{
    char syn[256] = "< S 0:0 win 65535";

    if (r->n == 1)
        strcat(syn, " mss MSS sackok ts 1000 ws 7");
    for (unsigned i = 1; i < r->n; i++) {
        strncat(syn, " ", sizeof(syn) - strlen(syn) - 1);
        strncat(syn, r->w[i], sizeof(syn) - strlen(syn) - 1);
    }
    return one_line(r, "listen") && one_line(r, syn) && one_line(r, "> S. 0:0 ack 1") &&
           one_line(r, "+10 < . 1:1") && one_line(r, "ev open");
}

static const struct {
    const char *name;
    bool (*step)(struct run *r);
} steps[] = {
    {"listen", step_listen},   {"connect", step_connect}, {"iss", step_iss},
    {"irs", step_irs},         {"mtu", step_mtu},         {"write", step_write},
    {"read", step_read},       {"shutdown", step_end},    {"close", step_end},
    {"abort", step_end},       {"ev", step_ev},           {"noev", step_noev},
    {"got", step_got},         {"state", step_state},     {"quiet", step_quiet},
    {"skip", step_skip},       {"drain", step_drain},     {"icmp", step_icmp},
    {"buffers", step_buffers}, {"burst", step_burst},     {"flush", step_burst},
    {"reiss", step_reiss},     {"refuse", step_refuse},   {"<", step_put},
    {">", step_expect},        {"var", step_var},         {"ctr", step_ctr},
    {"set", step_set},         {"open", step_open},       {"link", step_link},
    {"answer", step_answer},   {"busy", step_busy},
};

/* "+10" or "+10..20" in front of a step: milliseconds. */
static bool when(struct run *r)
{
    const char *w = r->w[0], *dots;

    r->from = r->to = 0;
    if (w[0] != '+')
        return true;
    dots = strstr(w, "..");
    r->from = PEER_MS(strtod(w + 1, NULL));
    r->to = dots ? PEER_MS(strtod(dots + 2, NULL)) : r->from;
    memmove(r->w, r->w + 1, --r->n * sizeof(*r->w));
    if (r->n == 0)
        return run_fail(r, "a step is missing");
    if (strcmp(r->w[0], ">") == 0)
        return true;
    return pass(r, r->base + r->from);
}

static bool one_line(struct run *r, const char *line)
{
    char text[600], *save = NULL;

    snprintf(text, sizeof(text), "%s", line);
    r->n = 0;
    for (char *w = strtok_r(text, " \t", &save); w && r->n < SCRIPT_WORDS && w[0] != '#';
         w = strtok_r(NULL, " \t", &save))
        r->w[r->n++] = w;
    if (r->n == 0)
        return true;
    if (!when(r))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
        if (strcmp(steps[i].name, r->w[0]) != 0)
            continue;
        /* Setting up counts no time, and comparing neither. */
        if (!steps[i].step(r))
            return run_fail(r, "the step failed");
        if (r->p->t && strcmp(r->w[0], ">") != 0)
            r->base = r->p->now;
        return true;
    }
    return run_fail(r, "\"%s\" is no step", r->w[0]);
}

/* Lines [from, to), with "loop N ... end", one level deep in itself. */
static bool lines(struct run *r, const struct script *s, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        unsigned end = i + 1;
        uint64_t n;

        r->line = s->numbers[i];
        if (strncmp(s->lines[i], "loop ", 5) != 0) {
            if (!one_line(r, s->lines[i]))
                return false;
            continue;
        }
        while (end < to && strcmp(s->lines[end], "end") != 0)
            end++;
        n = strtoull(s->lines[i] + 5, NULL, 0);
        for (r->i = 0; r->i < n; r->i++) {
            if (!lines(r, s, i + 1, end))
                return false;
        }
        i = end;
    }
    return true;
}

bool script_run(const struct script *s, bool v6, char error[SCRIPT_ERROR_B])
{
    struct peer *p = (struct peer *)calloc(1, sizeof(*p));
    struct run r = {.p = p, .win = 65535, .error = error};
    const char *left;
    bool ok;

    error[0] = 0;
    peer_open(p, v6);
    r.base = p->now;
    ok = lines(&r, s, 0, s->count);
    if (ok && p->outs)
        ok = run_fail(&r, "at the end %u segments are there that nobody expected", p->outs);
    for (unsigned i = 0; ok && i < p->app_n && i < PEER_TUPLES; i++) {
        if (p->apps[i].wrong)
            ok = run_fail(&r, "the stream's content is wrong");
    }
    left = peer_close(p);
    if (ok && left)
        ok = run_fail(&r, "%s", left);
    free(p);
    return ok;
}
