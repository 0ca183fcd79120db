/**
 * script: scenarios in text, one step per line, against one stack (peer.h). A file holds many:
 *
 *     == T-01 RFC 9293 3.10.7.2: a SYN's options are mirrored
 *     listen
 *     < S 0:0 win 65535 mss 1460 sack ts 100 ws 7
 *     > S. 0:0 ack 1 mss MSS sackok ws *
 *     +10 < . 1:1
 *     ev open
 *
 * README.md has the whole language.
 */
#ifndef SALLYPORT_TESTS_SCRIPT_H
#define SALLYPORT_TESTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#define SCRIPT_LINES   2000
#define SCRIPT_ERROR_B 512

struct script {
    char id[16], title[200];
    char *lines[SCRIPT_LINES];
    unsigned numbers[SCRIPT_LINES], count; /* line numbers in the file */
    bool only_v4, only_v6;
};

/* Cuts the file into scenarios. Returns how many, or -1 with the reason in `error`. */
int script_load(const char *path, struct script *to, int max, char error[SCRIPT_ERROR_B]);
void script_free(struct script *s, int n);

/* Runs one scenario in one family. False: `error` says which line and why. */
bool script_run(const struct script *s, bool v6, char error[SCRIPT_ERROR_B]);

#endif
