/**
 * cfg_value: one scalar of the file, or of the table's defaults and bounds, into a field. Inside config/
 * only.
 */
#ifndef SALLYPORT_CONFIG_CFG_VALUE_H
#define SALLYPORT_CONFIG_CFG_VALUE_H

#include "config/cfg_keys.h"

enum cfg_raw_kind { CFG_RAW_INT, CFG_RAW_FLOAT, CFG_RAW_BOOL, CFG_RAW_TEXT, CFG_RAW_OTHER };

/* What stands in the file. */
struct cfg_raw {
    enum cfg_raw_kind kind;
    int64_t i; /* and 0, 1 of a bool */
    double f;
    const char *s; /* text, or what an OTHER is called: "a group" */
};

/* Where values live, and what went wrong with one. */
struct cfg_want {
    struct arena *arena;
    const char *file; /* relative paths are beside it */
    bool no_files;
    struct sb why;  /* "70000 is above 65535" */
    struct sb hint; /* empty: nothing to add */
    char why_text[512], hint_text[256];
};

void cfg_want_begin(struct cfg_want *w); /* before each value */

/* False: w->why says what is wrong. Not for CFG_T_REF, CFG_T_CPUS, CFG_T_GROUP, CFG_T_GROUPS. */
bool cfg_value(struct cfg_want *w, const struct cfg_key *k, const struct cfg_raw *raw, void *out);

/* A default or a bound, as it would stand in the file. */
struct cfg_raw cfg_raw_of(const struct cfg_key *k, const char *text);
bool cfg_bound(const struct cfg_key *k, const char *text, int64_t *out);

/* "a duration", for messages and docs. */
const char *cfg_type_word(enum cfg_type t);

void cfg_raw_text(struct sb *s, const struct cfg_raw *raw); /* "\"abc\"", "12", "true" */

/* Numbers in steps of their unit; shared with cfg_show. */
bool cfg_parse_duration(const struct cfg_raw *raw, int64_t *ms);
bool cfg_parse_size(const struct cfg_raw *raw, int64_t *bytes);

/* cfg_text.c: the kinds of texts. */
bool cfg_text_value(struct cfg_want *w, const struct cfg_key *k, const char *text,
                    const char **out);

#endif
