/**
 * capture_cli: `sallyctl capture FILE [FILTER] [COUNT]`: packets of a running appliance into a pcapng file
 * (draft-ietf-opsawg-pcapng), until COUNT of them, an interrupt, or the appliance ends.
 */
#ifndef SALLYPORT_CONTROL_CAPTURE_CLI_H
#define SALLYPORT_CONTROL_CAPTURE_CLI_H

#include <stdio.h>

/* Asks one line, gives the answer's line, the caller's to free; NULL: nobody answers. */
typedef char *capture_ask(int fd, const char *line);

void capture_cli_usage(FILE *f);

/* argv[0] is the file. Returns an exit code of sallyctl. */
int capture_cli(int argc, char **argv, int fd, capture_ask *ask);

#endif
