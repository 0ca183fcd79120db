/* sallyport with the fake data plane, for tests of the process: signals, socket, exit codes. */
#include "lib/fake_dp.h"

#include <stdlib.h>

__attribute__((constructor)) static void settings(void)
{
    const char *ms = getenv("FAKE_STOP_MS");

    fake_dp.chatty = true;
    fake_dp.start_fails = getenv("FAKE_START_FAILS") != NULL;
    fake_dp.stop_takes_ms = ms ? (uint32_t)strtoul(ms, NULL, 10) : 0;
}
