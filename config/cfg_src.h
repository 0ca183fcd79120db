/**
 * cfg_src: the text of a configuration with its @include files put in, and where each line came from.
 *
 * libconfig could include files itself, but it would exit the process on a directory, know no bound and
 * lose a text that ends inside a comment. So it gets one text without @include, whose brackets are
 * known to match, and its line numbers are translated back.
 */
#ifndef SALLYPORT_CONFIG_CFG_SRC_H
#define SALLYPORT_CONFIG_CFG_SRC_H

#include "config/cfg.h"

#define CFG_SRC_FILES   256 /* included files, each time counted */
#define CFG_SRC_DEPTH   8   /* of files in files */
#define CFG_SRC_NESTING 16  /* of brackets */

struct cfg_src_line {
    const char *file;
    int line;
};

struct cfg_src {
    struct arena *arena; /* of file names */
    char *text;          /* ends in NUL */
    size_t len, cap;
    struct cfg_src_line *lines; /* of `text` */
    uint32_t line_count, line_cap;
};

/* Takes a file, or the text of `in`. FAIL: the mistakes are in the report. Freed by cfg_src_fini. */
MUST_CHECK res cfg_src_load(struct cfg_src *s, struct arena *arena, const char *path,
                            struct report *report);
MUST_CHECK res cfg_src_text(struct cfg_src *s, struct arena *arena, const struct cfg_input *in,
                            struct report *report);
void cfg_src_fini(struct cfg_src *s);

/* Where line `line` (from 1) of the text stands. */
struct cfg_pos cfg_src_where(const struct cfg_src *s, unsigned line);

/* The line itself, for messages. */
struct span cfg_src_line(const struct cfg_src *s, unsigned line);

/* `name`, relative to the folder of the file `base`. */
const char *cfg_src_beside(struct arena *a, const char *base, const char *name);

#endif
