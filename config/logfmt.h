/**
 * logfmt: the format of the access log, compiled once into a list of tokens. control/ writes lines from it;
 * the cores copy only what it asks for.
 */
#ifndef SALLYPORT_CONFIG_LOGFMT_H
#define SALLYPORT_CONFIG_LOGFMT_H

#include "base/arena.h"
#include "base/view.h"

#include <stdio.h>

#define LOGFMT_TOKENS_MAX   256
#define LOGFMT_STATUSES_MAX 16
#define LOGFMT_HEADERS_MAX  32 /* of each side; what a snapshot can ask for */
#define LOGFMT_VIEWS_MAX    32

enum logfmt_op {
    LOGFMT_LITERAL,
    LOGFMT_VIEW, /* %{...}x of base/view.h */
#define DIRECTIVE(letter, sym, arg, help) LOGFMT_##sym,
#define VARIABLE(sym, name, help)
#include "config/logfmt.def"
#undef DIRECTIVE
#undef VARIABLE
    LOGFMT_OP_COUNT,
};

enum logfmt_var {
#define DIRECTIVE(letter, sym, arg, help)
#define VARIABLE(sym, name, help) LOGFMT_VAR_##sym,
#include "config/logfmt.def"
#undef DIRECTIVE
#undef VARIABLE
    LOGFMT_VAR_COUNT,
};

/* What stands in the {} of %t, %T and %p. */
enum logfmt_time {
    LOGFMT_T_CLF,
    LOGFMT_T_SEC,
    LOGFMT_T_MSEC,
    LOGFMT_T_USEC,
    LOGFMT_T_MSEC_FRAC,
    LOGFMT_T_USEC_FRAC,
    LOGFMT_T_ISO,
    LOGFMT_T_STRFTIME,
};
enum { LOGFMT_S, LOGFMT_MS, LOGFMT_US };
enum { LOGFMT_PORT_LOCAL, LOGFMT_PORT_REMOTE };

struct logfmt_token {
    enum logfmt_op op;
    uint32_t
        which; /* of a header: its index in the list; of %x, %t, %T, %p: which one; of a view: its index */
    bool end;    /* %{end:...}t */
    bool except; /* the statuses are those without the value */
    uint32_t status_count;
    uint16_t statuses[LOGFMT_STATUSES_MAX];
    struct span
        text; /* literal; name of a cookie; strftime format, ends in NUL behind its length */
};

struct logfmt {
    bool json; /* values are written as JSON, literals as they are */
    struct logfmt_token *tokens;
    uint32_t count;
    struct span req[LOGFMT_HEADERS_MAX], resp[LOGFMT_HEADERS_MAX]; /* header names, lower case */
    uint32_t req_count, resp_count;
    struct view *views;
    uint32_t view_count;
};

struct logfmt_mistake {
    size_t at; /* in the format */
    char what[160], hint[96];
};

/* A format, or the name of a preset. INVALID: *m says where and what. Bound: O(length), arena memory. */
MUST_CHECK res logfmt_compile(struct arena *a, const char *format, struct logfmt **out,
                              struct logfmt_mistake *m);

void logfmt_help(FILE *f);

#endif
