/**
 * elog: the error log: events of the data plane and of the control thread itself, one line each:
 *     ts level event key=value ...
 * Until a file is open, lines go to stderr.
 */
#ifndef SALLYPORT_CONTROL_ELOG_H
#define SALLYPORT_CONTROL_ELOG_H

#include "base/log.h"
#include "base/report.h"
#include "control/sink.h"

struct elog {
    struct sink sink;
    enum log_level level; /* what is less important is not written */
    uint64_t lines;       /* of any level, written or not */
};

/* An event of control: pairs of key and value, ended by NULL. Values are quoted where they need it. */
void elog(struct elog *e, enum log_level level, const char *name, ...) __attribute__((sentinel));

/* An event of the data plane. `wall_ns` turns its clock into time since 1970. False: it is not whole. */
bool elog_record(struct elog *e, struct span record, uint64_t wall_ns);

/* Every entry of a report as an event. */
void elog_report(struct elog *e, const char *name, const struct report *r);

#endif
