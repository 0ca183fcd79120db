/**
 * boot: what is fixed at start: from the configuration to struct dp_config.
 */
#ifndef SALLYPORT_CONTROL_BOOT_H
#define SALLYPORT_CONTROL_BOOT_H

#include "config/cfg.h"
#include "dp.h"

/* Texts are copied into the arena, which must live as long as the data plane. Mistakes: CPUs that this
 * process may not use. */
MUST_CHECK res boot_config(const struct cfg *c, struct arena *a, struct report *report,
                           struct dp_config *out);

#endif
