/**
 * cmd: what the commands of the control socket do, and what they answer: {"ok":true, ...} or
 * {"ok":false,"errors":[{"file","line","what","hint"}]}.
 */
#ifndef SALLYPORT_CONTROL_CMD_H
#define SALLYPORT_CONTROL_CMD_H

#include "control/ctl.h"
#include "control/msg.h"

#include <jansson.h>

/* One line from a client. The answer is the caller's; NULL: out of memory. */
json_t *cmd_line(struct ctl *c, struct span line);

/* An answer that says no. */
json_t *cmd_refusal(const struct report *r);

/* A JSON string of any bytes: what is not UTF-8 becomes '?'. */
json_t *cmd_text(const char *p, size_t len);

/* cmd_view.c: what can be looked at. */
json_t *cmd_status(const struct ctl *c);
/* cmd_capture.c */
json_t *cmd_capture_begin(struct ctl *c, const struct msg *m, struct report *r);
json_t *cmd_capture_read(struct ctl *c, struct report *r);

/* cmd_ocsp.c */
json_t *cmd_ocsp(const struct ctl *c);

/* cmd_crls.c */
json_t *cmd_crls(const struct ctl *c, const struct msg *m);

/* cmd_conns.c */
json_t *cmd_conns(const struct ctl *c, const struct msg *m, struct report *r);
json_t *cmd_stats(const struct ctl *c, const struct msg *m, struct report *r);

#endif
