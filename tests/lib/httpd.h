/**
 * httpd: a server of canned answers on 127.0.0.1, in a thread: one connection at a time, one request each.
 *
 *     struct httpd h;
 *     httpd_begin(&h, answers, ARRAY_LEN(answers));   ... httpd_url(&h, "/x") ... httpd_end(&h);
 */
#ifndef SALLYPORT_TESTS_HTTPD_H
#define SALLYPORT_TESTS_HTTPD_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct httpd_answer {
    const char *path;
    const char *
        text; /* as it goes over the wire; "%PORT%" in it becomes the port; NULL: nothing, for ever */
    size_t pad; /* so many bytes 'x' behind it */
};

struct httpd {
    const struct httpd_answer *answers;
    size_t count;
    int fd, bell[2]; /* the bell ends it */
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    char last[8192]; /* request */
    unsigned seen;
    char url[256];
};

static inline void httpd_send(int c, const char *p, size_t n)
{
    while (n) {
        ssize_t done = send(c, p, n, MSG_NOSIGNAL);

        if (done <= 0)
            return;
        p += done;
        n -= (size_t)done;
    }
}

static inline void httpd_reply(struct httpd *h, int c, const struct httpd_answer *a)
{
    const char *port = strstr(a->text, "%PORT%");
    char number[16], x[1024];

    if (port) {
        httpd_send(c, a->text, (size_t)(port - a->text));
        httpd_send(c, number, (size_t)snprintf(number, sizeof(number), "%u", h->port));
        httpd_send(c, port + 6, strlen(port + 6));
    } else {
        httpd_send(c, a->text, strlen(a->text));
    }
    memset(x, 'x', sizeof(x));
    for (size_t left = a->pad; left; left -= left < sizeof(x) ? left : sizeof(x))
        httpd_send(c, x, left < sizeof(x) ? left : sizeof(x));
}

/* False: the bell rang, or there is no more. */
static inline bool httpd_wait(struct httpd *h, int fd)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = h->bell[0], .events = POLLIN}};

    return poll(p, 2, -1) > 0 && !p[1].revents;
}

static inline bool httpd_read(struct httpd *h, int c, char *text, size_t room)
{
    size_t n = 0;

    for (;;) {
        const char *end = strstr(text, "\r\n\r\n"), *len = strstr(text, "Content-Length: ");
        ssize_t got;

        if (end && (!len || n >= (size_t)(end + 4 - text) + (size_t)atoi(len + 16)))
            return true;
        if (n + 1 >= room || !httpd_wait(h, c))
            return false;
        got = recv(c, text + n, room - n - 1, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
    }
}

static inline void httpd_serve(struct httpd *h, int c)
{
    char text[8192] = "";

    if (!httpd_read(h, c, text, sizeof(text)))
        return;
    pthread_mutex_lock(&h->lock);
    memcpy(h->last, text, sizeof(text));
    h->seen++;
    pthread_mutex_unlock(&h->lock);
    for (size_t i = 0; i < h->count; i++) {
        const char *path = strchr(text, ' ') + 1;
        size_t n = strlen(h->answers[i].path);

        if (strncmp(path, h->answers[i].path, n) != 0 || path[n] != ' ')
            continue;
        if (h->answers[i].text)
            httpd_reply(h, c, &h->answers[i]);
        else
            (void)httpd_wait(h, c);
        return;
    }
}

static inline void *httpd_thread(void *arg)
{
    struct httpd *h = (struct httpd *)arg;

    while (httpd_wait(h, h->fd)) {
        int c = accept(h->fd, NULL, NULL);

        if (c < 0)
            break;
        httpd_serve(h, c);
        close(c);
    }
    return NULL;
}

static inline void httpd_begin(struct httpd *h, const struct httpd_answer *answers, size_t count)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    memset(h, 0, sizeof(*h));
    h->answers = answers;
    h->count = count;
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (h->fd < 0 || bind(h->fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(h->fd, 64) != 0 || getsockname(h->fd, (struct sockaddr *)&at, &len) != 0 ||
        pipe(h->bell) != 0)
        abort();
    h->port = ntohs(at.sin_port);
    pthread_mutex_init(&h->lock, NULL);
    if (pthread_create(&h->thread, NULL, httpd_thread, h) != 0)
        abort();
}

static inline void httpd_end(struct httpd *h)
{
    close(h->bell[1]);
    pthread_join(h->thread, NULL);
    pthread_mutex_destroy(&h->lock);
    close(h->bell[0]);
    close(h->fd);
}

/* Good until the next call. */
static inline const char *httpd_url(struct httpd *h, const char *path)
{
    snprintf(h->url, sizeof(h->url), "http://127.0.0.1:%u%s", h->port, path);
    return h->url;
}

/* Does the last request contain this? */
static inline bool httpd_asked(struct httpd *h, const char *part)
{
    bool found;

    pthread_mutex_lock(&h->lock);
    found = strstr(h->last, part) != NULL;
    if (!found)
        fprintf(stderr, "the request has no '%s' but:\n%s", part, h->last);
    pthread_mutex_unlock(&h->lock);
    return found;
}

static inline unsigned httpd_seen(struct httpd *h)
{
    unsigned n;

    pthread_mutex_lock(&h->lock);
    n = h->seen;
    pthread_mutex_unlock(&h->lock);
    return n;
}

#endif
