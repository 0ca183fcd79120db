#include "base/view.h"

#include "base/siphash.h"

#include <stdlib.h>

enum sides { CLIENT = 1, SERVER = 2, BOTH = 3 };
enum argument { NO, NTH, MAY, ATTR, OID };

static const struct entry {
    const char *name;
    uint8_t what, sides, arg;
    const char *help;
} of_cert[] = {
#define OF_CERT(sym, name, sides, arg, help) {name, VIEW_##sym, sides, arg, help},
#define OF_CONN(sym, name, help)
#include "base/view.def"
#undef OF_CERT
#undef OF_CONN
};

static const struct {
    const char *name;
    uint8_t what;
    const char *help;
} of_conn[] = {
#define OF_CERT(sym, name, sides, arg, help)
#define OF_CONN(sym, name, help) {name, VIEW_##sym, help},
#include "base/view.def"
#undef OF_CERT
#undef OF_CONN
};

static const struct {
    const char *text;
    uint8_t side;
    bool apache;
} prefixes[] = {{"SSL_CLIENT_", VIEW_CLIENT, true},
                {"SSL_SERVER_", VIEW_SERVER, true},
                {"client.", VIEW_CLIENT, false},
                {"server.", VIEW_SERVER, false}};

/* Apache's short names of attributes (mod_ssl, "Environment Variables"). */
static const struct {
    const char *name, *oid;
} attributes[] = {
    {"C", "2.5.4.6"},
    {"ST", "2.5.4.8"},
    {"SP", "2.5.4.8"},
    {"L", "2.5.4.7"},
    {"O", "2.5.4.10"},
    {"OU", "2.5.4.11"},
    {"CN", "2.5.4.3"},
    {"T", "2.5.4.12"},
    {"I", "2.5.4.43"},
    {"G", "2.5.4.42"},
    {"S", "2.5.4.4"},
    {"D", "2.5.4.13"},
    {"UID", "0.9.2342.19200300.100.1.1"},
    {"Email", "1.2.840.113549.1.9.1"},
};

static bool is_apache(const struct entry *e)
{
    return e->name[0] >= 'A' && e->name[0] <= 'Z';
}

/* --- numbers and object identifiers --- */

static bool number(struct span s, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;

    if (s.len == 0 || s.len > 10)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_digit(s.p[i]))
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = (uint32_t)v;
    return v <= max;
}

static bool put_arc(struct view *v, uint32_t arc)
{
    int shift = 28;

    while (shift > 0 && arc >> shift == 0)
        shift -= 7;
    for (; shift >= 0; shift -= 7) {
        if (v->oid_b == VIEW_OID_B)
            return false;
        v->oid[v->oid_b++] = (uint8_t)((arc >> shift & 0x7f) | (shift ? 0x80 : 0));
    }
    return true;
}

/* "2.5.4.97" -> 55 04 61 (X.690 8.19) */
static bool oid(struct view *v, struct span text)
{
    uint32_t first = 0, arc;

    v->oid_b = 0;
    for (unsigned i = 0; text.len; i++) {
        size_t dot = span_find(text, '.');

        if (!number(span_first(text, dot), UINT32_MAX - 80, &arc))
            return false;
        text = span_from(text, dot + 1);
        if (i == 0) {
            first = arc;
            if (first > 2 || text.len == 0)
                return false;
            continue;
        }
        if (i == 1 && first < 2 && arc > 39)
            return false;
        if (!put_arc(v, i == 1 ? first * 40 + arc : arc))
            return false;
    }
    return v->oid_b > 0;
}

/* --- arguments --- */

/* Takes "_3" off the end. False: there is none, or it is too large. */
static bool take_index(struct span *s, uint16_t *n)
{
    size_t at = s->len;
    uint32_t v;

    while (at && ascii_digit(s->p[at - 1]))
        at--;
    if (at == s->len || at == 0 || s->p[at - 1] != '_' || !number(span_from(*s, at), 9999, &v))
        return false;
    *n = (uint16_t)v;
    s->len = at - 1;
    return true;
}

static bool attribute(struct view *v, struct span arg)
{
    if (arg.len > 4 && span_eq(span_from(arg, arg.len - 4), SPAN_LIT("_RAW"))) {
        v->raw = true;
        arg.len -= 4;
    }
    v->n = 0;
    (void)take_index(&arg, &v->n);
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        if (span_eq(arg, span_str(attributes[i].name)))
            return oid(v, span_str(attributes[i].oid));
    }
    return false;
}

static bool argument(const struct entry *e, struct view *v, struct span arg, const char **why)
{
    uint32_t n;

    v->n = 0;
    switch ((enum argument)e->arg) {
    case NO:
        return arg.len == 0;
    case NTH:
        *why = "a number follows, from 0";
        if (!number(arg, 9999, &n))
            return false;
        v->n = (uint16_t)n;
        return true;
    case MAY:
        v->n = VIEW_ALL;
        return arg.len == 0 || (take_index(&arg, &v->n) && arg.len == 0);
    case ATTR:
        *why = "one of C, ST, SP, L, O, OU, CN, T, I, G, S, D, UID, Email follows, then perhaps _n";
        return attribute(v, arg);
    case OID:
        *why = "an object identifier follows: 2.5.4.97";
        (void)take_index(&arg, &v->n);
        return oid(v, arg);
    }
    return false;
}

static bool cert_name(struct span name, uint8_t side, bool apache, struct view *out,
                      const char **why)
{
    for (size_t i = 0; i < ARRAY_LEN(of_cert); i++) {
        const struct entry *e = &of_cert[i];
        const char *what = NULL;

        if (is_apache(e) != apache || !(e->sides & (side == VIEW_CLIENT ? CLIENT : SERVER)) ||
            !span_starts(name, span_str(e->name)))
            continue;
        out->what = e->what;
        out->side = side;
        if (argument(e, out, span_from(name, strlen(e->name)), &what))
            return true;
        if (what)
            *why = what;
    }
    return false;
}

/* All that makes a value but the side, so that both sides' caches may use it. */
void view_key(struct view *v)
{
    static const struct sip_key key = {0x6e616d6573206f66, 0x2076696577732121};
    uint8_t all[VIEW_OID_B + 5] = {v->what, v->raw, (uint8_t)(v->n >> 8), (uint8_t)v->n, v->oid_b};

    memcpy(all + 5, v->oid, v->oid_b);
    v->key = siphash13(&key, all, 5 + (size_t)v->oid_b);
}

bool view_compile(struct span name, struct view *out, const char **why)
{
    *why = "there is no such variable";
    memset(out, 0, sizeof(*out));
    if (name.len > VIEW_NAME_MAX_B)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(of_conn); i++) {
        if (span_eq(name, span_str(of_conn[i].name))) {
            out->what = of_conn[i].what;
            out->side = VIEW_CONN;
            out->name = name;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        struct span prefix = span_str(prefixes[i].text);

        if (!span_starts(name, prefix))
            continue;
        if (!cert_name(span_from(name, prefix.len), prefixes[i].side, prefixes[i].apache, out, why))
            return false;
        view_key(out);
        out->name = name;
        return true;
    }
    return false;
}

/* Connection's names first, then each side's of a certificate. Control thread only: the names are made once. */
const char *view_name_at(unsigned i)
{
    static char names[2 * ARRAY_LEN(of_cert)][48];
    const struct entry *e;
    bool server;

    if (i < ARRAY_LEN(of_conn))
        return of_conn[i].name;
    i -= (unsigned)ARRAY_LEN(of_conn);
    if (i >= ARRAY_LEN(names))
        return NULL;
    e = &of_cert[i / 2];
    server = i % 2;
    snprintf(names[i], sizeof(names[i]), "%s%s%s",
             is_apache(e) ? (server ? "SSL_SERVER_" : "SSL_CLIENT_")
                          : (server ? "server." : "client."),
             e->name,
             e->arg == NTH    ? "0"
             : e->arg == ATTR ? "CN"
                              : "");
    return names[i];
}

/* --- text with views in it --- */

static bool add(struct view_text *out, struct span text, const struct view *v)
{
    if (out->count == VIEW_PARTS_MAX)
        return false;
    out->parts[out->count++] = (struct view_part){text, v};
    return true;
}

/* At a '%': what stands there. Moves *s behind it. */
static const char *part(struct arena *a, struct span *s, struct view_text *out)
{
    const char *why = "out of memory";
    struct view *v;
    size_t end;

    if (s->len >= 2 && s->p[1] == '%') {
        struct span percent = span_of(s->p, 1);

        *s = span_from(*s, 2);
        return add(out, percent, NULL) ? NULL : "too many parts";
    }
    end = span_find(*s, '}');
    /* Apache writes %{...}s in headers and %{...}x in logs; here both are right. */
    if (s->len < 2 || s->p[1] != '{' || end + 1 >= s->len ||
        (s->p[end + 1] != 's' && s->p[end + 1] != 'x'))
        return "'%' begins %{NAME}s, or is written %%";
    v = ARENA_NEW(a, struct view);
    if (!v || !view_compile(span_of(s->p + 2, end - 2), v, &why))
        return why;
    *s = span_from(*s, end + 2);
    return add(out, SPAN_NONE, v) ? NULL : "too many parts";
}

res view_text_compile(struct arena *a, const char *text, struct view_text *out, size_t *at,
                      const char **why)
{
    struct span s = span_str(arena_text(a, span_str(text)));

    *at = 0;
    *why = "out of memory";
    out->count = 0;
    out->parts = ARENA_ARRAY(a, struct view_part, VIEW_PARTS_MAX);
    if (!out->parts || !s.p)
        return ERR(NOMEM);
    while (s.len) {
        size_t n = span_find(s, '%');

        *at = strlen(text) - s.len;
        if (n) {
            *why = "too many parts";
            if (!add(out, span_first(s, n), NULL))
                return ERR(INVALID);
            s = span_from(s, n);
            continue;
        }
        *why = part(a, &s, out);
        if (*why)
            return ERR(INVALID);
    }
    return OK;
}

void view_help(FILE *f)
{
    fprintf(f, "| Variable | Meaning |\n|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(of_conn); i++)
        fprintf(f, "| `%s` | %s |\n", of_conn[i].name, of_conn[i].help);
    for (size_t i = 0; i < ARRAY_LEN(of_cert); i++) {
        static const char *const args[] = {"", "N", "", "ATTRIBUTE", "OID"};
        const struct entry *e = &of_cert[i];

        fprintf(f, "| `%s%s%s`", is_apache(e) ? "SSL_CLIENT_" : "client.", e->name, args[e->arg]);
        if (e->sides == BOTH)
            fprintf(f, ", `%s%s%s`", is_apache(e) ? "SSL_SERVER_" : "server.", e->name,
                    args[e->arg]);
        fprintf(f, " | %s |\n", e->help);
    }
}
