/**
 * cfg_near: the word that somebody probably meant: the nearest by edit distance (insert, delete, replace,
 * swap neighbours), if it is near enough.
 */
#ifndef SALLYPORT_CONFIG_CFG_NEAR_H
#define SALLYPORT_CONFIG_CFG_NEAR_H

#include "base/sb.h"

#define CFG_NEAR_MAX 64 /* longer words are not compared */

struct cfg_near {
    const char *word, *best;
    unsigned distance;
};

static inline struct cfg_near cfg_near_of(const char *word)
{
    return (struct cfg_near){word, NULL, 0};
}

void cfg_near_try(struct cfg_near *n, const char *candidate);

/* 'did you mean "x"?' into `out`, which is returned; NULL when nothing is near. */
const char *cfg_near_hint(const struct cfg_near *n, struct sb *out);

unsigned cfg_distance(const char *a, const char *b);

#endif
