/**
 * cfg_read: from libconfig's tree to our structures, by the table. Inside config/ only.
 */
#ifndef SALLYPORT_CONFIG_CFG_READ_H
#define SALLYPORT_CONFIG_CFG_READ_H

#include "config/cfg_src.h"
#include "config/cfg_value.h"

/* A name that was read and is looked up when everything has been read. */
struct cfg_pending {
    const struct cfg_node *node;
    const struct cfg_key *key;
    struct cfg_pos pos;
    const char *text;
    uint32_t *slot;
    struct cfg_pending *next;
};

struct cfg_reader {
    struct cfg *cfg;
    struct report *report;
    const struct cfg_src *src;
    struct cfg_want want;
    struct cfg_pending *pending, **pending_end;
    bool out_of_memory;
};

/* Fill rd->cfg from rd->src. Mistakes go into the report. */
void cfg_read(struct cfg_reader *rd);

/* cfg_names.c: names that stand twice, and references. */
void cfg_names(struct cfg_reader *rd);

/* cfg_check.c: what only shows when all is read. Fields of values that were mistakes are NULL or 0. */
void cfg_check(struct cfg *c, struct report *report);

/* cfg_check_host.c: hosts, their locations, and what both ask of client certificates. */
void cfg_check_hosts(struct cfg *c, struct report *report);

/* Shared by both. */
void cfg_inherit(void *group, const void *from); /* keys that are not given are taken over */
void cfg_refs_sort(struct cfg_refs *r);          /* sorted, each once, none dangling */
bool cfg_versions_ok(struct report *r, const struct cfg_node *node, size_t member, uint32_t min,
                     uint32_t max);

#endif
