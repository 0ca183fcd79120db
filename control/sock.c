#include "control/sock.h"

#include "control/cmd.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define GROUPS_MAX     256
#define LINES_PER_TURN 16 /* of one client; then others and the logs have their turn */

struct client {
    int fd; /* -1: free */
    char *in;
    size_t in_len;
    char *out;
    size_t out_len, out_done;
    uint64_t moved_ns; /* when it last took something */
    bool last;         /* closed when the answer is out */
};

struct sock {
    int fd;
    char *path;
    gid_t group;
    bool has_group;
    struct client clients[SOCK_CLIENTS_MAX];
};

/* --- the socket itself --- */

static res fail(struct report *report, const struct cfg_control *cfg, size_t member,
                const char *what)
{
    cfg_mistake(report, REPORT_ERROR, &cfg->node, member, NULL, "%s: %s: %s", cfg->socket, what,
                strerror(errno));
    return ERR(IO);
}

static bool find_group(const char *name, gid_t *out)
{
    char *end;
    unsigned long n = strtoul(name, &end, 10);
    const struct group *g;

    if (*name && !*end && n <= INT32_MAX) {
        *out = (gid_t)n;
        return true;
    }
    g = getgrnam(name);
    if (g)
        *out = g->gr_gid;
    return g;
}

static bool alive(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0;

    if (fd >= 0)
        close(fd);
    return yes;
}

/* A folder of our own below /run may have to be made. */
static void make_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[128];

    if (!slash || slash == path || (size_t)(slash - path) >= sizeof(folder))
        return;
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    (void)mkdir(folder, 0755);
}

static res bind_at(struct sock *s, const struct cfg_control *cfg, struct report *report)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t socket_key = offsetof(struct cfg_control, socket);
    struct stat st;
    mode_t mask;
    int bound;

    memcpy(addr.sun_path, cfg->socket, strlen(cfg->socket));
    make_folder(cfg->socket);
    if (lstat(cfg->socket, &st) == 0) {
        if (!S_ISSOCK(st.st_mode) || alive(&addr)) {
            errno = EADDRINUSE;
            return fail(report, cfg, socket_key,
                        S_ISSOCK(st.st_mode) ? "another process listens there" : "is no socket");
        }
        unlink(cfg->socket);
    }
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mask = umask(0777); /* nobody may connect before mode and group are set */
    bound = s->fd >= 0 ? bind(s->fd, (const struct sockaddr *)&addr, sizeof(addr)) : -1;
    umask(mask);
    if (bound != 0)
        return fail(report, cfg, socket_key, "cannot be bound");
    s->path = strdup(cfg->socket);
    if (s->has_group && chown(cfg->socket, (uid_t)-1, s->group) != 0)
        return fail(report, cfg, offsetof(struct cfg_control, group),
                    "cannot be given to the group");
    if (chmod(cfg->socket, (mode_t)cfg->mode) != 0 || listen(s->fd, SOCK_CLIENTS_MAX) != 0)
        return fail(report, cfg, socket_key, "cannot be listened at");
    return s->path ? OK : ERR(NOMEM);
}

res sock_open(const struct cfg_control *cfg, struct report *report, struct sock **out)
{
    struct sock *s = (struct sock *)calloc(1, sizeof(*s));
    res r;

    *out = NULL;
    if (!s)
        return ERR(NOMEM);
    s->fd = -1;
    for (size_t i = 0; i < SOCK_CLIENTS_MAX; i++)
        s->clients[i].fd = -1;
    s->has_group = cfg->group != NULL;
    if (s->has_group && !find_group(cfg->group, &s->group)) {
        cfg_mistake(report, REPORT_ERROR, &cfg->node, offsetof(struct cfg_control, group), NULL,
                    "there is no group \"%s\"", cfg->group);
        r = ERR(FAIL);
    } else {
        r = bind_at(s, cfg, report);
    }
    if (!IS_OK(r)) {
        sock_close(s);
        return r;
    }
    *out = s;
    return OK;
}

static void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->in);
    free(c->out);
    *c = (struct client){.fd = -1};
}

void sock_close(struct sock *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SOCK_CLIENTS_MAX; i++)
        client_close(&s->clients[i]);
    if (s->path)
        unlink(s->path);
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    free(s);
}

/* --- answers --- */

static void answer(struct client *c, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    size_t len = text ? strlen(text) : 0;

    json_decref(o);
    if (!text || len > SOCK_OUT_MAX_B) {
        free(text);
        text = strdup("{\"ok\":false,\"errors\":[{\"what\":\"the answer is too large\"}]}");
        len = text ? strlen(text) : 0;
    }
    if (!text) {
        c->last = true;
        return;
    }
    text[len] = '\n'; /* in place of the NUL */
    c->out = text;
    c->out_len = len + 1;
    c->out_done = 0;
    c->moved_ns = ctl_mono_ns();
}

static void refuse(struct client *c, const char *what, const char *hint)
{
    struct report *r = report_new();

    if (r) {
        report_add(r, REPORT_ERROR, NULL, 0, hint, "%s", what);
        answer(c, cmd_refusal(r));
        report_free(r);
    }
    c->last = true;
}

static void flush(struct client *c)
{
    while (c->out_done < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_done, c->out_len - c->out_done,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            client_close(c);
            return;
        }
        c->out_done += (size_t)n;
        c->moved_ns = ctl_mono_ns();
    }
    free(c->out);
    c->out = NULL;
    c->out_len = c->out_done = 0;
    if (c->last)
        client_close(c);
}

/* --- who is there --- */

static bool in_group(int fd, gid_t primary, gid_t group)
{
    gid_t list[GROUPS_MAX];
    socklen_t len = sizeof(list);

    if (primary == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &len) != 0)
        return false;
    for (size_t i = 0; i < len / sizeof(list[0]); i++) {
        if (list[i] == group)
            return true;
    }
    return false;
}

static bool allowed(const struct sock *s, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid() ||
           (s->has_group && in_group(fd, peer.gid, s->group));
}

static void accept_one(struct sock *s)
{
    struct client extra = {.fd = -1}, *c = NULL;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    for (size_t i = 0; i < SOCK_CLIENTS_MAX && !c; i++) {
        if (s->clients[i].fd < 0)
            c = &s->clients[i];
    }
    if (!c)
        c = &extra;
    c->fd = fd;
    c->in = (char *)malloc(MSG_MAX_B + 1);
    c->moved_ns = ctl_mono_ns();
    if (!c->in)
        client_close(c);
    else if (c == &extra)
        refuse(c, "too many clients", "try again");
    else if (!allowed(s, fd))
        refuse(c, "you may not use this socket",
               "root, the daemon's user and members of control.group may");
    if (c->fd >= 0 && c->out)
        flush(c);
    if (c == &extra)
        client_close(c);
}

/* --- what they say --- */

/* The first whole line, if there is one and the answer before is out. */
static void line(struct client *c, struct ctl *ctl)
{
    char *end = (char *)memchr(c->in, '\n', c->in_len);
    size_t len;

    if (!end) {
        if (c->in_len > MSG_MAX_B)
            refuse(c, "a line of more than 64 KB", NULL);
        return;
    }
    len = (size_t)(end - c->in);
    answer(c, cmd_line(ctl, span_of(c->in, len)));
    c->in_len -= len + 1;
    memmove(c->in, end + 1, c->in_len);
}

static void client_turn(struct client *c, short events, struct ctl *ctl)
{
    ssize_t n;

    if (c->out) {
        flush(c);
        if (c->fd >= 0 && c->out && ctl_mono_ns() - c->moved_ns > SOCK_SLOW_S * 1000000000ULL)
            client_close(c);
        if (c->fd < 0 || c->out)
            return;
    }
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        n = recv(c->fd, c->in + c->in_len, MSG_MAX_B + 1 - c->in_len, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            client_close(c);
            return;
        }
        c->in_len += n > 0 ? (size_t)n : 0;
    }
    for (unsigned i = 0; i < LINES_PER_TURN && c->fd >= 0 && !c->out && c->in_len; i++) {
        line(c, ctl);
        if (!c->out)
            break; /* no whole line yet */
        flush(c);
    }
}

nfds_t sock_polls(const struct sock *s, struct pollfd *polls)
{
    nfds_t n = 0;

    polls[n++] = (struct pollfd){.fd = s->fd, .events = POLLIN};
    for (size_t i = 0; i < SOCK_CLIENTS_MAX; i++) {
        const struct client *c = &s->clients[i];

        if (c->fd >= 0)
            polls[n++] = (struct pollfd){.fd = c->fd, .events = c->out ? POLLOUT : POLLIN};
    }
    return n;
}

void sock_turn(struct sock *s, const struct pollfd *polls, nfds_t n, struct ctl *ctl)
{
    for (size_t i = 0; i < SOCK_CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
        short events = 0;

        if (c->fd < 0)
            continue;
        for (nfds_t k = 1; k < n; k++) {
            if (polls[k].fd == c->fd)
                events = polls[k].revents;
        }
        client_turn(c, events, ctl);
    }
    if (n && polls[0].fd == s->fd && polls[0].revents)
        accept_one(s);
}
