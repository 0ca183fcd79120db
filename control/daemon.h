/**
 * daemon: the loop of the control thread: signals, the control socket, logs.
 */
#ifndef SALLYPORT_CONTROL_DAEMON_H
#define SALLYPORT_CONTROL_DAEMON_H

/* Exit codes of sallyport. */
enum {
    EXIT_ENDED = 0,  /* stopped as asked; --check: the configuration is good */
    EXIT_CONFIG = 1, /* the configuration has mistakes */
    EXIT_USAGE = 2,  /* unknown options */
    EXIT_START = 3,  /* the data plane, the socket or the logs could not be started */
    EXIT_FORCED = 4, /* a second SIGTERM or SIGINT came while requests were being finished */
};

/* Run until stopped: SIGTERM and SIGINT drain and end, SIGHUP reads the configuration again. */
int daemon_run(const char *file);

#endif
