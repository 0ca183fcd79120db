/**
 * duration: "200ms", "10s", "5m", "1h", "1d", or seconds: as in the configuration file, for who asks elsewhere.
 */
#ifndef SALLYPORT_CONFIG_DURATION_H
#define SALLYPORT_CONFIG_DURATION_H

#include <stdbool.h>
#include <stdint.h>

bool duration_parse(const char *text, int64_t *ms);

#endif
