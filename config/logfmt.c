#include "config/logfmt.h"

#include "config/cfg_near.h"

enum argument { NO, MAY, MUST };

static const struct directive {
    char letter;
    enum logfmt_op op;
    enum argument arg;
    const char *help;
} directives[] = {
#define DIRECTIVE(letter, sym, arg, help) {letter, LOGFMT_##sym, arg, help},
#define VARIABLE(sym, name, help)
#include "config/logfmt.def"
#undef DIRECTIVE
#undef VARIABLE
};

static const struct {
    const char *name, *help;
} variables[LOGFMT_VAR_COUNT] = {
#define DIRECTIVE(letter, sym, arg, help)
#define VARIABLE(sym, name, help) [LOGFMT_VAR_##sym] = {name, help},
#include "config/logfmt.def"
#undef DIRECTIVE
#undef VARIABLE
};

static const struct {
    const char *name, *format;
    bool json;
} presets[] = {
    {"common", "%h %l %u %t \"%r\" %>s %b", false},
    {"combined", "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"", false},
    {"json",
     "{\"time\":%{iso}t,\"client\":%a,\"client_port\":%{remote}p,\"host\":%v,\"request\":%r,"
     "\"method\":%m,\"path\":%U,\"status\":%s,\"bytes_in\":%I,\"bytes_out\":%O,\"body\":%B,"
     "\"duration_us\":%D,\"referer\":%{Referer}i,\"user_agent\":%{User-Agent}i,"
     "\"tls\":%{SSL_PROTOCOL}x,\"cipher\":%{SSL_CIPHER}x,\"sni\":%{SSL_TLS_SNI}x,"
     "\"resumed\":%{SSL_SESSION_RESUMED}x,\"verify\":%{SSL_CLIENT_VERIFY}x,"
     "\"subject\":%{SSL_CLIENT_S_DN}x,\"issuer\":%{SSL_CLIENT_I_DN}x,"
     "\"serial\":%{SSL_CLIENT_M_SERIAL}x,\"upstream\":%{upstream}x,\"member\":%{member}x,"
     "\"reason\":%{reason}x,\"ref\":%{ref}x,\"generation\":%{generation}x,\"core\":%{core}x}",
     true},
};

struct compiler {
    struct arena *arena;
    struct logfmt *out;
    struct logfmt_mistake *m;
    const char *format;
    size_t at;
    char literal[4097];
    size_t literal_len;
};

static bool wrong(struct compiler *c, size_t at, const char *what)
{
    c->m->at = at;
    snprintf(c->m->what, sizeof(c->m->what), "%s", what);
    return false;
}

static struct logfmt_token *add(struct compiler *c)
{
    if (c->out->count == LOGFMT_TOKENS_MAX) {
        wrong(c, c->at, "too many directives");
        return NULL;
    }
    return &c->out->tokens[c->out->count++];
}

/* --- literals --- */

static bool flush(struct compiler *c)
{
    struct logfmt_token *t;

    if (c->literal_len == 0)
        return true;
    t = add(c);
    if (!t)
        return false;
    t->op = LOGFMT_LITERAL;
    t->text = arena_copy(c->arena, span_of(c->literal, c->literal_len));
    c->literal_len = 0;
    return t->text.p || wrong(c, c->at, "out of memory");
}

static void literal(struct compiler *c, char ch)
{
    c->literal[c->literal_len++] = ch; /* never longer than the format */
}

/* As Apache: \n and \t are what they are elsewhere, any other backslash is itself. */
static bool backslash(struct compiler *c)
{
    char next = c->format[c->at + 1];

    if (next == 'n' || next == 'r')
        return wrong(c, c->at, "an end of line inside of a line");
    if (next == 't' || next == '\\' || next == '"') {
        literal(c, next == 't' ? '\t' : next);
        c->at += 2;
        return true;
    }
    literal(c, '\\');
    c->at++;
    return true;
}

/* --- arguments --- */

static bool header(struct compiler *c, struct logfmt_token *t, struct span name, struct span *list,
                   uint32_t *count)
{
    uint8_t lower[128];

    if (name.len > sizeof(lower))
        return wrong(c, c->at, "this header name is too long");
    for (size_t i = 0; i < name.len; i++) {
        if (!ascii_alpha(name.p[i]) && !ascii_digit(name.p[i]) &&
            !strchr("!#$%&'*+-.^_`|~", name.p[i]))
            return wrong(c, c->at, "this is not the name of a header");
        lower[i] = ascii_lower(name.p[i]);
    }
    for (t->which = 0; t->which < *count; t->which++) {
        if (span_eq(list[t->which], span_of(lower, name.len)))
            return true;
    }
    if (*count == LOGFMT_HEADERS_MAX)
        return wrong(c, c->at, "more than 32 different headers");
    list[*count] = arena_copy(c->arena, span_of(lower, name.len));
    return list[(*count)++].p || wrong(c, c->at, "out of memory");
}

static bool cookie(struct compiler *c, struct logfmt_token *t, struct span name)
{
    t->text = arena_copy(c->arena, name);
    if (!t->text.p)
        return wrong(c, c->at, "out of memory");
    return header(c, t, SPAN_LIT("cookie"), c->out->req, &c->out->req_count);
}

static bool view(struct compiler *c, struct logfmt_token *t, const struct view *v)
{
    struct logfmt *f = c->out;

    t->op = LOGFMT_VIEW;
    for (t->which = 0; t->which < f->view_count; t->which++) {
        if (span_eq(f->views[t->which].name, v->name))
            return true;
    }
    if (f->view_count == LOGFMT_VIEWS_MAX)
        return wrong(c, c->at, "more than 32 different variables");
    f->views[f->view_count] = *v;
    f->views[f->view_count].name = arena_copy(c->arena, v->name);
    return f->views[f->view_count++].name.p || wrong(c, c->at, "out of memory");
}

static bool variable(struct compiler *c, struct logfmt_token *t, struct span name)
{
    char text[CFG_NEAR_MAX + 1];
    struct sb word = sb_of(text, sizeof(text)), hint = sb_of(c->m->hint, sizeof(c->m->hint));
    struct cfg_near near;
    const char *why, *candidate;
    struct view v;

    sb_put(&word, name);
    near = cfg_near_of(text);
    for (t->which = 0; t->which < LOGFMT_VAR_COUNT; t->which++) {
        if (span_eq(name, span_str(variables[t->which].name)))
            return true;
        cfg_near_try(&near, variables[t->which].name);
    }
    if (view_compile(name, &v, &why))
        return view(c, t, &v);
    for (unsigned i = 0; (candidate = view_name_at(i)); i++)
        cfg_near_try(&near, candidate);
    (void)cfg_near_hint(&near, &hint);
    return wrong(c, c->at, why);
}

static bool time_argument(struct compiler *c, struct logfmt_token *t, struct span arg)
{
    static const struct {
        const char *name;
        enum logfmt_time which;
    } words[] = {{"sec", LOGFMT_T_SEC},
                 {"msec", LOGFMT_T_MSEC},
                 {"usec", LOGFMT_T_USEC},
                 {"msec_frac", LOGFMT_T_MSEC_FRAC},
                 {"usec_frac", LOGFMT_T_USEC_FRAC},
                 {"iso", LOGFMT_T_ISO},
                 {"", LOGFMT_T_CLF}};

    t->end = span_starts(arg, SPAN_LIT("end:"));
    if (t->end)
        arg = span_from(arg, 4);
    else if (span_starts(arg, SPAN_LIT("begin:")))
        arg = span_from(arg, 6);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (span_eq(arg, span_str(words[i].name))) {
            t->which = words[i].which;
            return true;
        }
    }
    t->which = LOGFMT_T_STRFTIME;
    t->text = span_of(arena_text(c->arena, arg), arg.len);
    return t->text.p || wrong(c, c->at, "out of memory");
}

/* The index of `arg` among `words`; the empty argument is the first of them. */
static bool word_argument(struct compiler *c, struct logfmt_token *t, struct span arg,
                          const char *const *words, const char *what)
{
    for (t->which = 0; words[t->which]; t->which++) {
        if (span_eq(arg, span_str(words[t->which])))
            return true;
    }
    t->which = 0;
    return arg.len == 0 || wrong(c, c->at, what);
}

static bool argument(struct compiler *c, struct logfmt_token *t, struct span arg)
{
    static const char *const units[] = {"s", "ms", "us", NULL};
    static const char *const ports[] = {"local", "remote", "canonical", NULL};
    static const char *const sides[] = {"c", NULL};

    switch ((int)t->op) {
    case LOGFMT_REQ_HEADER:
        return header(c, t, arg, c->out->req, &c->out->req_count);
    case LOGFMT_RESP_HEADER:
        return header(c, t, arg, c->out->resp, &c->out->resp_count);
    case LOGFMT_COOKIE:
        return cookie(c, t, arg);
    case LOGFMT_VARIABLE:
        return variable(c, t, arg);
    case LOGFMT_TIME:
        return time_argument(c, t, arg);
    case LOGFMT_DURATION:
        return word_argument(c, t, arg, units, "%{...}T: s, ms or us");
    case LOGFMT_PORT:
        if (!word_argument(c, t, arg, ports, "%{...}p: local, remote or canonical"))
            return false;
        if (t->which > LOGFMT_PORT_REMOTE)
            t->which = LOGFMT_PORT_LOCAL;
        return true;
    case LOGFMT_CLIENT_IP:
    case LOGFMT_CLIENT_HOST:
        return word_argument(c, t, arg, sides, "only {c} here");
    default:
        return true;
    }
}

/* --- directives --- */

static bool statuses(struct compiler *c, struct logfmt_token *t)
{
    const char *p = c->format + c->at;
    uint32_t v = 0;

    for (; ascii_digit((uint8_t)*p) && v < 1000; p++)
        v = v * 10 + (uint32_t)(*p - '0');
    if (v < 100 || v > 599)
        return wrong(c, c->at, "this is not a status code");
    if (t->status_count == LOGFMT_STATUSES_MAX)
        return wrong(c, c->at, "more than 16 status codes");
    t->statuses[t->status_count++] = (uint16_t)v;
    c->at = (size_t)(p - c->format);
    return true;
}

/* Behind '%': !, statuses, <, >, {argument}, in any order as Apache has it; up to the letter. */
static bool modifiers(struct compiler *c, struct logfmt_token *t, struct span *arg, bool *has_arg)
{
    for (;;) {
        char ch = c->format[c->at];

        if (ch == '!') {
            t->except = true;
            c->at++;
        } else if (ch == '<' || ch == '>' || ch == ',') {
            c->at++;
        } else if (ascii_digit((uint8_t)ch)) {
            if (!statuses(c, t))
                return false;
        } else if (ch == '{') {
            const char *end = strchr(c->format + c->at, '}');

            if (!end)
                return wrong(c, c->at, "'{' without '}'");
            *arg = span_of(c->format + c->at + 1, (size_t)(end - c->format) - c->at - 1);
            *has_arg = true;
            c->at = (size_t)(end - c->format) + 1;
        } else {
            return true;
        }
    }
}

static bool directive(struct compiler *c)
{
    size_t begin = c->at++;
    struct logfmt_token *t;
    struct span arg = SPAN_NONE;
    bool has_arg = false;
    char what[64];

    if (c->format[c->at] == '%') {
        literal(c, '%');
        c->at++;
        return true;
    }
    if (!flush(c) || !(t = add(c)) || !modifiers(c, t, &arg, &has_arg))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
        const struct directive *d = &directives[i];

        if (d->letter != c->format[c->at])
            continue;
        t->op = d->op;
        if ((d->arg == MUST && arg.len == 0) || (d->arg == NO && has_arg)) {
            snprintf(what, sizeof(what),
                     d->arg == NO ? "%%%c takes no {}" : "%%{...}%c needs a name", d->letter);
            return wrong(c, begin, what);
        }
        if (!argument(c, t, arg))
            return false;
        c->at++;
        return true;
    }
    if (c->format[c->at])
        snprintf(what, sizeof(what), "there is no %%%c", c->format[c->at]);
    return wrong(c, begin, c->format[c->at] ? what : "'%' at the end");
}

static bool compile(struct compiler *c)
{
    while (c->format[c->at]) {
        char ch = c->format[c->at];

        if (ch == '%') {
            if (!directive(c))
                return false;
        } else if (ch == '\\') {
            if (!backslash(c))
                return false;
        } else if ((uint8_t)ch < ' ' && ch != '\t') {
            return wrong(c, c->at, "a control character");
        } else {
            literal(c, ch);
            c->at++;
        }
    }
    return flush(c);
}

res logfmt_compile(struct arena *a, const char *format, struct logfmt **out,
                   struct logfmt_mistake *m)
{
    struct compiler c = {.arena = a, .m = m, .format = format};

    *out = NULL;
    *m = (struct logfmt_mistake){0};
    c.out = ARENA_NEW(a, struct logfmt);
    if (c.out)
        c.out->tokens = ARENA_ARRAY(a, struct logfmt_token, LOGFMT_TOKENS_MAX);
    if (c.out)
        c.out->views = ARENA_ARRAY(a, struct view, LOGFMT_VIEWS_MAX);
    if (!c.out || !c.out->tokens || !c.out->views) {
        wrong(&c, 0, "out of memory");
        return ERR(NOMEM);
    }
    for (size_t i = 0; i < ARRAY_LEN(presets); i++) {
        if (strcmp(format, presets[i].name) == 0) {
            c.format = presets[i].format;
            c.out->json = presets[i].json;
        }
    }
    if (strlen(c.format) > 4096) {
        wrong(&c, 4096, "longer than 4096 characters");
        return ERR(INVALID);
    }
    if (!compile(&c))
        return ERR(INVALID);
    *out = c.out;
    return OK;
}

void logfmt_help(FILE *f)
{
    fprintf(f, "| Directive | Meaning |\n|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(directives); i++)
        fprintf(f, "| `%%%c` | %s |\n", directives[i].letter, directives[i].help);
    fprintf(f, "\n| Variable | Meaning |\n|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        fprintf(f, "| `%%{%s}x` | %s |\n", variables[i].name, variables[i].help);
    fprintf(f, "\nAnd these, which headers and rules know, too:\n\n");
    view_help(f);
    fprintf(f, "\n| Preset | Format |\n|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(presets); i++) {
        if (!presets[i].json)
            fprintf(f, "| `%s` | `%s` |\n", presets[i].name, presets[i].format);
    }
    fprintf(f, "| `json` | one JSON object with all of that, empty values as `null` |\n");
}
