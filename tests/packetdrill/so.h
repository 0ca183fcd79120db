/**
 * so: our TCP stack behind the socket calls that packetdrill's scripts make, in virtual time. One lock; time
 * goes on only where packetdrill waits: in usleep, gettimeofday, for a packet, and in a call that blocks.
 *
 *   so.c    time, blocking, settings       net.c   packets in and out
 *   sock.c  sockets: life and state        io.c    bytes, readiness        opt.c   options, TCP_INFO
 *   so_table.c  the table                  hook.c  the one call that goes past it
 */
#ifndef SALLYPORT_TESTS_PACKETDRILL_SO_H
#define SALLYPORT_TESTS_PACKETDRILL_SO_H

#include "packetdrill/abi.h"
#include "tcp/internal.h" /* TCP_INFO looks into connections */

#include <errno.h>
#include <pthread.h>

#define SO_FDS      256
#define SO_FD_MAX  4096
#define SO_BACKLOG  64
#define SO_PACKETS  4096
#define SO_PACKET_B 66000
#define SO_LOOK_NS  1000 /* what asking for the time costs */

enum sock_kind {
    SOCK_FREE,
    SOCK_NEW,
    SOCK_LISTENS,
    SOCK_CONNECTING,
    SOCK_OPEN,
    SOCK_DEAD,
    SOCK_EPOLL
};

struct watch {
    int fd;
    struct epoll_event e;
    uint32_t seen_in, seen_out;
};

struct sock {
    enum sock_kind kind;
    int fd; /* a real one of the process, so that nobody stumbles who closes it */
    struct so *so;
    bool v6, nonblock, bound, shut_wr, shut_rd, linger0, cork;
    struct endpoint local, remote;
    struct stream *s;
    enum stream_why why;
    int error;            /* SO_ERROR */
    uint32_t in_n, out_n; /* events so far, for edges */
    int queue[SO_BACKLOG];
    unsigned queued;
    uint32_t sent_hi; /* end of what went out: what comes above is new */
    bool sent_any;
    int opts[64]; /* values of options that are only remembered */
    struct watch watches[32];
    unsigned watch_n;
};

struct packet {
    uint32_t len; /* of the IP packet */
    uint64_t at_ns;
    bool fresh; /* new data: may grow by what follows, as segmentation offload has it */
    uint16_t mss;
    uint8_t b[SO_PACKET_B];
};

struct so {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct tcp *t;
    struct tcp_settings set;
    struct nbuf_pool pool;
    struct rng rng;
    uint64_t now_ns;
    uint16_t mtu;
    bool tso, settled;
    struct ip_addr local4, local6, last_local;
    struct sock socks[SO_FDS];
    uint16_t of_fd[SO_FD_MAX]; /* index + 1 */
    struct packet *out;        /* a ring */
    uint32_t out_head, out_n;
    unsigned waiting;
};

/* so.c */
/* With the words of --so_flags. Ends the process when it cannot be made. */
struct so *so_new(const char *text);
/* With the first socket: what the host's sysctls say of time stamps, SACK, scaling, ECN, retries. */
void so_settings(struct so *so);
void so_turn_begin(struct so *so);
void so_turn_end(struct so *so);
/* Lets time pass up to `until`; stops early when a packet came out and `packet` is set. */
void so_run(struct so *so, uint64_t until_ns, bool packet);
/* Blocks the caller until ready(ctx) or the deadline. The lock is held on entry and on return. */
bool so_block(struct so *so, bool (*ready)(struct sock *k), struct sock *k, int timeout_ms);

/* hook.c: the program's getsockopt asks us; NULL ends it */
void so_hook(struct so *so);

/* net.c */
void so_output(void *ctx, struct nbuf *m, const struct tcp_tx *tx);
int so_net_in(struct so *so, const uint8_t *p, size_t n);
int so_net_out(struct so *so, void *to, size_t *n, long long *time_us);

/* sock.c */
struct sock *sock_at(struct so *so, int fd);
int sock_fd(const struct sock *k);
struct sock *sock_new(struct so *so, enum sock_kind kind);
int sock_open(struct so *so, int domain, int type, int protocol);
int sock_bind(struct so *so, int fd, const struct sockaddr *a, socklen_t n);
int sock_listen(struct so *so, int fd, int backlog);
int sock_accept(struct so *so, int fd, struct sockaddr *a, socklen_t *n);
int sock_connect(struct so *so, int fd, const struct sockaddr *a, socklen_t n);
int sock_shutdown(struct so *so, int fd, int how);
int sock_close(struct so *so, int fd);
void sock_free(struct sock *k);
void sock_name(const struct sock *k, const struct endpoint *e, struct sockaddr *a, socklen_t *n);

/* io.c */
ssize_t io_recv(struct so *so, int fd, void *to, size_t n, int flags);
ssize_t io_send(struct so *so, int fd, const void *p, size_t n, int flags);
int io_poll(struct so *so, struct pollfd *fds, nfds_t n, int timeout_ms);
int io_epoll_ctl(struct so *so, int ep, int op, int fd, struct epoll_event *e);
int io_epoll_wait(struct so *so, int ep, struct epoll_event *events, int max, int timeout_ms);
bool io_can_read(struct sock *k);
bool io_can_write(struct sock *k);
/* Takes the error that is due, as the next call reports it. */
int io_error(struct sock *k);

/* opt.c */
int opt_get(struct so *so, int fd, int level, int name, void *to, socklen_t *n);
int opt_set(struct so *so, int fd, int level, int name, const void *p, socklen_t n);
int opt_fcntl(struct so *so, int fd, int cmd, long arg);
int opt_ioctl(struct so *so, int fd, unsigned long request, int *arg);

#define FAIL(e) (errno = (e), -1)

#endif
