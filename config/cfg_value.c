#include "config/cfg_value.h"

#include "config/cfg_near.h"
#include "config/duration.h"

#include <stdlib.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {{"ms", 1},       {"s", 1000}, {"m", 60000}, {"h", 3600000},
                                        {"d", 86400000}, {"", 1000},  {NULL, 0}};
static const struct unit sizes[] = {{"k", 1 << 10}, {"K", 1 << 10}, {"m", 1 << 20}, {"M", 1 << 20},
                                    {"g", 1 << 30}, {"G", 1 << 30}, {"", 1},        {NULL, 0}};

static const struct {
    const char *word, *hint; /* what it is, and how to write it */
} types[CFG_T_COUNT] = {
    [CFG_T_BOOL] = {"true or false", NULL},
    [CFG_T_AUTO_BOOL] = {"true, false or \"auto\"", NULL},
    [CFG_T_INT] = {"a whole number", NULL},
    [CFG_T_SIZE] = {"a size", "write a number of bytes, or \"8k\", \"1m\", \"2g\""},
    [CFG_T_DURATION] = {"a duration",
                        "write a number of seconds, or \"200ms\", \"10s\", \"5m\", \"1h\", \"1d\""},
    [CFG_T_TEXT] = {"a text", NULL},
    [CFG_T_BODY] = {"a text", NULL},
    [CFG_T_LIST_TEXT] = {"a list of names with ':' between them", NULL},
    [CFG_T_NAME] = {"a name", "letters, digits, '.', '_' and '-'"},
    [CFG_T_TOKEN] = {"a token", "letters, digits and !#$%&'*+-.^_`|~"},
    [CFG_T_HOST] = {"a host name", NULL},
    [CFG_T_SERVER] = {"a host name", NULL},
    [CFG_T_AUTHORITY] = {"a host name with an optional port", NULL},
    [CFG_T_URL] = {"a URL", "write \"http://host/path\""},
    [CFG_T_PATH] = {"a path", NULL},
    [CFG_T_FILE] = {"a file name", NULL},
    [CFG_T_OUTFILE] = {"a file name", NULL},
    [CFG_T_FOLDER] = {"a folder", NULL},
    [CFG_T_SOCKET] = {"a file name", NULL},
    [CFG_T_MODE] = {"a file mode", "in quotes: \"0660\""},
    [CFG_T_ENUM] = {"one of the words", NULL},
    [CFG_T_ENDPOINT] = {"an address with a port",
                        "write \"10.0.0.1:443\" or \"[2001:db8::1]:443\""},
    [CFG_T_ADDRESS] = {"an address", "write \"10.0.0.1\" or \"2001:db8::1\""},
    [CFG_T_PREFIX] = {"an address with the length of its network", "write \"10.0.0.1/24\""},
    [CFG_T_REF] = {"a name", NULL},
    [CFG_T_CPUS] = {"\"auto\", a number, or a list of CPU numbers", NULL},
    [CFG_T_GROUP] = {"a group", "write { key = value; ... }"},
    [CFG_T_GROUPS] = {"a list of groups", "write ( { key = value; ... }, ... )"},
};

const char *cfg_type_word(enum cfg_type t)
{
    return types[t].word;
}

void cfg_want_begin(struct cfg_want *w)
{
    w->why = sb_of(w->why_text, sizeof(w->why_text));
    w->hint = sb_of(w->hint_text, sizeof(w->hint_text));
}

void cfg_raw_text(struct sb *s, const struct cfg_raw *raw)
{
    switch (raw->kind) {
    case CFG_RAW_INT:
        sb_fmt(s, "%lld", (long long)raw->i);
        break;
    case CFG_RAW_FLOAT:
        sb_fmt(s, "%g", raw->f);
        break;
    case CFG_RAW_BOOL:
        sb_str(s, raw->i ? "true" : "false");
        break;
    case CFG_RAW_TEXT:
        sb_json(s, span_first(span_str(raw->s), 60));
        if (strlen(raw->s) > 60)
            sb_str(s, "...");
        break;
    case CFG_RAW_OTHER:
        sb_str(s, raw->s);
        break;
    }
}

static bool is_not(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw)
{
    cfg_raw_text(&w->why, raw);
    sb_fmt(&w->why, " is not %s", types[k->type].word);
    if (types[k->type].hint)
        sb_str(&w->hint, types[k->type].hint);
    return false;
}

/* --- numbers --- */

static bool with_unit(const char *text, const struct unit *units, int64_t *out)
{
    int64_t n = 0;
    const char *p = text;

    for (; ascii_digit((uint8_t)*p); p++) {
        n = n * 10 + (*p - '0');
        if (n > 8000000000) /* times the largest unit, 1 GB, it still fits */
            return false;
    }
    if (p == text)
        return false;
    for (; units->name; units++) {
        if (strcmp(units->name, p) == 0) {
            *out = n * units->factor;
            return true;
        }
    }
    return false;
}

bool duration_parse(const char *text, int64_t *ms)
{
    return with_unit(text, durations, ms);
}

bool cfg_parse_duration(const struct cfg_raw *raw, int64_t *ms)
{
    if (raw->kind == CFG_RAW_TEXT)
        return duration_parse(raw->s, ms);
    if (raw->kind == CFG_RAW_INT && raw->i >= 0 && raw->i <= INT64_MAX / 1000) {
        *ms = raw->i * 1000;
        return true;
    }
    if (raw->kind == CFG_RAW_FLOAT && raw->f >= 0 && raw->f < 1e9) {
        *ms = (int64_t)(raw->f * 1000 + 0.5);
        return true;
    }
    return false;
}

bool cfg_parse_size(const struct cfg_raw *raw, int64_t *bytes)
{
    if (raw->kind == CFG_RAW_TEXT)
        return with_unit(raw->s, sizes, bytes);
    *bytes = raw->i;
    return raw->kind == CFG_RAW_INT && raw->i >= 0;
}

static bool number(const struct cfg_key *k, const struct cfg_raw *raw, int64_t *out)
{
    if (k->type == CFG_T_DURATION)
        return cfg_parse_duration(raw, out);
    if (k->type == CFG_T_SIZE)
        return cfg_parse_size(raw, out);
    *out = raw->i;
    return raw->kind == CFG_RAW_INT;
}

static bool all_digits(const char *text)
{
    const char *p = text + (text[0] == '-');

    return *p && strspn(p, "0123456789") == strlen(p);
}

struct cfg_raw cfg_raw_of(const struct cfg_key *k, const char *text)
{
    bool numeric = k->type == CFG_T_INT || k->type == CFG_T_SIZE || k->type == CFG_T_DURATION;
    bool boolean = k->type == CFG_T_BOOL || k->type == CFG_T_AUTO_BOOL;

    if (numeric && all_digits(text))
        return (struct cfg_raw){.kind = CFG_RAW_INT, .i = strtoll(text, NULL, 10)};
    if (boolean && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
        return (struct cfg_raw){.kind = CFG_RAW_BOOL, .i = text[0] == 't'};
    return (struct cfg_raw){.kind = CFG_RAW_TEXT, .s = text};
}

bool cfg_bound(const struct cfg_key *k, const char *text, int64_t *out)
{
    struct cfg_raw raw = text ? cfg_raw_of(k, text) : (struct cfg_raw){.kind = CFG_RAW_OTHER};

    return text && number(k, &raw, out);
}

static bool in_bounds(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw,
                      int64_t v)
{
    int64_t bound;

    if (cfg_bound(k, k->min, &bound) && v < bound) {
        cfg_raw_text(&w->why, raw);
        sb_fmt(&w->why, " is below %s", k->min);
        return false;
    }
    if (cfg_bound(k, k->max, &bound) && v > bound) {
        cfg_raw_text(&w->why, raw);
        sb_fmt(&w->why, " is above %s", k->max);
        return false;
    }
    return true;
}

static bool number_value(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw,
                         void *out)
{
    int64_t v;

    if (!number(k, raw, &v))
        return is_not(w, k, raw);
    if (!in_bounds(w, k, raw, v))
        return false;
    if (k->width == sizeof(uint64_t))
        *(uint64_t *)out = (uint64_t)v;
    else
        *(uint32_t *)out = (uint32_t)v;
    return true;
}

/* --- words --- */

static bool enum_value(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw,
                       uint32_t *out)
{
    struct cfg_near near = cfg_near_of(raw->kind == CFG_RAW_TEXT ? raw->s : "");

    for (uint32_t i = 0; raw->kind == CFG_RAW_TEXT && k->words[i]; i++) {
        if (strcmp(k->words[i], raw->s) == 0) {
            *out = i;
            return true;
        }
        cfg_near_try(&near, k->words[i]);
    }
    cfg_raw_text(&w->why, raw);
    sb_str(&w->why, " is not one of");
    for (uint32_t i = 0; k->words[i]; i++)
        sb_fmt(&w->why, "%s \"%s\"", i ? "," : "", k->words[i]);
    (void)cfg_near_hint(&near, &w->hint);
    return false;
}

static bool auto_bool_value(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw,
                            int *out)
{
    if (raw->kind == CFG_RAW_BOOL)
        *out = (int)raw->i;
    else if (raw->kind == CFG_RAW_TEXT && strcmp(raw->s, "auto") == 0)
        *out = -1;
    else
        return is_not(w, k, raw);
    return true;
}

static bool mode_value(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw,
                       uint32_t *out)
{
    char *end;
    unsigned long v;

    if (raw->kind != CFG_RAW_TEXT || !all_digits(raw->s) || strlen(raw->s) > 4)
        return is_not(w, k, raw);
    v = strtoul(raw->s, &end, 8);
    if (*end || v > 0777)
        return is_not(w, k, raw);
    *out = (uint32_t)v;
    return true;
}

/* --- addresses --- */

static bool endpoint_value(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw,
                           struct endpoint *out)
{
    struct span text = span_str(raw->kind == CFG_RAW_TEXT ? raw->s : "");
    char any[16];

    if (span_starts(text, SPAN_LIT("*:")) && text.len < 8) {
        int n =
            snprintf(any, sizeof(any), "0.0.0.0%.*s", (int)text.len - 1, (const char *)text.p + 1);

        text = span_of(any, (size_t)n);
    }
    if (!IS_OK(endpoint_parse(text, out)))
        return is_not(w, k, raw);
    if (ip_is_multicast(&out->addr)) {
        cfg_raw_text(&w->why, raw);
        sb_str(&w->why, ": nobody listens at a multicast address");
        return false;
    }
    return true;
}

static bool address_value(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw,
                          struct ip_addr *out)
{
    if (raw->kind != CFG_RAW_TEXT || !IS_OK(ip_parse(span_str(raw->s), out)))
        return is_not(w, k, raw);
    if (ip_is_any(out) || ip_is_multicast(out)) {
        cfg_raw_text(&w->why, raw);
        sb_str(&w->why, " is not the address of one host");
        return false;
    }
    return true;
}

static bool prefix_value(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw,
                         struct ip_prefix *out)
{
    struct span text = span_str(raw->kind == CFG_RAW_TEXT ? raw->s : "");

    if (span_find(text, '/') == text.len || !IS_OK(ip_prefix_parse(text, out)))
        return is_not(w, k, raw);
    if (ip_is_any(&out->addr) || ip_is_multicast(&out->addr)) {
        cfg_raw_text(&w->why, raw);
        sb_str(&w->why, " is not the address of one host");
        return false;
    }
    return true;
}

bool cfg_value(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw, void *out)
{
    switch (k->type) {
    case CFG_T_INT:
    case CFG_T_SIZE:
    case CFG_T_DURATION:
        return number_value(w, k, raw, out);
    case CFG_T_BOOL:
        *(bool *)out = raw->i != 0;
        return raw->kind == CFG_RAW_BOOL || is_not(w, k, raw);
    case CFG_T_AUTO_BOOL:
        return auto_bool_value(w, k, raw, (int *)out);
    case CFG_T_ENUM:
        return enum_value(w, k, raw, (uint32_t *)out);
    case CFG_T_MODE:
        return mode_value(w, k, raw, (uint32_t *)out);
    case CFG_T_ENDPOINT:
        return endpoint_value(w, k, raw, (struct endpoint *)out);
    case CFG_T_ADDRESS:
        return address_value(w, k, raw, (struct ip_addr *)out);
    case CFG_T_PREFIX:
        return prefix_value(w, k, raw, (struct ip_prefix *)out);
    case CFG_T_TEXT:
    case CFG_T_BODY:
    case CFG_T_LIST_TEXT:
    case CFG_T_NAME:
    case CFG_T_TOKEN:
    case CFG_T_HOST:
    case CFG_T_SERVER:
    case CFG_T_AUTHORITY:
    case CFG_T_URL:
    case CFG_T_PATH:
    case CFG_T_FILE:
    case CFG_T_OUTFILE:
    case CFG_T_FOLDER:
    case CFG_T_SOCKET:
        if (raw->kind != CFG_RAW_TEXT)
            return is_not(w, k, raw);
        return cfg_text_value(w, k, raw->s, (const char **)out);
    case CFG_T_REF:
    case CFG_T_CPUS:
    case CFG_T_GROUP:
    case CFG_T_GROUPS:
    case CFG_T_COUNT:
        break;
    }
    return is_not(w, k, raw);
}
