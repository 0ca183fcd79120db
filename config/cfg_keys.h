/**
 * cfg_keys: the table of all keys, as data. Made of cfg_keys.def; inside config/ only.
 */
#ifndef SALLYPORT_CONFIG_CFG_KEYS_H
#define SALLYPORT_CONFIG_CFG_KEYS_H

#include "config/cfg.h"

enum cfg_type {
    CFG_T_BOOL,      /* bool */
    CFG_T_AUTO_BOOL, /* int: 0, 1, -1 for "auto" */
    CFG_T_INT,       /* 4 or 8 bytes, by the field */
    CFG_T_SIZE,      /* bytes; 8192, "8k", "1m" */
    CFG_T_DURATION,  /* ms; seconds as a number, or "200ms", "10s", "5m", "1h", "1d" */
    CFG_T_TEXT,      /* const char *: no control characters */
    CFG_T_BODY,      /* const char *: any text */
    CFG_T_LIST_TEXT, /* const char *: names with ':' between them */
    CFG_T_NAME,      /* const char *: what other keys refer to */
    CFG_T_TOKEN,     /* const char *: a token of RFC 9110 5.6.2 */
    CFG_T_HOST,      /* const char *: a host name in lower case, or "*.example" */
    CFG_T_SERVER,    /* const char *: a host name in lower case, without a star */
    CFG_T_AUTHORITY, /* const char *: a host name with an optional ":port" */
    CFG_T_URL,       /* const char *: as base/url.h has it */
    CFG_T_PATH,      /* const char *: a canonical URL path */
    CFG_T_FILE,      /* const char *: a file to read; made absolute by the configuration's folder */
    CFG_T_OUTFILE,   /* const char *: a file to write, "stdout", "stderr" */
    CFG_T_FOLDER,    /* const char *: a folder that is there; made absolute likewise */
    CFG_T_SOCKET,    /* const char *: a path for a Unix socket */
    CFG_T_MODE,      /* uint32_t: "0660" */
    CFG_T_ENUM,      /* uint32_t: one of its words */
    CFG_T_ENDPOINT,  /* struct endpoint */
    CFG_T_ADDRESS,   /* struct ip_addr */
    CFG_T_PREFIX,    /* struct ip_prefix */
    CFG_T_REF,       /* uint32_t: index of the named element */
    CFG_T_CPUS,      /* struct cfg_cpus */
    CFG_T_GROUP,     /* pointer to the group's struct */
    CFG_T_GROUPS,    /* list of the group's structs */
    CFG_T_COUNT,
};

enum { CFG_NEEDED = 1, CFG_LIST = 2, CFG_FIXED = 4, CFG_OPTIONAL = 8, CFG_INHERIT = 16 };

enum cfg_ns { CFG_NS_TRUST, CFG_NS_IDENTITY, CFG_NS_UPSTREAM, CFG_NS_HOST, CFG_NS_COUNT };

struct cfg_key {
    const char *name;
    enum cfg_type type;
    uint16_t offset, width; /* of the field */
    unsigned flags;
    const char *def, *min, *max, *help;
    const char *const *words;        /* CFG_T_ENUM */
    const struct cfg_group *members; /* CFG_T_GROUP, CFG_T_GROUPS */
    enum cfg_ns ns;                  /* CFG_T_REF */
};

struct cfg_group {
    const char *name, *help;
    size_t size;
    const struct cfg_key *keys;
    uint32_t count;
};

extern const struct cfg_group *const cfg_groups[];
extern const uint32_t cfg_group_count;
extern const struct cfg_group cfg_group_root;

/* What the elements of a name space are called, and the key of the root that lists them. */
const char *cfg_ns_word(enum cfg_ns ns);
const char *cfg_ns_key(enum cfg_ns ns);

const struct cfg_key *cfg_key_find(const struct cfg_group *g, const char *name);
const struct cfg_key *cfg_key_at(const struct cfg_group *g, size_t offset);

/* A field of a group's struct. */
static inline void *cfg_field(const void *group, const struct cfg_key *k)
{
    return (char *)(uintptr_t)group + k->offset;
}

/* Any list: {pointer, count}. */
struct cfg_list {
    void *v;
    uint32_t n;
};

/* Bytes of one value of this type in a list. */
size_t cfg_value_size(const struct cfg_key *k);

#endif
