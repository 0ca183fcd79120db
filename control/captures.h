/**
 * captures: which header a record's n-th captured value is. A record made under an older configuration may
 * still be in a ring when the next one is in force, so the lists of the last few are remembered.
 */
#ifndef SALLYPORT_CONTROL_CAPTURES_H
#define SALLYPORT_CONTROL_CAPTURES_H

#include "base/access.h"
#include "config/logfmt.h"
#include "snap/snap.h"

#define CAPTURES_MAX 16

struct capture_list {
    uint64_t gen; /* from this generation on */
    struct arena arena;
    struct span req[SNAP_CAPTURE_MAX], resp[SNAP_CAPTURE_MAX], views[LOGFMT_VIEWS_MAX];
    uint32_t req_count, resp_count, view_count;
};

struct captures {
    struct capture_list v[CAPTURES_MAX]; /* in the order of generations; the last is [count - 1] */
    uint32_t count;
};

/* What generation `gen` captures. The same as before takes no room. */
MUST_CHECK res captures_add(struct captures *c, uint64_t gen, const struct snap_capture *capture);
void captures_fini(struct captures *c);

/* The header of this name in a record, request's or response's; p == NULL: not there. */
struct span captures_find(const struct captures *c, const struct access_rec *rec, bool response,
                          struct span name);

/* The same for a view, by its name. */
struct span captures_find_view(const struct captures *c, const struct access_rec *rec,
                               struct span name);

#endif
