/* A configuration as a file again, and what differs between two of them. */
#include "config/cfg_keys.h"

#include <stdlib.h>

static void show_group(const struct cfg *c, const struct cfg_group *g, const void *group,
                       bool given_only, int depth, FILE *f);

static void text(const char *s, FILE *f)
{
    fputc('"', f);
    for (; *s; s++) {
        uint8_t ch = (uint8_t)*s;

        if (ch == '"' || ch == '\\')
            fprintf(f, "\\%c", ch);
        else if (ch < ' ' || ch == 0x7f)
            fprintf(f, "\\x%02x", ch);
        else
            fputc(ch, f);
    }
    fputc('"', f);
}

static void duration(uint32_t ms, FILE *f)
{
    if (ms % 1000)
        fprintf(f, "\"%ums\"", ms);
    else
        fprintf(f, "%u", ms / 1000);
}

static void address(const struct cfg_key *k, const void *field, FILE *f)
{
    char buf[EP_TEXT_MAX + 8];
    struct sb s = sb_of(buf, sizeof(buf));
    const struct ip_prefix *p = (const struct ip_prefix *)field;

    if (k->type == CFG_T_ENDPOINT) {
        endpoint_text(&s, (const struct endpoint *)field);
    } else if (k->type == CFG_T_PREFIX) {
        ip_text(&s, &p->addr);
        sb_fmt(&s, "/%u", p->bits - (ip_is_v4(&p->addr) ? 96u : 0u));
    } else {
        ip_text(&s, (const struct ip_addr *)field);
    }
    text(buf, f);
}

static const char *name_of(const struct cfg *c, enum cfg_ns ns, uint32_t index)
{
    switch (ns) {
    case CFG_NS_TRUST:
        return c->trust.v[index].name;
    case CFG_NS_IDENTITY:
        return c->identities.v[index].name;
    case CFG_NS_UPSTREAM:
        return c->upstreams.v[index].name;
    case CFG_NS_HOST:
        return c->hosts.v[index].name;
    case CFG_NS_COUNT:
        break;
    }
    return "";
}

static void cpus(const struct cfg_cpus *v, FILE *f)
{
    if (v->how == CFG_CPUS_AUTO)
        fputs("\"auto\"", f);
    if (v->how == CFG_CPUS_COUNT)
        fprintf(f, "%u", v->count);
    if (v->how != CFG_CPUS_LIST)
        return;
    fputs("[ ", f);
    for (uint32_t i = 0; i < v->n; i++)
        fprintf(f, "%s%u", i ? ", " : "", v->v[i]);
    fputs(" ]", f);
}

static uint32_t number(const void *field)
{
    return *(const uint32_t *)field;
}

static void scalar(const struct cfg *c, const struct cfg_key *k, const void *field, FILE *f)
{
    switch (k->type) {
    case CFG_T_BOOL:
        fputs(*(const bool *)field ? "true" : "false", f);
        break;
    case CFG_T_AUTO_BOOL:
        fputs(number(field) == UINT32_MAX ? "\"auto\"" : number(field) ? "true" : "false", f);
        break;
    case CFG_T_INT:
    case CFG_T_SIZE:
        if (k->width == sizeof(uint64_t))
            fprintf(f, "%llu", (unsigned long long)*(const uint64_t *)field);
        else if (k->min && k->min[0] == '-')
            fprintf(f, "%d", (int)number(field));
        else
            fprintf(f, "%u", number(field));
        break;
    case CFG_T_DURATION:
        duration(number(field), f);
        break;
    case CFG_T_MODE:
        fprintf(f, "\"%04o\"", number(field));
        break;
    case CFG_T_ENUM:
        text(k->words[number(field)], f);
        break;
    case CFG_T_REF:
        text(name_of(c, k->ns, number(field)), f);
        break;
    case CFG_T_ENDPOINT:
    case CFG_T_ADDRESS:
    case CFG_T_PREFIX:
        address(k, field, f);
        break;
    case CFG_T_CPUS:
        cpus((const struct cfg_cpus *)field, f);
        break;
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
        text(*(const char *const *)field, f);
        break;
    case CFG_T_GROUP:
    case CFG_T_GROUPS:
    case CFG_T_COUNT:
        break;
    }
}

/* Does the field hold something that could stand in a file? */
static bool present(const struct cfg_key *k, const void *field)
{
    if (k->type == CFG_T_ADDRESS)
        return !ip_is_any((const struct ip_addr *)field);
    if (k->type == CFG_T_GROUPS || (k->flags & CFG_LIST))
        return ((const struct cfg_list *)field)->n > 0;
    if (k->type == CFG_T_REF)
        return *(const uint32_t *)field != CFG_NONE;
    if (k->type == CFG_T_GROUP ||
        (k->width == sizeof(char *) && k->type >= CFG_T_TEXT && k->type <= CFG_T_SOCKET))
        return *(const void *const *)field != NULL;
    return true;
}

static void indent(int depth, FILE *f)
{
    fprintf(f, "%*s", depth * 4, "");
}

static void show_groups(const struct cfg *c, const struct cfg_key *k, const struct cfg_list *list,
                        int depth, FILE *f)
{
    fputs("(\n", f);
    for (uint32_t i = 0; i < list->n; i++) {
        indent(depth + 1, f);
        fputs("{\n", f);
        show_group(c, k->members, (const char *)list->v + i * k->members->size, false, depth + 2,
                   f);
        indent(depth + 1, f);
        fputs(i + 1 < list->n ? "},\n" : "}\n", f);
    }
    indent(depth, f);
    fputs(")", f);
}

static void show_value(const struct cfg *c, const struct cfg_key *k, const void *field, int depth,
                       FILE *f)
{
    const struct cfg_list *list = (const struct cfg_list *)field;

    if (k->type == CFG_T_GROUP) {
        fputs("{\n", f);
        show_group(c, k->members, *(const void *const *)field, k->flags & CFG_INHERIT, depth + 1,
                   f);
        indent(depth, f);
        fputs("}", f);
    } else if (k->type == CFG_T_GROUPS) {
        show_groups(c, k, list, depth, f);
    } else if (k->flags & CFG_LIST) {
        fputs("[ ", f);
        for (uint32_t i = 0; i < list->n; i++) {
            fputs(i ? ", " : "", f);
            scalar(c, k, (const char *)list->v + i * cfg_value_size(k), f);
        }
        fputs(" ]", f);
    } else {
        scalar(c, k, field, f);
    }
}

static void show_group(const struct cfg *c, const struct cfg_group *g, const void *group,
                       bool given_only, int depth, FILE *f)
{
    const struct cfg_node *node = (const struct cfg_node *)group;

    for (uint32_t i = 0; i < g->count; i++) {
        const struct cfg_key *k = &g->keys[i];
        const void *field = cfg_field(group, k);

        if (!present(k, field) || (given_only && node->pos[1 + i].line == 0))
            continue;
        indent(depth, f);
        fprintf(f, "%s = ", k->name);
        show_value(c, k, field, depth, f);
        fputs(";\n", f);
    }
}

void cfg_show(const struct cfg *c, FILE *f)
{
    show_group(c, &cfg_group_root, c, false, 0, f);
}

/* --- what differs --- */

/* As it would be shown; NULL when the heap is exhausted. */
static char *value_text(const struct cfg *c, const struct cfg_key *k, const void *field)
{
    char *out = NULL;
    size_t len;
    FILE *f = open_memstream(&out, &len);

    if (!f)
        return NULL;
    if (present(k, field))
        show_value(c, k, field, 0, f);
    else
        fputs("nothing", f);
    if (fclose(f) == 0)
        return out;
    free(out);
    return NULL;
}

struct diff {
    const struct cfg *now, *next;
    struct report *report;
    bool same;
};

static void diff_group(struct diff *d, const struct cfg_group *g, const void *now, const void *next,
                       unsigned flags);

static void differs(struct diff *d, const struct cfg_key *k, const void *next, const char *now_text,
                    const char *next_text)
{
    d->same = false;
    cfg_mistake(d->report, REPORT_ERROR, (const struct cfg_node *)next, k->offset,
                "restart to change it",
                "cannot change while running: it is %.100s, the file says %.100s",
                now_text ? now_text : "?", next_text ? next_text : "?");
}

static void diff_key(struct diff *d, const struct cfg_key *k, const void *now, const void *next)
{
    const void *a = cfg_field(now, k), *b = cfg_field(next, k);
    const struct cfg_list *la = (const struct cfg_list *)a, *lb = (const struct cfg_list *)b;
    char *ta, *tb;

    if (k->type == CFG_T_GROUP && present(k, a) && present(k, b)) {
        diff_group(d, k->members, *(const void *const *)a, *(const void *const *)b, 0);
        return;
    }
    if (k->type == CFG_T_GROUPS && la->n == lb->n) {
        for (uint32_t i = 0; i < la->n; i++)
            diff_group(d, k->members, (const char *)la->v + i * k->members->size,
                       (const char *)lb->v + i * k->members->size, 0);
        return;
    }
    ta = value_text(d->now, k, a);
    tb = value_text(d->next, k, b);
    if (k->type == CFG_T_GROUPS)
        differs(d, k, next, "another number of elements", "more or fewer");
    else if (!ta || !tb || strcmp(ta, tb) != 0)
        differs(d, k, next, ta, tb);
    free(ta);
    free(tb);
}

/* The keys that have all of `flags`. */
static void diff_group(struct diff *d, const struct cfg_group *g, const void *now, const void *next,
                       unsigned flags)
{
    for (uint32_t i = 0; i < g->count; i++) {
        if ((g->keys[i].flags & flags) == flags)
            diff_key(d, &g->keys[i], now, next);
    }
}

bool cfg_fixed_same(const struct cfg *now, const struct cfg *next, struct report *report)
{
    struct diff d = {now, next, report, true};

    diff_group(&d, &cfg_group_root, now, next, CFG_FIXED);
    return d.same;
}
