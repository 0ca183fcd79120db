#include "config/cfg_read.h"

#include "config/cfg_near.h"

#include <libconfig.h>
#include <stdarg.h>
#include <stdlib.h>

#define PATH_MAX_B 256

static bool read_group(struct cfg_reader *rd, const struct cfg_group *g, const char *path,
                       struct cfg_pos at, const config_setting_t *set, void *out);

static void *take(struct cfg_reader *rd, size_t n, size_t each)
{
    void *p = arena_get(&rd->cfg->arena, n ? n : 1, each);

    if (!p)
        rd->out_of_memory = true;
    return p;
}

static struct cfg_pos where(const struct cfg_reader *rd, const config_setting_t *set)
{
    return cfg_src_where(rd->src, config_setting_source_line(set));
}

static void mistake(struct cfg_reader *rd, struct cfg_pos at, const char *path, const char *key,
                    const char *hint, const char *fmt, ...) PRINTF_LIKE(6, 7);

static void mistake(struct cfg_reader *rd, struct cfg_pos at, const char *path, const char *key,
                    const char *hint, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    report_add(rd->report, REPORT_ERROR, at.file, at.line, hint, "%s%s%s%s%s", path,
               *path && *key ? "." : "", key, *path || *key ? ": " : "", text);
}

static struct cfg_raw raw_of(const config_setting_t *set)
{
    switch (config_setting_type(set)) {
    case CONFIG_TYPE_INT:
        return (struct cfg_raw){.kind = CFG_RAW_INT, .i = config_setting_get_int(set)};
    case CONFIG_TYPE_INT64:
        return (struct cfg_raw){.kind = CFG_RAW_INT, .i = config_setting_get_int64(set)};
    case CONFIG_TYPE_FLOAT:
        return (struct cfg_raw){.kind = CFG_RAW_FLOAT, .f = config_setting_get_float(set)};
    case CONFIG_TYPE_BOOL:
        return (struct cfg_raw){.kind = CFG_RAW_BOOL, .i = config_setting_get_bool(set)};
    case CONFIG_TYPE_STRING:
        return (struct cfg_raw){.kind = CFG_RAW_TEXT, .s = config_setting_get_string(set)};
    case CONFIG_TYPE_GROUP:
        return (struct cfg_raw){.kind = CFG_RAW_OTHER, .s = "a group"};
    default:
        return (struct cfg_raw){.kind = CFG_RAW_OTHER, .s = "a list"};
    }
}

static bool is_list(const config_setting_t *set)
{
    int t = config_setting_type(set);

    return t == CONFIG_TYPE_LIST || t == CONFIG_TYPE_ARRAY;
}

/* --- values --- */

static void pend(struct cfg_reader *rd, const struct cfg_node *node, const struct cfg_key *k,
                 struct cfg_pos at, const struct cfg_raw *raw, uint32_t *slot)
{
    struct cfg_pending *p;

    *slot = CFG_NONE;
    if (raw->kind != CFG_RAW_TEXT) {
        struct sb s = sb_of(rd->want.why_text, sizeof(rd->want.why_text));

        cfg_raw_text(&s, raw);
        mistake(rd, at, node->path, k->name, NULL, "%s is not the name of a %s", s.p,
                cfg_ns_word(k->ns));
        return;
    }
    p = (struct cfg_pending *)take(rd, 1, sizeof(*p));
    if (!p)
        return;
    *p = (struct cfg_pending){node, k,   at, arena_text(&rd->cfg->arena, span_str(raw->s)),
                              slot, NULL};
    if (!p->text)
        rd->out_of_memory = true;
    *rd->pending_end = p;
    rd->pending_end = &p->next;
}

static void read_value(struct cfg_reader *rd, const struct cfg_node *node, const struct cfg_key *k,
                       struct cfg_pos at, const struct cfg_raw *raw, void *out)
{
    if (k->type == CFG_T_REF) {
        pend(rd, node, k, at, raw, (uint32_t *)out);
        return;
    }
    cfg_want_begin(&rd->want);
    if (!cfg_value(&rd->want, k, raw, out))
        mistake(rd, at, node->path, k->name, rd->want.hint.len ? rd->want.hint.p : NULL, "%s",
                rd->want.why.p);
}

static bool count_ok(struct cfg_reader *rd, const struct cfg_node *node, const struct cfg_key *k,
                     const config_setting_t *set, int n)
{
    if (!k->max || n <= (int)strtol(k->max, NULL, 10))
        return true;
    mistake(rd, where(rd, set), node->path, k->name, NULL, "%d elements, more than %s", n, k->max);
    return false;
}

/* A list of values; one value alone is a list of one. */
static void read_values(struct cfg_reader *rd, const struct cfg_node *node, const struct cfg_key *k,
                        const config_setting_t *set, void *out)
{
    struct cfg_list *list = (struct cfg_list *)out;
    bool many = is_list(set);
    int n = many ? config_setting_length(set) : 1;
    size_t each = cfg_value_size(k);

    if (!count_ok(rd, node, k, set, n))
        return;
    list->v = take(rd, (size_t)n, each);
    list->n = list->v ? (uint32_t)n : 0;
    for (uint32_t i = 0; i < list->n; i++) {
        const config_setting_t *e = many ? config_setting_get_elem(set, i) : set;
        struct cfg_raw raw = raw_of(e);

        read_value(rd, node, k, where(rd, e), &raw, (char *)list->v + i * each);
    }
    if (n == 0 && (k->flags & CFG_NEEDED))
        mistake(rd, where(rd, set), node->path, k->name, NULL, "an empty list");
}

static void read_cpus(struct cfg_reader *rd, const struct cfg_node *node, const struct cfg_key *k,
                      const config_setting_t *set, struct cfg_cpus *out)
{
    struct cfg_key number = *k;
    struct cfg_raw raw = raw_of(set);
    int n = is_list(set) ? config_setting_length(set) : 0;

    number.type = CFG_T_INT;
    number.width = sizeof(uint32_t);
    if (raw.kind == CFG_RAW_INT) {
        number.min = "1";
        out->how = CFG_CPUS_COUNT;
        read_value(rd, node, &number, where(rd, set), &raw, &out->count);
    } else if (is_list(set) && n > 0 && count_ok(rd, node, k, set, n)) {
        number.min = "0";
        number.max = "4095";
        out->how = CFG_CPUS_LIST;
        out->v = (uint32_t *)take(rd, (size_t)n, sizeof(uint32_t));
        out->n = out->v ? (uint32_t)n : 0;
        for (uint32_t i = 0; i < out->n; i++) {
            const config_setting_t *e = config_setting_get_elem(set, i);

            raw = raw_of(e);
            read_value(rd, node, &number, where(rd, e), &raw, &out->v[i]);
        }
    } else if (raw.kind != CFG_RAW_TEXT || strcmp(raw.s, "auto") != 0) {
        read_value(rd, node, k, where(rd, set), &raw, out); /* says what it should be */
    }
}

/* --- groups --- */

/* "hosts[gw.example]": by what people call it, or else by its number. */
static const char *element_path(struct cfg_reader *rd, const char *parent, const char *key,
                                const config_setting_t *set, uint32_t index)
{
    static const char *const labels[] = {"name", "path", "address"};
    char text[PATH_MAX_B];
    struct sb s = sb_of(text, sizeof(text));
    const char *label = NULL;

    for (size_t i = 0; i < ARRAY_LEN(labels) && !label; i++) {
        if (config_setting_type(set) != CONFIG_TYPE_GROUP ||
            !config_setting_lookup_string(set, labels[i], &label))
            label = NULL;
    }
    sb_fmt(&s, "%s%s%s[", parent, *parent ? "." : "", key);
    if (label && strlen(label) <= 64 && label[0] &&
        strcspn(label, "\n\r\t\x1b[]\"") == strlen(label))
        sb_str(&s, label);
    else
        sb_u64(&s, index);
    sb_char(&s, ']');
    return arena_text(&rd->cfg->arena, sb_span(&s));
}

static void read_groups(struct cfg_reader *rd, const struct cfg_node *node, const struct cfg_key *k,
                        const config_setting_t *set, void *out)
{
    struct cfg_list *list = (struct cfg_list *)out;
    struct cfg_raw raw = raw_of(set);
    int n = is_list(set) ? config_setting_length(set) : -1;

    if (n < 0 || (n > 0 && config_setting_type(set) == CONFIG_TYPE_ARRAY)) {
        read_value(rd, node, k, where(rd, set), &raw, NULL); /* says what it should be */
        return;
    }
    if (n == 0 && (k->flags & CFG_NEEDED))
        mistake(rd, where(rd, set), node->path, k->name, NULL, "an empty list");
    if (!count_ok(rd, node, k, set, n))
        return;
    list->v = take(rd, (size_t)n, k->members->size);
    for (uint32_t i = 0; list->v && i < (uint32_t)n; i++) {
        const config_setting_t *e = config_setting_get_elem(set, i);
        const char *path = element_path(rd, node->path, k->name, e, i);

        if (!path)
            rd->out_of_memory = true;
        else if (read_group(rd, k->members, path, where(rd, e), e,
                            (char *)list->v + list->n * k->members->size))
            list->n++;
    }
}

/* A group inside a group; `set` is NULL when it is not in the file. */
static void read_member(struct cfg_reader *rd, const struct cfg_node *node, const struct cfg_key *k,
                        const config_setting_t *set, void *out)
{
    char text[PATH_MAX_B];
    struct sb s = sb_of(text, sizeof(text));
    const char *path;
    void *group;

    if (!set && (k->flags & CFG_OPTIONAL))
        return;
    sb_fmt(&s, "%s%s%s", node->path, *node->path ? "." : "", k->name);
    path = arena_text(&rd->cfg->arena, sb_span(&s));
    group = take(rd, 1, k->members->size);
    if (!path || !group) {
        rd->out_of_memory = true;
        return;
    }
    /* A group that was no group: said, and then as if it had not been there. */
    if (!read_group(rd, k->members, path, set ? where(rd, set) : node->pos[0], set, group))
        (void)read_group(rd, k->members, path, node->pos[0], NULL, group);
    *(void **)out = group;
}

static void read_key(struct cfg_reader *rd, const struct cfg_node *node, const struct cfg_key *k,
                     const config_setting_t *set, void *out)
{
    struct cfg_raw raw = raw_of(set);

    if (k->type == CFG_T_GROUP)
        read_member(rd, node, k, set, out);
    else if (k->type == CFG_T_GROUPS)
        read_groups(rd, node, k, set, out);
    else if (k->type == CFG_T_CPUS)
        read_cpus(rd, node, k, set, (struct cfg_cpus *)out);
    else if (k->flags & CFG_LIST)
        read_values(rd, node, k, set, out);
    else
        read_value(rd, node, k, where(rd, set), &raw, out);
}

/* What holds when the key is not in the file. */
static void default_key(struct cfg_reader *rd, const struct cfg_node *node, const struct cfg_key *k,
                        void *out)
{
    struct cfg_raw raw;

    if (k->flags & CFG_NEEDED) {
        mistake(rd, node->pos[0], node->path, k->name, NULL, "is missing");
    } else if (k->type == CFG_T_GROUP) {
        read_member(rd, node, k, NULL, out);
    } else if (k->type == CFG_T_REF && !(k->flags & CFG_LIST)) {
        *(uint32_t *)out = CFG_NONE;
    } else if (k->def && (k->flags & CFG_LIST)) {
        struct cfg_list *list = (struct cfg_list *)out;

        raw = cfg_raw_of(k, k->def);
        list->v = take(rd, 1, cfg_value_size(k));
        list->n = list->v ? 1 : 0;
        if (list->v)
            read_value(rd, node, k, node->pos[0], &raw, list->v);
    } else if (k->def && k->type != CFG_T_CPUS) {
        raw = cfg_raw_of(k, k->def);
        read_value(rd, node, k, node->pos[0], &raw, out);
    }
}

static void unknown_key(struct cfg_reader *rd, const struct cfg_node *node,
                        const config_setting_t *set)
{
    const char *name = config_setting_name(set);
    struct cfg_near near = cfg_near_of(name);
    char text[128];
    struct sb hint = sb_of(text, sizeof(text));

    for (uint32_t i = 0; i < node->group->count; i++)
        cfg_near_try(&near, node->group->keys[i].name);
    (void)cfg_near_hint(&near, &hint);
    for (uint32_t i = 0; i < cfg_group_count && hint.len == 0; i++) {
        if (cfg_key_find(cfg_groups[i], name))
            sb_fmt(&hint,
                   cfg_groups[i] == &cfg_group_root ? "it stands at top level"
                                                    : "there is one in \"%s\"",
                   cfg_groups[i]->name);
    }
    mistake(rd, where(rd, set), node->path, name, hint.len ? text : NULL, "unknown key");
}

/* `set` may be NULL: all defaults, at the place `at`. False: it is not a group, which has been said. */
static bool read_group(struct cfg_reader *rd, const struct cfg_group *g, const char *path,
                       struct cfg_pos at, const config_setting_t *set, void *out)
{
    struct cfg_node *node = (struct cfg_node *)out;
    struct cfg_pos *pos;

    if (set && config_setting_type(set) != CONFIG_TYPE_GROUP) {
        struct cfg_raw raw = raw_of(set);
        struct sb s = sb_of(rd->want.why_text, sizeof(rd->want.why_text));

        cfg_raw_text(&s, &raw);
        mistake(rd, at, path, "", "write { key = value; ... }", "%s is not a group", s.p);
        return false;
    }
    pos = (struct cfg_pos *)take(rd, g->count + 1, sizeof(*pos));
    if (!pos)
        return false;
    pos[0] = at;
    *node = (struct cfg_node){g, path, pos};
    for (int i = 0; set && i < config_setting_length(set); i++) {
        const config_setting_t *child = config_setting_get_elem(set, (unsigned)i);
        const struct cfg_key *k = cfg_key_find(g, config_setting_name(child));

        if (!k) {
            unknown_key(rd, node, child);
            continue;
        }
        pos[1 + (k - g->keys)] = where(rd, child);
        read_key(rd, node, k, child, cfg_field(out, k));
    }
    for (uint32_t i = 0; i < g->count; i++) {
        if (pos[1 + i].line == 0)
            default_key(rd, node, &g->keys[i], cfg_field(out, &g->keys[i]));
    }
    return true;
}

/* --- the whole --- */

static void syntax_mistake(struct cfg_reader *rd, const config_t *tree)
{
    unsigned line = tree->error_line > 0 ? (unsigned)tree->error_line : 1;
    struct cfg_pos at = cfg_src_where(rd->src, line);
    const char *what = tree->error_text ? tree->error_text : "syntax error";
    const char *hint = NULL;
    struct sb s = sb_of(rd->want.why_text, sizeof(rd->want.why_text));

    if (strcmp(what, "duplicate setting name") == 0)
        what = "this key has been given in the same group before";
    else if (strcmp(what, "mismatched element type in array") == 0)
        hint = "[ ] holds values of one type; ( ) holds anything";
    else
        hint = "a ';' or ',' may be missing before this, or a '=' in it";
    sb_json(&s, span_first(cfg_src_line(rd->src, line), 60));
    report_add(rd->report, REPORT_ERROR, at.file, at.line, hint, "%s: %s", what, s.p);
}

void cfg_read(struct cfg_reader *rd)
{
    config_t tree;

    config_init(&tree);
    if (!config_read_string(&tree, rd->src->text))
        syntax_mistake(rd, &tree);
    else
        (void)read_group(rd, &cfg_group_root, "", (struct cfg_pos){rd->cfg->file, 0},
                         config_root_setting(&tree), rd->cfg);
    config_destroy(&tree);
}
