#include "config/cfg_keys.h"

#define cfg_root cfg /* the struct of the group "root" is struct cfg itself */

/* 1: the words of enums. */
#define WORDS(sym, ...) static const char *const cfg_words_##sym[] = {__VA_ARGS__, NULL};
#define GROUP(sym, help)
#define KEY(group, key, field, type, extra, def, min, max, flags, help)
#define END
#include "config/cfg_keys.def"
#undef WORDS
#undef GROUP

/* 2: groups name each other, so all are declared before the keys. */
#define WORDS(sym, ...)
#define GROUP(sym, help)                          \
    extern const struct cfg_key cfg_keys_##sym[]; \
    extern const struct cfg_group cfg_group_##sym;
#include "config/cfg_keys.def"
#undef GROUP
#undef KEY
#undef END

/* 3: the keys. */
enum {
    NEEDED = CFG_NEEDED,
    LIST = CFG_LIST,
    FIXED = CFG_FIXED,
    OPTIONAL = CFG_OPTIONAL,
    INHERIT = CFG_INHERIT
};

#define EXTRA_BOOL(e)      .words = NULL
#define EXTRA_AUTO_BOOL(e) .words = NULL
#define EXTRA_INT(e)       .words = NULL
#define EXTRA_SIZE(e)      .words = NULL
#define EXTRA_DURATION(e)  .words = NULL
#define EXTRA_TEXT(e)      .words = NULL
#define EXTRA_LIST_TEXT(e) .words = NULL
#define EXTRA_BODY(e)      .words = NULL
#define EXTRA_SERVER(e)    .words = NULL
#define EXTRA_NAME(e)      .words = NULL
#define EXTRA_TOKEN(e)     .words = NULL
#define EXTRA_HOST(e)      .words = NULL
#define EXTRA_URL(e)       .words = NULL
#define EXTRA_FOLDER(e)    .words = NULL
#define EXTRA_AUTHORITY(e) .words = NULL
#define EXTRA_PATH(e)      .words = NULL
#define EXTRA_FILE(e)      .words = NULL
#define EXTRA_OUTFILE(e)   .words = NULL
#define EXTRA_SOCKET(e)    .words = NULL
#define EXTRA_MODE(e)      .words = NULL
#define EXTRA_ENDPOINT(e)  .words = NULL
#define EXTRA_ADDRESS(e)   .words = NULL
#define EXTRA_PREFIX(e)    .words = NULL
#define EXTRA_CPUS(e)      .words = NULL
#define EXTRA_ENUM(e)      .words = cfg_words_##e
#define EXTRA_REF(e)       .ns = CFG_NS_##e
#define EXTRA_GROUP(e)     .members = &cfg_group_##e
#define EXTRA_GROUPS(e)    .members = &cfg_group_##e

#define GROUP(sym, help)   const struct cfg_key cfg_keys_##sym[] = {
#define KEY(group, key, field, type_, extra, def_, min_, max_, flags_, help_) \
    {.name = #key,                                                            \
     .type = CFG_T_##type_,                                                   \
     .offset = offsetof(struct cfg_##group, field),                           \
     .width = sizeof(((struct cfg_##group *)0)->field),                       \
     .flags = (flags_),                                                       \
     .def = (def_),                                                           \
     .min = (min_),                                                           \
     .max = (max_),                                                           \
     .help = (help_),                                                         \
     EXTRA_##type_(extra)},
#define END \
    }       \
    ;
#include "config/cfg_keys.def"
#undef GROUP
#undef KEY
#undef END

/* 4: the groups. */
#define GROUP(sym, help)                                                            \
    const struct cfg_group cfg_group_##sym = {#sym, help, sizeof(struct cfg_##sym), \
                                              cfg_keys_##sym, ARRAY_LEN(cfg_keys_##sym)};
#define KEY(group, key, field, type, extra, def, min, max, flags, help)
#define END
#include "config/cfg_keys.def"
#undef GROUP

#define GROUP(sym, help) &cfg_group_##sym,
const struct cfg_group *const cfg_groups[] = {
#include "config/cfg_keys.def"
};
const uint32_t cfg_group_count = ARRAY_LEN(cfg_groups);

static const struct {
    const char *word, *key;
} name_spaces[CFG_NS_COUNT] = {
    [CFG_NS_TRUST] = {"trust set", "trust"},
    [CFG_NS_IDENTITY] = {"identity", "identities"},
    [CFG_NS_UPSTREAM] = {"upstream", "upstreams"},
    [CFG_NS_HOST] = {"host", "hosts"},
};

const char *cfg_ns_word(enum cfg_ns ns)
{
    return name_spaces[ns].word;
}

const char *cfg_ns_key(enum cfg_ns ns)
{
    return name_spaces[ns].key;
}

const struct cfg_key *cfg_key_find(const struct cfg_group *g, const char *name)
{
    for (uint32_t i = 0; i < g->count; i++) {
        if (strcmp(g->keys[i].name, name) == 0)
            return &g->keys[i];
    }
    return NULL;
}

const struct cfg_key *cfg_key_at(const struct cfg_group *g, size_t offset)
{
    for (uint32_t i = 0; i < g->count; i++) {
        if (g->keys[i].offset == offset)
            return &g->keys[i];
    }
    return NULL;
}

size_t cfg_value_size(const struct cfg_key *k)
{
    switch (k->type) {
    case CFG_T_GROUPS:
        return k->members->size;
    case CFG_T_ENUM:
    case CFG_T_REF:
        return sizeof(uint32_t);
    case CFG_T_PREFIX:
        return sizeof(struct ip_prefix);
    case CFG_T_TEXT:
    case CFG_T_HOST:
    case CFG_T_URL:
    case CFG_T_FILE:
        return sizeof(const char *);
    case CFG_T_BOOL:
    case CFG_T_AUTO_BOOL:
    case CFG_T_INT:
    case CFG_T_SIZE:
    case CFG_T_DURATION:
    case CFG_T_BODY:
    case CFG_T_SERVER:
    case CFG_T_LIST_TEXT:
    case CFG_T_NAME:
    case CFG_T_TOKEN:
    case CFG_T_AUTHORITY:
    case CFG_T_PATH:
    case CFG_T_OUTFILE:
    case CFG_T_FOLDER:
    case CFG_T_SOCKET:
    case CFG_T_MODE:
    case CFG_T_ENDPOINT:
    case CFG_T_ADDRESS:
    case CFG_T_CPUS:
    case CFG_T_GROUP:
    case CFG_T_COUNT:
        break;
    }
    return k->width; /* no lists of these */
}
