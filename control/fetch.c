#include "control/fetch.h"

#include "base/url.h"
#include "control/fetch_job.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fetch {
    CURLM *multi;
    int epoll;
    uint32_t active_max, active, waiting;
    uint64_t last_id;
    struct job *jobs, *queue, **queue_end; /* under way; waiting */
    int64_t timer_ms;                      /* CLOCK_MONOTONIC; -1: none */
    struct way way;
};

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct fetch *f = (struct fetch *)ctx;
    struct epoll_event e = {.data.fd = fd};

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(f->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    e.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0u) |
               (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0u);
    /* A number of a descriptor that libcurl closed without a word may be in use again. */
    if (epoll_ctl(f->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) != 0 &&
        epoll_ctl(f->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) != 0)
        return -1;
    curl_multi_assign(f->multi, fd, f);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
    struct fetch *f = (struct fetch *)ctx;

    (void)multi;
    f->timer_ms = ms < 0 ? -1 : now_ms() + ms;
    return 0;
}

res fetch_new(uint32_t active, struct fetch **out)
{
    struct fetch *f = (struct fetch *)calloc(1, sizeof(*f));

    *out = NULL;
    if (!f)
        return ERR(NOMEM);
    f->active_max = active;
    f->timer_ms = -1;
    f->queue_end = &f->queue;
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (f->epoll < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        if (f->epoll >= 0)
            close(f->epoll);
        free(f);
        return ERR(IO);
    }
    f->multi = curl_multi_init();
    if (!f->multi) {
        fetch_free(f);
        return ERR(NOMEM);
    }
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
    curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)active);
    *out = f;
    return OK;
}

static void way_free(struct way *w)
{
    free(w->ca_file);
    free(w->proxy);
    free(w->direct);
}

static bool copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

res fetch_use(struct fetch *f, const char *ca_file, const char *proxy, const char *direct)
{
    struct way w = {0};

    if (!copy_text(&w.ca_file, ca_file) || !copy_text(&w.proxy, proxy) ||
        !copy_text(&w.direct, direct)) {
        way_free(&w);
        return ERR(NOMEM);
    }
    way_free(&f->way);
    f->way = w;
    return OK;
}

static void free_all(struct job *j)
{
    while (j) {
        struct job *next = j->next;

        job_free(j);
        j = next;
    }
}

void fetch_free(struct fetch *f)
{
    if (!f)
        return;
    free_all(f->jobs);
    free_all(f->queue);
    curl_multi_cleanup(f->multi);
    curl_global_cleanup();
    close(f->epoll);
    way_free(&f->way);
    free(f);
}

/* Reading one that is not would wait: a pipe, a device. */
static bool plain_file(const char *url)
{
    struct stat st;

    return !strchr(url, '%') && stat(url + strlen("file://"), &st) == 0 && S_ISREG(st.st_mode);
}

res fetch_begin(struct fetch *f, const struct fetch_request *r, uint64_t *id)
{
    const char *why;
    enum url_scheme scheme = url_scheme(r->url, &why);
    bool file = scheme == URL_FILE;
    struct job *j;

    *id = 0;
    if (scheme == URL_NONE || !r->max_b || !r->timeout_ms ||
        (file && !(r->file_ok && plain_file(r->url))))
        return ERR(INVALID);
    if (f->waiting == FETCH_WAITING_MAX)
        return ERR(EXISTS);
    j = job_new(f->multi, r);
    if (!j)
        return ERR(NOMEM);
    j->file = file;
    j->id = *id = ++f->last_id;
    *f->queue_end = j;
    f->queue_end = &j->next;
    f->waiting++;
    return OK;
}

static struct job *unqueue(struct fetch *f, struct job **at)
{
    struct job *j = *at;

    *at = j->next;
    if (f->queue_end == &j->next)
        f->queue_end = at;
    f->waiting--;
    return j;
}

static struct job *unlist(struct fetch *f, struct job **at)
{
    struct job *j = *at;

    *at = j->next;
    f->active--;
    return j;
}

void fetch_cancel(struct fetch *f, uint64_t id)
{
    struct job **at = &f->jobs;

    while (*at && (*at)->id != id)
        at = &(*at)->next;
    if (*at) {
        job_free(unlist(f, at));
        return;
    }
    at = &f->queue;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    if (*at)
        job_free(unqueue(f, at));
}

/* `n`: at most so many, so that whoever begins another one from its callback is no loop. */
static void start_waiting(struct fetch *f, uint32_t n)
{
    while (f->queue && f->active < f->active_max && n--) {
        struct job *j = unqueue(f, &f->queue);

        if (job_start(j, &f->way)) {
            j->next = f->jobs;
            f->jobs = j;
            f->active++;
        } else {
            job_answer(j, CURLE_FAILED_INIT);
            job_free(j);
        }
    }
}

static void finish(struct fetch *f, CURL *easy, CURLcode code)
{
    struct job **at = &f->jobs, *j;

    while (*at && (*at)->easy != easy)
        at = &(*at)->next;
    if (!*at)
        return; /* given up a moment ago */
    j = unlist(f, at);
    job_answer(j, code);
    job_free(j);
}

static void run_sockets(struct fetch *f)
{
    struct epoll_event events[16];
    int n, running;

    if (f->timer_ms >= 0 && now_ms() >= f->timer_ms) {
        f->timer_ms = -1;
        curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    n = epoll_wait(f->epoll, events, ARRAY_LEN(events), 0);
    for (int i = 0; i < n; i++) {
        uint32_t e = events[i].events;
        int what = (e & EPOLLIN ? CURL_CSELECT_IN : 0) | (e & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (e & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

        curl_multi_socket_action(f->multi, events[i].data.fd, what, &running);
    }
}

void fetch_turn(struct fetch *f)
{
    CURLMsg *msg;
    int left;

    start_waiting(f, f->waiting);
    run_sockets(f);
    while ((msg = curl_multi_info_read(f->multi, &left))) {
        if (msg->msg == CURLMSG_DONE)
            finish(f, msg->easy_handle, msg->data.result);
    }
}

int fetch_fd(const struct fetch *f)
{
    return f->epoll;
}

int fetch_wait_ms(const struct fetch *f)
{
    int64_t left = f->timer_ms < 0 ? -1 : f->timer_ms - now_ms();

    if (f->queue && f->active < f->active_max)
        return 0;
    if (f->timer_ms < 0)
        return -1;
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

uint32_t fetch_count(const struct fetch *f)
{
    return f->active + f->waiting;
}
