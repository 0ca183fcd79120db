/* The table: every entry takes the lock and calls the one that does it. */
#include "packetdrill/so.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_US 1000ULL

#define LOCKED(type, call)           \
    struct so *so = (struct so *)me; \
    type r_;                         \
                                     \
    pthread_mutex_lock(&so->lock);   \
    r_ = (call);                     \
    pthread_mutex_unlock(&so->lock); \
    return r_

static void d_free(void *me)
{
    struct so *so = (struct so *)me;

    so_hook(NULL);
    tcp_free(so->t);
    free(so->out);
    free(so);
}

static int d_socket(void *me, int d, int t, int p)
{
    LOCKED(int, sock_open(so, d, t, p));
}
static int d_bind(void *me, int fd, const struct sockaddr *a, socklen_t n)
{
    LOCKED(int, sock_bind(so, fd, a, n));
}
static int d_listen(void *me, int fd, int b)
{
    LOCKED(int, sock_listen(so, fd, b));
}
static int d_accept(void *me, int fd, struct sockaddr *a, socklen_t *n)
{
    LOCKED(int, sock_accept(so, fd, a, n));
}
static int d_connect(void *me, int fd, const struct sockaddr *a, socklen_t n)
{
    LOCKED(int, sock_connect(so, fd, a, n));
}
static ssize_t d_recv(void *me, int fd, void *to, size_t n, int flags_)
{
    LOCKED(ssize_t, io_recv(so, fd, to, n, flags_));
}
static ssize_t d_read(void *me, int fd, void *to, size_t n)
{
    return d_recv(me, fd, to, n, 0);
}
static ssize_t d_recvfrom(void *me, int fd, void *to, size_t n, int flags_, struct sockaddr *a,
                          socklen_t *an)
{
    (void)a;
    if (an)
        *an = 0;
    return d_recv(me, fd, to, n, flags_);
}

static ssize_t d_recvmsg(void *me, int fd, struct msghdr *m, int flags_)
{
    ssize_t done = 0;

    for (size_t i = 0; i < m->msg_iovlen; i++) {
        ssize_t got = d_recv(me, fd, m->msg_iov[i].iov_base, m->msg_iov[i].iov_len,
                             flags_ | (done ? MSG_DONTWAIT : 0));

        if (got < 0)
            return done ? done : got;
        done += got;
        if ((size_t)got < m->msg_iov[i].iov_len)
            break;
    }
    m->msg_controllen = 0;
    m->msg_flags = 0;
    return done;
}

static ssize_t d_readv(void *me, int fd, const struct iovec *v, int n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};

    return d_recvmsg(me, fd, &m, 0);
}

static ssize_t d_send(void *me, int fd, const void *p, size_t n, int flags_)
{
    LOCKED(ssize_t, io_send(so, fd, p, n, flags_));
}
static ssize_t d_write(void *me, int fd, const void *p, size_t n)
{
    return d_send(me, fd, p, n, 0);
}
static ssize_t d_sendto(void *me, int fd, const void *p, size_t n, int flags_,
                        const struct sockaddr *a, socklen_t an)
{
    (void)a;
    (void)an;
    if (flags_ & MSG_FASTOPEN)
        return FAIL(EOPNOTSUPP);
    return d_send(me, fd, p, n, flags_);
}

/* All parts are one write: what is sent must not depend on how it was cut. */
static ssize_t d_sendmsg(void *me, int fd, const struct msghdr *m, int flags_)
{
    size_t n = 0, at = 0;
    ssize_t done;
    uint8_t *all;

    for (size_t i = 0; i < m->msg_iovlen; i++)
        n += m->msg_iov[i].iov_len;
    all = (uint8_t *)malloc(n ? n : 1);
    if (!all)
        return FAIL(ENOMEM);
    for (size_t i = 0; i < m->msg_iovlen; at += m->msg_iov[i++].iov_len)
        memcpy(all + at, m->msg_iov[i].iov_base, m->msg_iov[i].iov_len);
    done = d_send(me, fd, all, n, flags_);
    free(all);
    return done;
}

static ssize_t d_writev(void *me, int fd, const struct iovec *v, int n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};

    return d_sendmsg(me, fd, &m, 0);
}

static int d_fcntl(void *me, int fd, int cmd, ...)
{
    va_list args;
    long arg;

    va_start(args, cmd);
    arg = va_arg(args, long);
    va_end(args);
    LOCKED(int, opt_fcntl(so, fd, cmd, arg));
}

static int d_ioctl(void *me, int fd, unsigned long request, ...)
{
    va_list args;
    int *arg;

    va_start(args, request);
    arg = va_arg(args, int *);
    va_end(args);
    LOCKED(int, opt_ioctl(so, fd, request, arg));
}

static int d_close(void *me, int fd)
{
    LOCKED(int, sock_close(so, fd));
}
static int d_shutdown(void *me, int fd, int how)
{
    LOCKED(int, sock_shutdown(so, fd, how));
}
static int d_getsockopt(void *me, int fd, int level, int name, void *to, socklen_t *n)
{
    LOCKED(int, opt_get(so, fd, level, name, to, n));
}
static int d_setsockopt(void *me, int fd, int level, int name, const void *p, socklen_t n)
{
    LOCKED(int, opt_set(so, fd, level, name, p, n));
}
static int d_poll(void *me, struct pollfd *fds, nfds_t n, int ms)
{
    LOCKED(int, io_poll(so, fds, n, ms));
}
static int d_net_in(void *me, const void *p, size_t n)
{
    LOCKED(int, so_net_in(so, (const uint8_t *)p, n));
}
static int d_net_out(void *me, void *to, size_t *n, long long *us)
{
    LOCKED(int, so_net_out(so, to, n, us));
}

static int d_usleep(void *me, useconds_t us)
{
    struct so *so = (struct so *)me;

    pthread_mutex_lock(&so->lock);
    so_run(so, so->now_ns + us * NS_PER_US, false);
    pthread_mutex_unlock(&so->lock);
    return 0;
}

/* Who waits by asking for the time waits, too: each look costs a microsecond. */
static int d_time(void *me, struct timeval *tv, struct timezone *tz)
{
    struct so *so = (struct so *)me;

    (void)tz;
    pthread_mutex_lock(&so->lock);
    so->now_ns += SO_LOOK_NS;
    if (tcp_next_deadline(so->t) <= so->now_ns) {
        so_turn_begin(so);
        so_turn_end(so);
    }
    tv->tv_sec = (time_t)(so->now_ns / 1000000000);
    tv->tv_usec = (suseconds_t)(so->now_ns % 1000000000 / 1000);
    pthread_mutex_unlock(&so->lock);
    return 0;
}

static int epoll_new(struct so *so)
{
    struct sock *k = sock_new(so, SOCK_EPOLL);

    return k ? sock_fd(k) : FAIL(EMFILE);
}

static int d_epoll_create(void *me, int size)
{
    (void)size;
    LOCKED(int, epoll_new(so));
}
static int d_epoll_ctl(void *me, int ep, int op, int fd, struct epoll_event *e)
{
    LOCKED(int, io_epoll_ctl(so, ep, op, fd, e));
}
static int d_epoll_wait(void *me, int ep, struct epoll_event *e, int max, int ms)
{
    LOCKED(int, io_epoll_wait(so, ep, e, max, ms));
}

static int d_pipe(void *me, int fds[2])
{
    (void)me;
    (void)fds;
    return FAIL(ENOSYS);
}

static ssize_t d_splice(void *me, int in, loff_t *in_off, int out, loff_t *out_off, size_t n,
                        unsigned flags_)
{
    (void)me, (void)in, (void)in_off, (void)out, (void)out_off, (void)n, (void)flags_;
    return FAIL(ENOSYS);
}

__attribute__((visibility("default"))) void packetdrill_interface_init(const char *text,
                                                                       struct drill_abi *abi)
{
    struct so *so = so_new(text);

    so_hook(so);
    *abi = (struct drill_abi){
        .me = so,
        .free = d_free,
        .socket = d_socket,
        .bind = d_bind,
        .listen = d_listen,
        .accept = d_accept,
        .connect = d_connect,
        .read = d_read,
        .readv = d_readv,
        .recv = d_recv,
        .recvfrom = d_recvfrom,
        .recvmsg = d_recvmsg,
        .write = d_write,
        .writev = d_writev,
        .send = d_send,
        .sendto = d_sendto,
        .sendmsg = d_sendmsg,
        .fcntl = d_fcntl,
        .ioctl = d_ioctl,
        .close = d_close,
        .shutdown = d_shutdown,
        .getsockopt = d_getsockopt,
        .setsockopt = d_setsockopt,
        .poll = d_poll,
        .netdev_send = d_net_in,
        .netdev_receive = d_net_out,
        .usleep = d_usleep,
        .gettimeofday = d_time,
        .epoll_create = d_epoll_create,
        .epoll_ctl = d_epoll_ctl,
        .epoll_wait = d_epoll_wait,
        .pipe = d_pipe,
        .splice = d_splice,
    };
}
