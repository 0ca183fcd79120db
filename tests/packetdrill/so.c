#include "packetdrill/so.h"

#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_US 1000ULL
#define LOOK_NS   1000 /* what asking for the time costs */
#define HAND_US   300  /* real time given to other threads when virtual time is about to jump */

/* --- time --- */

void so_turn_begin(struct so *so)
{
    if (so->t)
        tcp_begin(so->t, so->now_ns);
}

void so_turn_end(struct so *so)
{
    if (!so->t)
        return;
    tcp_timers(so->t);
    tcp_upcalls(so->t);
    tcp_flush(so->t);
    tcp_begin(so->t, so->now_ns);
    pthread_cond_broadcast(&so->changed);
}

/* Threads that wait in a call, or are on their way into one, shall see each moment. */
static void hand_over(struct so *so)
{
    pthread_mutex_unlock(&so->lock);
    usleep(HAND_US);
    pthread_mutex_lock(&so->lock);
}

void so_run(struct so *so, uint64_t until_ns, bool packet)
{
    hand_over(so);
    while (!(packet && so->out_n)) {
        uint64_t d = so->t ? tcp_next_deadline(so->t) : UINT64_MAX;

        if (d <= so->now_ns)
            d = so->now_ns + LOOK_NS;
        if (d > until_ns) {
            if (until_ns > so->now_ns)
                so->now_ns = until_ns;
            so_turn_begin(so);
            break;
        }
        so->now_ns = d;
        so_turn_begin(so);
        so_turn_end(so);
        if (so->waiting)
            hand_over(so);
    }
    pthread_cond_broadcast(&so->changed);
}

bool so_block(struct so *so, bool (*ready)(struct sock *k), struct sock *k, int timeout_ms)
{
    uint64_t end = timeout_ms < 0 ? UINT64_MAX : so->now_ns + (uint64_t)timeout_ms * 1000000;

    so->waiting++;
    while (!(k && ready(k)) && so->now_ns < end) {
        uint64_t before = so->now_ns;
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_cond_timedwait(&so->changed, &so->lock, &until) != 0 && so->now_ns == before) {
            uint64_t step =
                so->now_ns + 10000000; /* nobody else moves the clock: this thread does */

            so_run(so, step < end ? step : end, false);
        }
        if (!k) /* the caller looks for itself */
            break;
    }
    so->waiting--;
    return k ? ready(k) : so->now_ns < end;
}

/* --- the world of the stack --- */

static bool route(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    struct so *so = (struct so *)ctx;

    if (ip_is_any(src))
        *src = ip_is_v4(dst) ? so->local4 : so->local6;
    *mtu = so->mtu;
    return true;
}

/* A host's setting, as a script's init command has just made it. */
static bool sysctl(const char *name, unsigned *out, unsigned field)
{
    char path[96];
    unsigned v[3] = {0};
    FILE *f;
    int n;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
    f = fopen(path, "r");
    if (!f)
        return false;
    n = fscanf(f, "%u %u %u", &v[0], &v[1], &v[2]);
    fclose(f);
    *out = v[field];
    return n > (int)field;
}

void so_settings(struct so *so)
{
    struct tcp_settings *s = &so->t->set;
    unsigned v;

    if (so->settled)
        return;
    so->settled = true;
    if (sysctl("tcp_timestamps", &v, 0))
        s->timestamps = s->timestamps && v;
    if (sysctl("tcp_sack", &v, 0))
        s->sack = s->sack && v;
    if (sysctl("tcp_window_scaling", &v, 0))
        s->window_scaling = s->window_scaling && v;
    if (sysctl("tcp_ecn", &v, 0))
        s->ecn = s->ecn || v == 1;
    if (sysctl("tcp_syn_retries", &v, 0))
        s->syn_retries = v;
}

/* packetdrill's own --mtu, which it tells its device and nobody else. */
static void mtu_of_program(struct so *so)
{
    FILE *f = fopen("/proc/self/cmdline", "r");
    char words[4096] = {0};
    size_t n = f ? fread(words, 1, sizeof(words) - 1, f) : 0;

    for (char *w = words; w < words + n; w += strlen(w) + 1) {
        if (strncmp(w, "--mtu=", 6) == 0 && atoi(w + 6) >= 576)
            so->mtu = (uint16_t)atoi(w + 6);
    }
    if (f)
        fclose(f);
}

static void flag(struct so *so, const char *name, const char *value)
{
    struct ip_addr a;

    if (strcmp(name, "notso") == 0)
        so->tso = false;
    else if (strcmp(name, "ecn") == 0)
        so->set.ecn = true;
    else if (strcmp(name, "notimestamps") == 0)
        so->set.timestamps = false;
    else if (strcmp(name, "nosack") == 0)
        so->set.sack = false;
    else if (strcmp(name, "mtu") == 0)
        so->mtu = (uint16_t)atoi(value);
    else if (strcmp(name, "rcvbuf_max") == 0)
        so->set.rcvbuf_max_b = (uint32_t)atoi(value);
    else if (strcmp(name, "local") == 0 && IS_OK(ip_parse(span_of(value, strlen(value)), &a)))
        *(ip_is_v4(&a) ? &so->local4 : &so->local6) = a;
}

static void flags(struct so *so, const char *text)
{
    char copy[256], *save = NULL;

    snprintf(copy, sizeof(copy), "%s", text ? text : "");
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(w, '=');

        if (eq)
            *eq++ = 0;
        flag(so, w, eq ? eq : "");
    }
}

static struct so *so_new(const char *text)
{
    struct so *so = (struct so *)calloc(1, sizeof(*so));
    struct tcp_env env = {.output = so_output, .route = route};
    struct timespec now;

    MUST(so);
    pthread_mutex_init(&so->lock, NULL);
    pthread_cond_init(&so->changed, NULL);
    so->out = (struct packet *)calloc(SO_PACKETS, sizeof(struct packet));
    tcp_settings_default(&so->set);
    /* What scripts for Linux are written against: buffers up to 15 MB (a shift of 8), patience of hosts. */
    so->set.conns_max = so->set.reqs_max = so->set.tw_max = 4096;
    so->set.rcvbuf_max_b = 15 << 20;
    so->set.sndbuf_max_b = 4 << 20;
    so->set.syn_retries = 5;
    so->set.user_timeout_ms = 900000;
    so->set.keep_idle_ms = 7200000;
    so->mtu = 1500;
    so->tso = true;
    so->local4 = ip_v4(0xc0a80001);
    so->local6 = (struct ip_addr){{0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d, [15] = 1}};
    mtu_of_program(so);
    flags(so, text);
    clock_gettime(CLOCK_REALTIME, &now);
    so->now_ns = (uint64_t)now.tv_sec * 1000000000ULL;
    so->pool.cap = 1000000;
    rng_init_u64(&so->rng, 1);
    env.ctx = so;
    env.pool = &so->pool;
    env.rng = &so->rng;
    MUST(IS_OK(tcp_new(&so->set, &env, so->now_ns, &so->t)));
    return so;
}

/* --- the table: every entry takes the lock and calls the one that does it --- */

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
    so->now_ns += LOOK_NS;
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
