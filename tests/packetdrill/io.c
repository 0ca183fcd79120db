#include "packetdrill/so.h"

bool io_can_read(struct sock *k)
{
    if (k->kind == SOCK_LISTENS)
        return k->queued > 0;
    if (k->kind == SOCK_OPEN)
        return k->shut_rd || stream_readable(k->s) || stream_at_eof(k->s);
    return k->kind == SOCK_DEAD || k->kind == SOCK_FREE;
}

bool io_can_write(struct sock *k)
{
    if (k->kind == SOCK_OPEN)
        return k->shut_wr || stream_tx_space(k->s) > 0;
    return k->kind == SOCK_DEAD || k->kind == SOCK_FREE;
}

int io_error(struct sock *k)
{
    int e = k->error;

    k->error = 0;
    return e;
}

static ssize_t take(struct sock *k, uint8_t *to, size_t n, int flags)
{
    struct span v[64];
    uint32_t parts = stream_peek(k->s, v, 64), got = 0;

    for (uint32_t i = 0; i < parts && got < n; i++) {
        uint32_t part = (uint32_t)(v[i].len < n - got ? v[i].len : n - got);

        if (to && !(flags & MSG_TRUNC))
            memcpy(to + got, v[i].p, part);
        got += part;
    }
    if (!(flags & MSG_PEEK))
        stream_consume(k->s, got);
    return got;
}

/* Addresses that scripts use to provoke EFAULT. */
static bool bad_address(const void *p, size_t n)
{
    return n && ((uintptr_t)p < 4096 || (uintptr_t)p > UINTPTR_MAX - n);
}

ssize_t io_recv(struct so *so, int fd, void *to, size_t n, int flags)
{
    struct sock *k = sock_at(so, fd);
    size_t got = 0;
    int e;

    if (!k)
        return FAIL(EBADF);
    if (k->kind == SOCK_NEW || k->kind == SOCK_LISTENS || k->kind == SOCK_CONNECTING)
        return FAIL(k->kind == SOCK_CONNECTING && k->nonblock ? EAGAIN : ENOTCONN);
    if (bad_address(to, n))
        return FAIL(EFAULT);
    for (;;) {
        if (k->kind == SOCK_DEAD) {
            e = io_error(k);
            return got ? (ssize_t)got : e ? FAIL(e) : 0;
        }
        so_turn_begin(so);
        while (stream_readable(k->s) && got < n) {
            got += (size_t)take(k, (uint8_t *)to + got, n - got, flags);
            if (flags & MSG_PEEK)
                break;
        }
        so_turn_end(so);
        if ((got && !((flags & MSG_WAITALL) && got < n)) || n == 0 ||
            (k->s && stream_at_eof(k->s)) || k->shut_rd)
            return (ssize_t)got;
        if (k->kind == SOCK_DEAD)
            continue;
        if (k->nonblock || (flags & MSG_DONTWAIT))
            return got ? (ssize_t)got : FAIL(EAGAIN);
        if (!so_block(so, io_can_read, k, -1))
            return FAIL(EINTR);
    }
}

static size_t put(struct sock *k, const uint8_t *p, size_t n)
{
    size_t done = 0;

    while (done < n) {
        uint32_t space = stream_tx_space(k->s), got;
        void *to = space
                       ? stream_reserve(k->s, (uint32_t)(n - done < space ? n - done : space), &got)
                       : NULL;

        if (!to)
            break;
        memcpy(to, p + done, got);
        stream_commit(k->s, got);
        done += got;
    }
    return done;
}

ssize_t io_send(struct so *so, int fd, const void *p, size_t n, int flags)
{
    struct sock *k = sock_at(so, fd);
    size_t done = 0;
    int e;

    if (!k)
        return FAIL(EBADF);
    if (k->kind == SOCK_NEW || k->kind == SOCK_LISTENS)
        return FAIL(EPIPE);
    if (bad_address(p, n))
        return FAIL(EFAULT);
    if (k->kind == SOCK_CONNECTING && (k->nonblock || (flags & MSG_DONTWAIT)))
        return FAIL(EAGAIN);
    for (;;) {
        if (k->kind == SOCK_DEAD) {
            e = io_error(k);
            return done ? (ssize_t)done : FAIL(e ? e : EPIPE);
        }
        if (k->shut_wr)
            return FAIL(EPIPE);
        if (k->kind == SOCK_OPEN) {
            so_turn_begin(so);
            done += put(k, (const uint8_t *)p + done, n - done);
            so_turn_end(so);
        }
        if (done == n)
            return (ssize_t)done;
        if (k->nonblock || (flags & MSG_DONTWAIT))
            return done ? (ssize_t)done : FAIL(EAGAIN);
        if (!so_block(so, io_can_write, k, -1))
            return FAIL(EINTR);
    }
}

/* --- readiness --- */

static short state_of(struct sock *k)
{
    short r = 0;

    if (!k)
        return POLLNVAL;
    if (k->kind == SOCK_NEW)
        return POLLOUT | POLLHUP;
    if (io_can_read(k))
        r |= POLLIN | POLLRDNORM;
    if (io_can_write(k))
        r |= POLLOUT | POLLWRNORM;
    if (k->kind == SOCK_DEAD)
        r |= POLLHUP | POLLRDHUP | (k->error ? POLLERR : 0);
    if (k->kind == SOCK_OPEN && stream_at_eof(k->s))
        r |= POLLRDHUP | (k->shut_wr ? POLLHUP : 0);
    return r;
}

static int poll_once(struct so *so, struct pollfd *fds, nfds_t n)
{
    int ready = 0;

    for (nfds_t i = 0; i < n; i++) {
        fds[i].revents = (short)(state_of(sock_at(so, fds[i].fd)) &
                                 (fds[i].events | POLLERR | POLLHUP | POLLNVAL));
        ready += fds[i].revents != 0;
    }
    return ready;
}

int io_poll(struct so *so, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    uint64_t end = timeout_ms < 0 ? UINT64_MAX : so->now_ns + (uint64_t)timeout_ms * 1000000;
    int ready;

    while ((ready = poll_once(so, fds, n)) == 0 && so->now_ns < end) {
        if (!so_block(so, NULL, NULL,
                      timeout_ms < 0 ? -1 : (int)((end - so->now_ns) / 1000000) + 1))
            break;
    }
    return ready;
}

int io_epoll_ctl(struct so *so, int ep, int op, int fd, struct epoll_event *e)
{
    struct sock *k = sock_at(so, ep), *of = sock_at(so, fd);
    struct watch *w = NULL;

    if (!k || !of)
        return FAIL(EBADF);
    if (k->kind != SOCK_EPOLL)
        return FAIL(EINVAL);
    for (unsigned i = 0; i < k->watch_n; i++)
        w = k->watches[i].fd == fd ? &k->watches[i] : w;
    if (op == EPOLL_CTL_ADD && w)
        return FAIL(EEXIST);
    if (op != EPOLL_CTL_ADD && !w)
        return FAIL(ENOENT);
    if (op == EPOLL_CTL_DEL) {
        *w = k->watches[--k->watch_n];
        return 0;
    }
    if (op == EPOLL_CTL_ADD) {
        if (k->watch_n == 32)
            return FAIL(ENOSPC);
        w = &k->watches[k->watch_n++];
    }
    *w = (struct watch){fd, *e, UINT32_MAX, UINT32_MAX};
    return 0;
}

static int epoll_once(struct so *so, struct sock *k, struct epoll_event *events, int max)
{
    int n = 0;

    for (unsigned i = 0; i < k->watch_n && n < max; i++) {
        struct watch *w = &k->watches[i];
        struct sock *of = sock_at(so, w->fd);
        uint32_t got = of ? (uint32_t)(unsigned short)state_of(of) : 0;

        got &= w->e.events | EPOLLERR | EPOLLHUP;
        if (of && (w->e.events & EPOLLET) && w->seen_in == of->in_n && w->seen_out == of->out_n)
            got = 0; /* nothing has happened since it was told */
        if (!got)
            continue;
        w->seen_in = of ? of->in_n : 0;
        w->seen_out = of ? of->out_n : 0;
        events[n].events = got;
        events[n++].data = w->e.data;
        if (w->e.events & EPOLLONESHOT)
            w->e.events = EPOLLONESHOT;
    }
    return n;
}

int io_epoll_wait(struct so *so, int ep, struct epoll_event *events, int max, int timeout_ms)
{
    struct sock *k = sock_at(so, ep);
    uint64_t end = timeout_ms < 0 ? UINT64_MAX : so->now_ns + (uint64_t)timeout_ms * 1000000;
    int n;

    if (!k)
        return FAIL(EBADF);
    if (k->kind != SOCK_EPOLL || max <= 0)
        return FAIL(EINVAL);
    while ((n = epoll_once(so, k, events, max)) == 0 && so->now_ns < end) {
        if (!so_block(so, NULL, NULL,
                      timeout_ms < 0 ? -1 : (int)((end - so->now_ns) / 1000000) + 1))
            break;
    }
    return n;
}
