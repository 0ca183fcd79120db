/**
 * sink: a log file. Lines are collected and written in large pieces; what cannot be written is kept as long
 * as there is room, then counted as lost. A full disk or a stalled pipe never stops the control thread for
 * longer than the kernel takes to say no.
 */
#ifndef SALLYPORT_CONTROL_SINK_H
#define SALLYPORT_CONTROL_SINK_H

#include "base/report.h"
#include "base/span.h"

#define SINK_BUF_B (256u * 1024)

struct sink {
    char *path; /* NULL: closed, lines go nowhere */
    int fd;
    bool regular; /* a file: write() does not wait for a reader */
    char *buf;
    size_t len;
    uint64_t lines, lost; /* taken; dropped for want of room */
    int error;            /* errno of the last write; 0: it went well */
};

/* "stdout", "stderr", or a file that is appended to. On failure the sink is closed. */
MUST_CHECK res sink_open(struct sink *s, const char *path, struct report *report);
void sink_close(struct sink *s);

/* Open the file by its name again, for who rotates logs. On failure the old one stays. */
MUST_CHECK res sink_reopen(struct sink *s, struct report *report);

/* `line` has no end of line. */
void sink_line(struct sink *s, struct span line);
void sink_flush(struct sink *s);

#endif
