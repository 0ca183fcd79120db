/* Names: each once, and every reference finds what it names. */
#include "config/cfg_near.h"
#include "config/cfg_read.h"

#include "base/siphash.h"

#include <stdlib.h>

struct name {
    const char *text; /* NULL: free */
    const char *key;  /* "name", "aliases" */
    const struct cfg_node *node;
    uint32_t index;
};

struct names {
    struct name *slots;
    uint32_t mask;
};

struct space {
    enum cfg_ns ns;
    struct cfg_list *list;
    size_t each, name_offset;
};

static uint64_t hash_of(const char *text)
{
    /* The operator's own names: nobody to keep a key from. */
    static const struct sip_key key = {0x73616c6c79706f72, 0x636f6e6669677572};

    return siphash13(&key, text, strlen(text));
}

static struct name *slot_of(const struct names *n, const char *text)
{
    uint32_t i = (uint32_t)hash_of(text) & n->mask;

    while (n->slots[i].text && strcmp(n->slots[i].text, text) != 0)
        i = (i + 1) & n->mask;
    return &n->slots[i];
}

static bool names_init(struct names *n, uint32_t count)
{
    uint32_t size = 8;

    while (size < 2 * count)
        size *= 2;
    n->mask = size - 1;
    n->slots = (struct name *)calloc(size, sizeof(*n->slots));
    return n->slots;
}

static void names_add(struct cfg_reader *rd, struct names *n, struct name name, size_t offset)
{
    struct name *slot;

    if (!name.text)
        return; /* was a mistake already */
    slot = slot_of(n, name.text);
    if (!slot->text) {
        *slot = name;
        return;
    }
    if (slot->node == name.node)
        cfg_mistake(rd->report, REPORT_ERROR, name.node, offset, NULL,
                    "\"%s\" stands in this host twice", name.text);
    else
        cfg_mistake(rd->report, REPORT_ERROR, name.node, offset, NULL,
                    "\"%s\" is the name of %s, too (%s:%d)", name.text, slot->node->path,
                    slot->node->pos[0].file, slot->node->pos[0].line);
}

static const char *name_at(const struct space *s, uint32_t i)
{
    return *(const char *const *)(const void *)((const char *)s->list->v + i * s->each +
                                                s->name_offset);
}

static const struct cfg_node *node_at(const struct space *s, uint32_t i)
{
    return (const struct cfg_node *)(const void *)((const char *)s->list->v + i * s->each);
}

static void add_all(struct cfg_reader *rd, const struct space *s, struct names *n)
{
    for (uint32_t i = 0; i < s->list->n; i++)
        names_add(rd, n, (struct name){name_at(s, i), "name", node_at(s, i), i}, s->name_offset);
}

static uint32_t alias_count(const struct cfg *c)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->hosts.n; i++)
        n += c->hosts.v[i].aliases.n;
    return n;
}

/* Aliases share the hosts' names, but nothing refers to a host by an alias. */
static void add_aliases(struct cfg_reader *rd, struct names *n)
{
    const struct cfg *c = rd->cfg;

    for (uint32_t i = 0; i < c->hosts.n; i++) {
        const struct cfg_host *h = &c->hosts.v[i];

        for (uint32_t k = 0; k < h->aliases.n; k++)
            names_add(rd, n, (struct name){h->aliases.v[k], "aliases", &h->node, i},
                      offsetof(struct cfg_host, aliases));
    }
}

static void dangling(struct cfg_reader *rd, const struct cfg_pending *p, const struct space *s)
{
    struct cfg_near near = cfg_near_of(p->text);
    char text[128], found[300];
    struct sb hint = sb_of(text, sizeof(text)), what = sb_of(found, sizeof(found));

    for (uint32_t i = 0; i < s->list->n && i < 1000 && rd->report->lost == 0; i++) {
        if (name_at(s, i))
            cfg_near_try(&near, name_at(s, i));
    }
    if (!cfg_near_hint(&near, &hint))
        sb_fmt(&hint, "it would stand in %s = ( { name = ...; } )", cfg_ns_key(s->ns));
    sb_json(&what, span_first(span_str(p->text), 80));
    report_add(rd->report, REPORT_ERROR, p->pos.file, p->pos.line, text, "%s.%s: there is no %s %s",
               p->node->path, p->key->name, cfg_ns_word(s->ns), found);
}

static void resolve(struct cfg_reader *rd, const struct space *s, const struct names *n)
{
    for (const struct cfg_pending *p = rd->pending; p; p = p->next) {
        char lower[256];
        const char *text = p->text;
        const struct name *hit;

        if (p->key->ns != s->ns || !text)
            continue;
        if (s->ns == CFG_NS_HOST && strlen(text) < sizeof(lower)) {
            for (size_t i = 0; i <= strlen(text); i++)
                lower[i] = (char)ascii_lower((uint8_t)text[i]);
            text = lower;
        }
        hit = slot_of(n, text);
        if (hit->text && strcmp(hit->key, "name") == 0)
            *p->slot = hit->index;
        else
            dangling(rd, p, s);
    }
}

static void one_space(struct cfg_reader *rd, const struct space *s)
{
    struct names n;
    uint32_t more = s->ns == CFG_NS_HOST ? alias_count(rd->cfg) : 0;

    if (!names_init(&n, s->list->n + more)) {
        rd->out_of_memory = true;
        return;
    }
    add_all(rd, s, &n);
    if (s->ns == CFG_NS_HOST)
        add_aliases(rd, &n);
    resolve(rd, s, &n);
    free(n.slots);
}

#define SPACE(ns, list, type)                                                                     \
    {                                                                                             \
        ns, (struct cfg_list *)(void *)&c->list, sizeof(struct type), offsetof(struct type, name) \
    }

void cfg_names(struct cfg_reader *rd)
{
    struct cfg *c = rd->cfg;
    const struct space spaces[] = {
        SPACE(CFG_NS_TRUST, trust, cfg_trust),
        SPACE(CFG_NS_IDENTITY, identities, cfg_identity),
        SPACE(CFG_NS_UPSTREAM, upstreams, cfg_upstream),
        SPACE(CFG_NS_HOST, hosts, cfg_host),
    };

    for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
        one_space(rd, &spaces[i]);
}
