/**
 * notify: one word to the service manager (sd_notify(3) without its library): "READY=1", "STOPPING=1".
 */
#ifndef SALLYPORT_CONTROL_NOTIFY_H
#define SALLYPORT_CONTROL_NOTIFY_H

#include <stdbool.h>

/* To the datagram socket named by $NOTIFY_SOCKET; false: there is none, or it does not listen. */
bool notify(const char *state);

#endif
