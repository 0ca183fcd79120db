#include "base/bytes.h"
#include "packetdrill/so.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct sock *sock_at(struct so *so, int fd)
{
    unsigned i = fd >= 0 && fd < SO_FD_MAX ? so->of_fd[fd] : 0;

    return i && so->socks[i - 1].kind != SOCK_FREE ? &so->socks[i - 1] : NULL;
}

int sock_fd(const struct sock *k)
{
    return k->fd;
}

struct sock *sock_new(struct so *so, enum sock_kind kind)
{
    for (unsigned i = 0; i < SO_FDS; i++) {
        struct sock *k = &so->socks[i];
        int fd;

        if (k->kind != SOCK_FREE)
            continue;
        fd = eventfd(0, EFD_CLOEXEC);
        if (fd < 0 || fd >= SO_FD_MAX)
            return NULL;
        memset(k, 0, sizeof(*k));
        k->kind = kind;
        k->so = so;
        k->fd = fd;
        so->of_fd[fd] = (uint16_t)(i + 1);
        return k;
    }
    return NULL;
}

void sock_free(struct sock *k)
{
    k->so->of_fd[k->fd] = 0;
    close(k->fd);
    k->kind = SOCK_FREE;
}

/* --- names --- */

static bool name_in(const struct sock *k, const struct sockaddr *a, socklen_t n, struct endpoint *e)
{
    if (a->sa_family == AF_INET && n >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a;

        e->addr = ip_v4(ntohl(in->sin_addr.s_addr));
        e->port = ntohs(in->sin_port);
        return !k->v6;
    }
    if (a->sa_family == AF_INET6 && n >= sizeof(struct sockaddr_in6)) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)a;

        memcpy(e->addr.b, in->sin6_addr.s6_addr, 16);
        e->port = ntohs(in->sin6_port);
        return k->v6;
    }
    return false;
}

void sock_name(const struct sock *k, const struct endpoint *e, struct sockaddr *a, socklen_t *n)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(e->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
    socklen_t size = k->v6 ? sizeof(in6) : sizeof(in);

    memcpy(&in.sin_addr, e->addr.b + 12, 4);
    memcpy(&in6.sin6_addr, e->addr.b, 16);
    if (a && n)
        memcpy(a, k->v6 ? (void *)&in6 : (void *)&in, *n < size ? *n : size);
    if (n)
        *n = size;
}

/* --- events of the stack --- */

static int error_of(enum stream_why why, bool connecting)
{
    switch (why) {
    case STREAM_WHY_RESET:
        return ECONNRESET;
    case STREAM_WHY_REFUSED:
        return ECONNREFUSED;
    case STREAM_WHY_UNREACHABLE:
        return EHOSTUNREACH;
    case STREAM_WHY_TIMEOUT:
        return ETIMEDOUT;
    case STREAM_WHY_NO_PORT:
        return EADDRNOTAVAIL;
    case STREAM_WHY_NO_MEMORY:
        return ENOBUFS;
    case STREAM_WHY_NONE:
    case STREAM_WHY_DONE:
    case STREAM_WHY_PROTOCOL:
    case STREAM_WHY_UNTRUSTED:
    case STREAM_WHY_TRUNCATED:
    case STREAM_WHY_LOCAL:
    case STREAM_WHY_COUNT:
        break;
    }
    return connecting ? ECONNREFUSED : 0;
}

static void on_event(void *owner, struct stream *s, uint32_t ev)
{
    struct sock *k = (struct sock *)owner;

    if (ev & STREAM_EV_CLOSED) {
        k->why = stream_why(s);
        k->error = error_of(k->why, k->kind == SOCK_CONNECTING);
        if (k->error == ECONNRESET && k->shut_wr)
            k->error = EPIPE;
        k->kind = SOCK_DEAD;
        k->s = NULL;
        stream_close(s);
        k->in_n++;
        k->out_n++;
        return;
    }
    if ((ev & STREAM_EV_OPEN) && k->kind == SOCK_CONNECTING) {
        k->kind = SOCK_OPEN;
        k->local.addr = tcp_stream_tuple(s)->laddr;
        k->local.port = tcp_stream_tuple(s)->lport;
    }
    if (ev & (STREAM_EV_READABLE | STREAM_EV_EOF))
        k->in_n++;
    if (ev & (STREAM_EV_WRITABLE | STREAM_EV_OPEN))
        k->out_n++;
}

static const struct stream_owner owner = {"sock", on_event};

static bool on_accept(void *ctx, struct stream *s, const struct tcp_tuple *tuple)
{
    struct sock *l = (struct sock *)ctx;
    struct sock *k = l->queued < SO_BACKLOG ? sock_new(l->so, SOCK_OPEN) : NULL;

    if (!k)
        return false;
    k->v6 = l->v6;
    k->s = s;
    k->local = (struct endpoint){tuple->laddr, tuple->lport};
    k->remote = (struct endpoint){tuple->raddr, tuple->rport};
    memcpy(k->opts, l->opts, sizeof(k->opts));
    stream_set_owner(s, &owner, k);
    l->queue[l->queued++] = sock_fd(k);
    l->in_n++;
    return true;
}

/* --- calls --- */

int sock_open(struct so *so, int domain, int type, int protocol)
{
    struct sock *k;

    if (domain != AF_INET && domain != AF_INET6)
        return FAIL(EAFNOSUPPORT);
    if ((type & 0xf) != SOCK_STREAM || (protocol && protocol != IPPROTO_TCP))
        return FAIL(EPROTONOSUPPORT);
    so_settings(so);
    k = sock_new(so, SOCK_NEW);
    if (!k)
        return FAIL(EMFILE);
    k->v6 = domain == AF_INET6;
    k->nonblock = type & SOCK_NONBLOCK;
    return sock_fd(k);
}

int sock_bind(struct so *so, int fd, const struct sockaddr *a, socklen_t n)
{
    struct sock *k = sock_at(so, fd);

    if (!k)
        return FAIL(EBADF);
    if (k->kind != SOCK_NEW || k->bound || !name_in(k, a, n, &k->local))
        return FAIL(EINVAL);
    if (!k->local.port)
        k->local.port = (uint16_t)(20000 + k->fd);
    k->bound = true;
    return 0;
}

int sock_listen(struct so *so, int fd, int backlog)
{
    struct sock *k = sock_at(so, fd);

    (void)backlog;
    if (!k)
        return FAIL(EBADF);
    if (k->kind == SOCK_LISTENS)
        return 0;
    if (k->kind != SOCK_NEW)
        return FAIL(EINVAL);
    for (unsigned i = 0; i < SO_FDS; i++) {
        if (so->socks[i].kind == SOCK_LISTENS && so->socks[i].local.port == k->local.port &&
            ip_eq(&so->socks[i].local.addr, &k->local.addr))
            return FAIL(EADDRINUSE);
    }
    if (!IS_OK(tcp_listen(so->t, &k->local, on_accept, k)))
        return FAIL(ENOBUFS);
    k->kind = SOCK_LISTENS;
    return 0;
}

int sock_accept(struct so *so, int fd, struct sockaddr *a, socklen_t *n)
{
    struct sock *l = sock_at(so, fd), *k;
    int got;

    if (!l)
        return FAIL(EBADF);
    if (l->kind != SOCK_LISTENS)
        return FAIL(EINVAL);
    if (!l->queued && l->nonblock)
        return FAIL(EAGAIN);
    if (!l->queued && !so_block(so, io_can_read, l, -1))
        return FAIL(EBADF);
    got = l->queue[0];
    memmove(l->queue, l->queue + 1, --l->queued * sizeof(int));
    k = sock_at(so, got);
    if (k)
        sock_name(k, &k->remote, a, n);
    return got;
}

static bool connected(struct sock *k)
{
    return k->kind != SOCK_CONNECTING;
}

int sock_connect(struct so *so, int fd, const struct sockaddr *a, socklen_t n)
{
    struct sock *k = sock_at(so, fd);
    struct tcp_connect how = {0};
    enum stream_why why = STREAM_WHY_NONE;

    if (!k)
        return FAIL(EBADF);
    if (k->kind == SOCK_OPEN)
        return FAIL(EISCONN);
    if (k->kind == SOCK_CONNECTING)
        return FAIL(EALREADY);
    if (k->kind == SOCK_DEAD)
        return FAIL(io_error(k) ? errno : ECONNABORTED);
    if (k->kind != SOCK_NEW || !name_in(k, a, n, &k->remote))
        return FAIL(EINVAL);
    how.remote = k->remote;
    if (k->bound)
        how.local = k->local.addr;
    so_turn_begin(so);
    k->s = tcp_connect(so->t, &how, &owner, k, &why);
    if (!k->s) {
        so_turn_end(so);
        return FAIL(error_of(why, true));
    }
    k->kind = SOCK_CONNECTING;
    k->local = (struct endpoint){tcp_stream_tuple(k->s)->laddr, tcp_stream_tuple(k->s)->lport};
    so_turn_end(so);
    if (k->kind == SOCK_CONNECTING && k->nonblock)
        return FAIL(EINPROGRESS);
    if (k->kind == SOCK_CONNECTING)
        (void)so_block(so, connected, k, -1);
    return k->kind == SOCK_DEAD ? FAIL(io_error(k)) : 0;
}

int sock_shutdown(struct so *so, int fd, int how)
{
    struct sock *k = sock_at(so, fd);

    if (!k)
        return FAIL(EBADF);
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return FAIL(EINVAL);
    if (k->kind != SOCK_OPEN)
        return FAIL(ENOTCONN);
    so_turn_begin(so);
    if (how != SHUT_RD && !k->shut_wr) {
        stream_shutdown(k->s);
        k->shut_wr = true;
    }
    if (how != SHUT_WR)
        k->shut_rd = true;
    k->in_n++;
    k->out_n++;
    so_turn_end(so);
    return 0;
}

int sock_close(struct so *so, int fd)
{
    struct sock *k = sock_at(so, fd);

    if (!k)
        return FAIL(EBADF);
    so_turn_begin(so);
    if (k->kind == SOCK_LISTENS) {
        tcp_unlisten(so->t, &k->local);
        for (unsigned i = 0; i < k->queued; i++) {
            struct sock *q = sock_at(so, k->queue[i]);

            if (q && q->s)
                stream_abort(q->s);
            if (q)
                sock_free(q);
        }
    } else if (k->s) {
        /* As hosts do: bytes that nobody read, or a linger time of 0, end in a reset. */
        if (k->linger0 || stream_readable(k->s))
            stream_abort(k->s);
        else
            stream_close(k->s);
    }
    sock_free(k);
    so_turn_end(so);
    return 0;
}
