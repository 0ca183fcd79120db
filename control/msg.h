/**
 * msg: one line from the control socket: a JSON object that names a command and its arguments. Strict: what is
 * not known is refused, with the nearest thing that is.
 */
#ifndef SALLYPORT_CONTROL_MSG_H
#define SALLYPORT_CONTROL_MSG_H

#include "base/report.h"
#include "base/span.h"

#define MSG_MAX_B  (64u * 1024)
#define MSG_ARGS   2
#define MSG_TEXT_B 4096 /* of one argument */

enum msg_cmd {
#define CMD(sym, name, a1, t1, a2, t2, help) MSG_##sym,
#include "control/commands.def"
#undef CMD
    MSG_COUNT,
};

enum msg_type { MSG_T_NONE, MSG_T_TEXT, MSG_T_FILE, MSG_T_NUMBER, MSG_T_DURATION, MSG_T_FLAG };

struct msg_desc {
    const char *name, *help;
    struct {
        const char *name;
        enum msg_type type;
    } args[MSG_ARGS];
};

extern const struct msg_desc msg_descs[MSG_COUNT];

struct msg_arg {
    bool given;
    int64_t number;        /* NUMBER; DURATION in ms; FLAG */
    char text[MSG_TEXT_B]; /* TEXT, FILE */
};

struct msg {
    enum msg_cmd cmd;
    struct msg_arg args[MSG_ARGS];
};

/* INVALID: the report says why. Bound: MSG_MAX_B. */
MUST_CHECK res msg_parse(struct span line, struct report *report, struct msg *out);

/* NULL: there is no such command. */
const struct msg_desc *msg_find(const char *name);

#endif
