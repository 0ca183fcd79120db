/**
 * access_text: a record of the data plane as a line of the access log, by the operator's format. What clients
 * chose is escaped as Apache does it, so that a line is always one line.
 */
#ifndef SALLYPORT_CONTROL_ACCESS_TEXT_H
#define SALLYPORT_CONTROL_ACCESS_TEXT_H

#include "control/captures.h"

#define ACCESS_TEXT_MAX_B (128u * 1024) /* a line longer than this is cut */

/* `wall_ns`: what turns the clock of records into nanoseconds since 1970. No end of line. */
void access_text(struct sb *s, const struct logfmt *format, const struct captures *captures,
                 const struct access_rec *rec, uint64_t wall_ns);

/* Apache's escapes: \" \\ \n \r \t \b \v, and \xhh for all else that is not printable ASCII. */
void access_escape(struct sb *s, struct span text);

#endif
