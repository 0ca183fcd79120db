/**
 * sock: the control socket: a Unix stream socket, one JSON object per line in, one per line out. Who may speak
 * is decided by the kernel's word about the peer: root, the daemon's own user, members of the configured group.
 */
#ifndef SALLYPORT_CONTROL_SOCK_H
#define SALLYPORT_CONTROL_SOCK_H

#include "control/ctl.h"

#include <poll.h>

#define SOCK_CLIENTS_MAX 32
#define SOCK_POLLS_MAX   (SOCK_CLIENTS_MAX + 1)
#define SOCK_OUT_MAX_B   (64u * 1024 * 1024) /* of one answer */
#define SOCK_SLOW_S      30                  /* a client that takes nothing of its answer */

struct sock;

/* An old socket that nobody listens at any more is removed; one that is alive is a mistake. */
MUST_CHECK res sock_open(const struct cfg_control *cfg, struct report *report, struct sock **out);
void sock_close(struct sock *s); /* and remove it from the file system */

/* Fill in what to wait for; at most SOCK_POLLS_MAX. Then, with what poll() said, one turn. */
nfds_t sock_polls(const struct sock *s, struct pollfd *polls);
void sock_turn(struct sock *s, const struct pollfd *polls, nfds_t n, struct ctl *ctl);

#endif
