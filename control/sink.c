#include "control/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIPE_PIECE_B 4096 /* PIPE_BUF: a pipe that is ready takes so much at once */

static int open_path(const char *path)
{
    if (strcmp(path, "stdout") == 0)
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (strcmp(path, "stderr") == 0)
        return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    /* O_NONBLOCK: a FIFO without a reader is an error and not a wait. */
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

static bool is_regular(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

res sink_open(struct sink *s, const char *path, struct report *report)
{
    *s = (struct sink){.fd = open_path(path)};
    if (s->fd < 0) {
        report_add(report, REPORT_ERROR, path, 0, NULL, "cannot be opened for writing: %s",
                   strerror(errno));
        return ERR(IO);
    }
    s->path = strdup(path);
    s->buf = (char *)malloc(SINK_BUF_B);
    s->regular = is_regular(s->fd);
    if (s->path && s->buf)
        return OK;
    sink_close(s);
    report_add(report, REPORT_ERROR, path, 0, NULL, "out of memory");
    return ERR(NOMEM);
}

void sink_close(struct sink *s)
{
    if (s->path)
        sink_flush(s);
    if (s->fd >= 0 && (s->path || s->buf))
        close(s->fd);
    free(s->path);
    free(s->buf);
    *s = (struct sink){.fd = -1};
}

res sink_reopen(struct sink *s, struct report *report)
{
    int fd;

    if (!s->path)
        return OK;
    sink_flush(s);
    fd = open_path(s->path);
    if (fd < 0) {
        report_add(report, REPORT_ERROR, s->path, 0, "lines go to the file that was open before",
                   "cannot be opened again: %s", strerror(errno));
        return ERR(IO);
    }
    close(s->fd);
    s->fd = fd;
    s->regular = is_regular(fd);
    return OK;
}

/* One write of what may be written without waiting. */
static ssize_t write_some(const struct sink *s, const char *p, size_t n)
{
    struct pollfd ready = {.fd = s->fd, .events = POLLOUT};

    if (s->regular)
        return write(s->fd, p, n);
    if (poll(&ready, 1, 0) <= 0 || !(ready.revents & POLLOUT)) {
        errno = EAGAIN;
        return -1;
    }
    return write(s->fd, p, n < PIPE_PIECE_B ? n : PIPE_PIECE_B);
}

void sink_flush(struct sink *s)
{
    size_t done = 0;

    while (done < s->len) {
        ssize_t n = write_some(s, s->buf + done, s->len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            s->error = errno;
        if (n <= 0)
            break;
        done += (size_t)n;
        s->error = 0;
    }
    if (done) {
        memmove(s->buf, s->buf + done, s->len - done);
        s->len -= done;
    }
}

void sink_line(struct sink *s, struct span line)
{
    if (!s->path)
        return;
    if (s->len + line.len + 1 > SINK_BUF_B)
        sink_flush(s);
    if (s->len + line.len + 1 > SINK_BUF_B) {
        s->lost++;
        return;
    }
    if (line.len)
        memcpy(s->buf + s->len, line.p, line.len);
    s->buf[s->len + line.len] = '\n';
    s->len += line.len + 1;
    s->lines++;
}
