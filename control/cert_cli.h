/**
 * cert_cli: `sallyctl cert ...`: certificates looked at and judged by the same code as on the data plane,
 * without a running appliance.
 */
#ifndef SALLYPORT_CONTROL_CERT_CLI_H
#define SALLYPORT_CONTROL_CERT_CLI_H

#include <stdbool.h>
#include <stdio.h>

void cert_cli_usage(FILE *f);

/* argv[0] is "inspect" or "verify". Returns the exit code: 0 good, 1 refused, 2 not to be understood. */
int cert_cli(int argc, char **argv, bool json);

#endif
