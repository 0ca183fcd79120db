#include "control/access_text.h"

#include <time.h>

#define NS_PER_S 1000000000ULL

/* What a directive stands for. */
enum kind {
    NOTHING,
    NUMBER,
    TEXT, /* a client may have chosen it */
    WORD, /* ours: digits, addresses, times, fixed words */
    BLANK /* nothing at all, where "-" would be wrong */
};

struct value {
    enum kind kind;
    uint64_t n;
    struct span s;
};

struct line {
    struct sb *out;
    const struct logfmt *format;
    const struct captures *captures;
    const struct access_rec *rec;
    uint64_t wall_ns;
    char word[320]; /* a WORD in the making */
};

static struct value number(uint64_t n)
{
    return (struct value){.kind = NUMBER, .n = n};
}

static struct value text(struct span s)
{
    return (struct value){.kind = s.p ? TEXT : NOTHING, .s = s};
}

static struct value word(struct span s)
{
    return (struct value){.kind = s.len ? WORD : NOTHING, .s = s};
}

/* --- escapes --- */

static char short_escape(uint8_t c)
{
    switch (c) {
    case '\b':
        return 'b';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    case '"':
    case '\\':
        return (char)c;
    default:
        return '\0';
    }
}

void access_escape(struct sb *s, struct span in)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.p[i];
        char name = short_escape(c);
        char hex[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};

        if (name) {
            sb_char(s, '\\');
            sb_char(s, name);
        } else if (c < ' ' || c >= 0x7f) {
            sb_put(s, span_of(hex, sizeof(hex)));
        } else {
            sb_char(s, (char)c);
        }
    }
}

/* --- times --- */

/* The format is the operator's, and may say %n: its result is text like any other. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static struct value formatted_time(struct line *l, const char *format, time_t sec)
{
    struct tm tm;
    size_t n;

    localtime_r(&sec, &tm);
    n = strftime(l->word, sizeof(l->word), format, &tm);
    return n ? text(span_of(l->word, n)) : (struct value){.kind = NOTHING};
}
#pragma GCC diagnostic pop

static struct value iso_time(struct line *l, uint64_t ns)
{
    time_t sec = (time_t)(ns / NS_PER_S);
    struct tm tm;
    size_t n;
    struct sb s;

    gmtime_r(&sec, &tm);
    n = strftime(l->word, sizeof(l->word), "%Y-%m-%dT%H:%M:%S", &tm);
    s = sb_of(l->word + n, sizeof(l->word) - n);
    sb_fmt(&s, ".%03uZ", (unsigned)(ns % NS_PER_S / 1000000));
    return word(span_of(l->word, n + s.len));
}

static struct value fraction(struct line *l, const char *format, uint64_t n)
{
    struct sb s = sb_of(l->word, sizeof(l->word));

    sb_fmt(&s, format[0] == '3' ? "%03u" : "%06u", (unsigned)n);
    return word(sb_span(&s));
}

static struct value time_value(struct line *l, const struct logfmt_token *t)
{
    uint64_t ns = (t->end ? l->rec->end_ns : l->rec->begin_ns) + l->wall_ns;
    time_t sec = (time_t)(ns / NS_PER_S);

    switch ((enum logfmt_time)t->which) {
    case LOGFMT_T_CLF:
        break;
    case LOGFMT_T_SEC:
        return number(ns / NS_PER_S);
    case LOGFMT_T_MSEC:
        return number(ns / 1000000);
    case LOGFMT_T_USEC:
        return number(ns / 1000);
    case LOGFMT_T_MSEC_FRAC:
        return fraction(l, "3", ns % NS_PER_S / 1000000);
    case LOGFMT_T_USEC_FRAC:
        return fraction(l, "6", ns % NS_PER_S / 1000);
    case LOGFMT_T_ISO:
        return iso_time(l, ns);
    case LOGFMT_T_STRFTIME:
        return formatted_time(l, (const char *)t->text.p, sec);
    }
    return formatted_time(l, "[%d/%b/%Y:%H:%M:%S %z]", sec);
}

static struct value duration(const struct line *l, uint32_t unit)
{
    static const uint64_t ns[] = {[LOGFMT_S] = NS_PER_S, [LOGFMT_MS] = 1000000, [LOGFMT_US] = 1000};

    return number((l->rec->end_ns - l->rec->begin_ns) / ns[unit]);
}

/* --- headers, cookies, variables --- */

/* The value of a cookie: "a=1; b=2" (RFC 6265 4.2.1), the first of its name. */
static struct value cookie(const struct line *l, const struct logfmt_token *t)
{
    struct span rest = captures_find(l->captures, l->rec, false, l->format->req[t->which]);

    while (rest.len) {
        struct span pair = span_trim(span_first(rest, span_find(rest, ';')));
        size_t eq = span_find(pair, '=');

        if (eq < pair.len && span_eq(span_trim(span_first(pair, eq)), t->text))
            return text(span_trim(span_from(pair, eq + 1)));
        rest = span_from(rest, span_find(rest, ';') + 1);
    }
    return (struct value){.kind = NOTHING};
}

static struct value reference(struct line *l)
{
    struct sb s = sb_of(l->word, sizeof(l->word));

    sb_fmt(&s, "%016llx", (unsigned long long)l->rec->ref);
    return word(sb_span(&s));
}

static struct value variable(struct line *l, enum logfmt_var which)
{
    const struct access_rec *r = l->rec;

    switch (which) {
    case LOGFMT_VAR_GENERATION:
        return number(r->gen);
    case LOGFMT_VAR_REF:
        return reference(l);
    case LOGFMT_VAR_UPSTREAM:
        return text(access_str(r, ACCESS_UPSTREAM));
    case LOGFMT_VAR_MEMBER:
        return text(access_str(r, ACCESS_MEMBER));
    case LOGFMT_VAR_REASON:
        return text(access_str(r, ACCESS_REASON));
    case LOGFMT_VAR_CORE:
        return number(r->core);
    case LOGFMT_VAR_COUNT:
        break;
    }
    return (struct value){.kind = NOTHING};
}

static struct value address(struct line *l, const struct ip_addr *a)
{
    struct sb s = sb_of(l->word, sizeof(l->word));

    ip_text(&s, a);
    return word(sb_span(&s));
}

static struct value query(struct line *l)
{
    struct span q = access_str(l->rec, ACCESS_QUERY);

    if (!q.p)
        return (struct value){.kind = BLANK};
    sb_char(l->out, '?');
    return q.len ? text(q) : (struct value){.kind = BLANK};
}

static struct value host_header(const struct line *l)
{
    struct span h = access_str(l->rec, ACCESS_HOST_HEADER);

    return text(h.len ? h : access_str(l->rec, ACCESS_HOST));
}

static struct value connection(const struct access_rec *r)
{
    return word(r->flags & ACCESS_ABORTED     ? SPAN_LIT("X")
                : r->flags & ACCESS_KEEPALIVE ? SPAN_LIT("+")
                                              : SPAN_LIT("-"));
}

static struct value value_of(struct line *l, const struct logfmt_token *t)
{
    const struct access_rec *r = l->rec;

    switch (t->op) {
    case LOGFMT_CLIENT_IP:
    case LOGFMT_CLIENT_HOST:
        return address(l, &r->client.addr);
    case LOGFMT_LOCAL_IP:
        return address(l, &r->local.addr);
    case LOGFMT_BODY_CLF:
        return r->body_b ? number(r->body_b) : (struct value){.kind = NOTHING};
    case LOGFMT_BODY:
        return number(r->body_b);
    case LOGFMT_COOKIE:
        return cookie(l, t);
    case LOGFMT_DURATION_US:
        return duration(l, LOGFMT_US);
    case LOGFMT_PROTOCOL:
        return word(r->minor ? SPAN_LIT("HTTP/1.1") : SPAN_LIT("HTTP/1.0"));
    case LOGFMT_REQ_HEADER:
        return text(captures_find(l->captures, r, false, l->format->req[t->which]));
    case LOGFMT_RESP_HEADER:
        return text(captures_find(l->captures, r, true, l->format->resp[t->which]));
    case LOGFMT_BYTES_IN:
        return number(r->bytes_in);
    case LOGFMT_BYTES_OUT:
        return number(r->bytes_out);
    case LOGFMT_BYTES_BOTH:
        return number(r->bytes_in + r->bytes_out);
    case LOGFMT_KEEPALIVE:
        return number(r->nth);
    case LOGFMT_REF_LETTER:
        return reference(l);
    case LOGFMT_METHOD:
        return text(access_str(r, ACCESS_METHOD));
    case LOGFMT_PORT:
        return number(t->which == LOGFMT_PORT_REMOTE ? r->client.port : r->local.port);
    case LOGFMT_QUERY:
        return query(l);
    case LOGFMT_REQUEST:
        return text(access_str(r, ACCESS_LINE));
    case LOGFMT_STATUS:
        return r->status ? number(r->status) : (struct value){.kind = NOTHING};
    case LOGFMT_TIME:
        return time_value(l, t);
    case LOGFMT_DURATION:
        return duration(l, t->which);
    case LOGFMT_USER:
        return text(access_str(r, ACCESS_USER));
    case LOGFMT_PATH:
        return text(access_str(r, ACCESS_PATH));
    case LOGFMT_HOST:
        return text(access_str(r, ACCESS_HOST));
    case LOGFMT_HOST_HEADER:
        return host_header(l);
    case LOGFMT_VIEW:
        return text(captures_find_view(l->captures, r, l->format->views[t->which].name));
    case LOGFMT_VARIABLE:
        return variable(l, (enum logfmt_var)t->which);
    case LOGFMT_CONNECTION:
        return connection(r);
    case LOGFMT_LITERAL:
    case LOGFMT_LOGNAME:
    case LOGFMT_OP_COUNT:
        break;
    }
    return (struct value){.kind = NOTHING};
}

/* --- the line --- */

/* %400,501{..}i: only these; %!200{..}i: all but these. */
static bool wanted(const struct logfmt_token *t, uint16_t status)
{
    bool listed = false;

    for (uint32_t i = 0; i < t->status_count; i++)
        listed |= t->statuses[i] == status;
    return t->status_count == 0 || listed != t->except;
}

static void put_json(struct sb *s, const struct value *v)
{
    if (v->kind == NUMBER)
        sb_u64(s, v->n);
    else if (v->kind == TEXT || v->kind == WORD)
        sb_json(s, v->s);
    else
        sb_str(s, "null");
}

static void put_text(struct sb *s, const struct value *v)
{
    if (v->kind == NUMBER)
        sb_u64(s, v->n);
    else if (v->kind == WORD)
        sb_put(s, v->s);
    else if (v->kind == TEXT)
        access_escape(s, v->s);
    else if (v->kind == NOTHING)
        sb_char(s, '-');
}

void access_text(struct sb *s, const struct logfmt *format, const struct captures *captures,
                 const struct access_rec *rec, uint64_t wall_ns)
{
    struct line l = {
        .out = s, .format = format, .captures = captures, .rec = rec, .wall_ns = wall_ns};

    for (uint32_t i = 0; i < format->count; i++) {
        const struct logfmt_token *t = &format->tokens[i];
        struct value v = {.kind = NOTHING};

        if (t->op == LOGFMT_LITERAL) {
            sb_put(s, t->text);
            continue;
        }
        if (wanted(t, rec->status))
            v = value_of(&l, t);
        if (format->json)
            put_json(s, &v);
        else
            put_text(s, &v);
    }
}
