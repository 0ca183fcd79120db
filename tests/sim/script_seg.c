#include "sim/script_internal.h"

#define SLACK_MS 2 /* the timer wheel's grain, up and down */

/* --- flags: letters as tcpdump has them --- */

static const struct {
    char letter;
    uint8_t flag;
} letters[] = {{'S', TCP_SYN}, {'F', TCP_FIN}, {'R', TCP_RST}, {'P', TCP_PSH},
               {'.', TCP_ACK}, {'U', TCP_URG}, {'E', TCP_ECE}, {'W', TCP_CWR}};

static bool flags_of(struct run *r, const char *text, uint8_t *out)
{
    *out = 0;
    for (; *text && strcmp(text, "0") != 0; text++) {
        uint8_t f = 0;

        for (unsigned i = 0; i < ARRAY_LEN(letters); i++)
            f |= letters[i].letter == *text ? letters[i].flag : 0;
        if (!f)
            return run_fail(r, "'%c' is no flag", *text);
        *out |= f;
    }
    return true;
}

static const char *flags_text(uint8_t f, char to[10])
{
    unsigned n = 0;

    for (unsigned i = 0; i < ARRAY_LEN(letters); i++) {
        if (f & letters[i].flag)
            to[n++] = letters[i].letter;
    }
    to[n] = 0;
    return to;
}

/* "A:B" or "A" */
static bool range(struct run *r, const char *text, int64_t *a, int64_t *b)
{
    char first[64];
    const char *colon = strchr(text, ':');

    if (!colon) {
        *b = 0;
        return expr(r, text, a) && (*b = *a, true);
    }
    snprintf(first, sizeof(first), "%.*s", (int)(colon - text), text);
    return expr(r, first, a) && expr(r, colon + 1, b);
}

/* --- what the peer sends --- */

static uint32_t peer_clock(const struct run *r)
{
    return r->peer_ts_base + (uint32_t)(r->p->now / 1000000);
}

static bool ts_option(struct run *r, struct tcp_hdr_plan *h, const char *text)
{
    int64_t val, ecr;

    if (!range(r, text, &val, &ecr))
        return run_fail(r, "\"%s\" is no time stamp", text);
    h->ts = true;
    if (h->flags & TCP_SYN) /* the peer's clock goes on from there */
        r->peer_ts_base = (uint32_t)val - (uint32_t)(r->p->now / 1000000);
    h->tsval = (uint32_t)val;
    h->tsecr = strchr(text, ':') ? (uint32_t)ecr : r->p->last_tsval;
    if (h->flags == TCP_SYN && !strchr(text, ':'))
        h->tsecr = 0;
    return true;
}

static bool put_word(struct run *r, struct peer_in *in, unsigned *at, bool *nots)
{
    const char *w = r->w[*at];
    int64_t a, b;

    if (strcmp(w, "sackok") == 0)
        return (in->h.sack_ok = true);
    if (strcmp(w, "nots") == 0)
        return (*nots = true);
    if (strcmp(w, "ce") == 0)
        return (in->ecn = 3) != 0;
    if (strcmp(w, "badcsum") == 0)
        return (in->flip = 16), true;
    if (strcmp(w, "other") == 0) /* other content than the stream has there */
        return (in->fill = 0xff) != 0;
    if (*at + 1 >= r->n)
        return run_fail(r, "\"%s\" needs a value, or is not known", w);
    ++*at;
    if (strcmp(w, "ts") == 0)
        return ts_option(r, &in->h, r->w[*at]);
    if (!range(r, r->w[*at], &a, &b))
        return run_fail(r, "\"%s\" is no number", r->w[*at]);
    if (strcmp(w, "ack") == 0)
        in->h.ack = (uint32_t)a + r->p->iss;
    else if (strcmp(w, "win") == 0)
        r->win = (uint16_t)a;
    else if (strcmp(w, "mss") == 0)
        in->h.mss = (uint16_t)a;
    else if (strcmp(w, "ws") == 0)
        in->h.wscale = (int8_t)a;
    else if (strcmp(w, "urg") == 0)
        in->urgent = (uint16_t)a;
    else if (strcmp(w, "from") == 0)
        in->peer_port = (uint16_t)a;
    else if (strcmp(w, "back") == 0) /* the echo is of that many milliseconds before the newest */
        in->h.tsecr = r->p->last_tsval - (uint32_t)a;
    else if (strcmp(w, "late") == 0)
        in->late_ns = PEER_MS(a);
    else if (strcmp(w, "offset") == 0)
        in->offset_words = (uint8_t)(a + 1);
    else if (strcmp(w, "reserved") == 0)
        in->reserved = (uint8_t)a & 0xf;
    else if (strcmp(w, "sack") == 0 && in->h.sacks < TCP_SACK_MAX)
        in->h.sack[in->h.sacks++] =
            (struct tcp_sack){(uint32_t)a + r->p->iss, (uint32_t)b + r->p->iss};
    else
        return run_fail(r, "\"%s\" is not known", w);
    return true;
}

/* Options as raw bytes: "raw 02,04,05,b4" */
static uint8_t raw_bytes(const char *text, uint8_t *to)
{
    uint8_t n = 0;

    while (*text && n < 40) {
        to[n++] = (uint8_t)strtoul(text, NULL, 16);
        text = strchr(text, ',');
        if (!text)
            break;
        text++;
    }
    while (n % 4)
        to[n++] = 0;
    return n;
}

bool step_put(struct run *r)
{
    struct peer_in in = {.flip = -1, .peer_port = r->p->active ? PEER_PORT : PEER_RPORT};
    bool nots = false;
    uint8_t raw[40];
    int64_t a, b;

    in.h.wscale = -1;
    if (r->n < 3 || !flags_of(r, r->w[1], &in.h.flags) || !range(r, r->w[2], &a, &b))
        return run_fail(r, "expected: < FLAGS FROM:TO [...]");
    in.h.seq = (uint32_t)a + r->p->irs;
    in.len = (uint32_t)(b - a);
    in.pattern_at = (uint32_t)(a - 1);
    if (in.h.flags & TCP_ACK)
        in.h.ack = r->p->snd_hi;
    for (unsigned i = 3; i < r->n; i++) {
        if (strcmp(r->w[i], "raw") == 0 && i + 1 < r->n) {
            in.raw_options_b = raw_bytes(r->w[++i], raw);
            in.raw_options = raw;
        } else if (!put_word(r, &in, &i, &nots)) {
            return false;
        }
    }
    in.h.wnd = r->win;
    if (in.h.flags & TCP_SYN)
        r->peer_ts = in.h.ts;
    else if (r->peer_ts && !nots && !in.h.ts) {
        in.h.ts = true;
        in.h.tsval = peer_clock(r);
        if (!in.h.tsecr)
            in.h.tsecr = r->p->last_tsval;
    }
    in.no_turn = r->burst;
    peer_put(r->p, &in);
    return true;
}

/* --- what is expected of the stack --- */

static const char *seg_text(const struct run *r, const struct peer_seg *g, char to[256])
{
    char f[10];
    int n = snprintf(to, 256, "%s %u:%u", flags_text(g->s.flags, f), g->s.seq - r->p->iss,
                     g->s.seq - r->p->iss + g->s.len);

    if (g->s.flags & TCP_ACK)
        n += snprintf(to + n, 256 - (size_t)n, " ack %u", g->s.ack - r->p->irs);
    n += snprintf(to + n, 256 - (size_t)n, " win %u", g->s.wnd);
    for (unsigned i = 0; i < g->s.sacks; i++)
        n += snprintf(to + n, 256 - (size_t)n, " sack %u:%u", g->s.sack[i].from - r->p->irs,
                      g->s.sack[i].to - r->p->irs);
    snprintf(to + n, 256 - (size_t)n, " at +%.3f ms", ((double)g->at - (double)r->base) / 1e6);
    return to;
}

static bool wrong(struct run *r, const struct peer_seg *g, const char *what)
{
    char text[256];

    return run_fail(r, "%s differs: it was %s", what, seg_text(r, g, text));
}

static bool absent(struct run *r, const struct peer_seg *g, const char *w, bool *known)
{
    *known = true;
    if (strcmp(w, "sackok") == 0)
        return g->s.sack_ok || wrong(r, g, "sackok");
    if (strcmp(w, "nosackok") == 0)
        return !g->s.sack_ok || wrong(r, g, "sackok");
    if (strcmp(w, "nots") == 0)
        return !g->s.has_ts || wrong(r, g, "ts");
    if (strcmp(w, "nows") == 0)
        return g->s.wscale < 0 || wrong(r, g, "ws");
    if (strcmp(w, "nosack") == 0)
        return g->s.sacks == 0 || wrong(r, g, "sack");
    if (strcmp(w, "hasts") == 0)
        return g->s.has_ts || wrong(r, g, "ts");
    if (strcmp(w, "ect") == 0)
        return g->ecn == 2 || wrong(r, g, "ecn");
    if (strcmp(w, "noect") == 0)
        return g->ecn == 0 || wrong(r, g, "ecn");
    *known = false;
    return false;
}

static bool check_word(struct run *r, const struct peer_seg *g, unsigned *at, unsigned *sacks)
{
    const char *w = r->w[*at];
    bool known, ok = absent(r, g, w, &known);
    int64_t a, b;

    if (known)
        return ok;
    if (*at + 1 >= r->n)
        return run_fail(r, "\"%s\" needs a value, or is not known", w);
    ++*at;
    if (strcmp(r->w[*at], "*") == 0)
        return true;
    if (!range(r, r->w[*at], &a, &b))
        return run_fail(r, "\"%s\" is no number", r->w[*at]);
    if (strcmp(w, "ack") == 0)
        return g->s.ack == (uint32_t)a + r->p->irs || wrong(r, g, w);
    if (strcmp(w, "rawack") == 0)
        return g->s.ack == (uint32_t)a || wrong(r, g, w);
    if (strcmp(w, "win") == 0)
        return g->s.wnd == (uint16_t)a || wrong(r, g, w);
    if (strcmp(w, "mss") == 0)
        return g->s.mss == (uint16_t)a || wrong(r, g, w);
    if (strcmp(w, "ws") == 0)
        return g->s.wscale == (int8_t)a || wrong(r, g, w);
    if (strcmp(w, "ecr") == 0)
        return (g->s.has_ts && g->s.tsecr == (uint32_t)a) || wrong(r, g, w);
    if (strcmp(w, "to") == 0)
        return g->peer_port == (uint16_t)a || wrong(r, g, w);
    if (strcmp(w, "sack") == 0) {
        struct tcp_sack want = {(uint32_t)a + r->p->irs, (uint32_t)b + r->p->irs};
        unsigned k = (*sacks)++;

        return (k < g->s.sacks && g->s.sack[k].from == want.from && g->s.sack[k].to == want.to) ||
               wrong(r, g, w);
    }
    return run_fail(r, "\"%s\" is not known", w);
}

static bool on_time(struct run *r, const struct peer_seg *g)
{
    uint64_t slack = PEER_MS(SLACK_MS), from = r->base + r->from, to = r->base + r->to;

    slack += (r->to - r->from ? 0 : r->to / 50);
    if (g->at + slack < from || g->at > to + slack)
        return wrong(r, g, "the time");
    return true;
}

bool step_expect(struct run *r)
{
    struct peer_seg g;
    unsigned sacks = 0;
    uint8_t flags;
    int64_t a, b;

    if (r->n < 3 || !flags_of(r, r->w[1], &flags) || !range(r, r->w[2], &a, &b))
        return run_fail(r, "expected: > FLAGS FROM:TO [...]");
    if (!peer_wait(r->p, r->base + r->to + r->to / 50 + PEER_MS(SLACK_MS)) || !peer_take(r->p, &g))
        return run_fail(r, "nothing came");
    if ((g.s.flags & (uint8_t)~TCP_PSH) != (flags & (uint8_t)~TCP_PSH) ||
        ((flags & TCP_PSH) && !(g.s.flags & TCP_PSH)))
        return wrong(r, &g, "flags");
    if (!(flags & TCP_RST) || (flags & TCP_ACK) || a) {
        if (g.s.seq != (uint32_t)a + r->p->iss)
            return wrong(r, &g, "the sequence number");
    }
    if (g.s.len != (uint32_t)(b - a))
        return wrong(r, &g, "the length");
    if (g.payload_wrong)
        return wrong(r, &g, "the content");
    if (!on_time(r, &g))
        return false;
    for (unsigned i = 3; i < r->n; i++) {
        if (!check_word(r, &g, &i, &sacks))
            return false;
    }
    if (sacks && sacks != g.s.sacks)
        return wrong(r, &g, "the number of SACK blocks");
    r->base = g.at;
    return true;
}
