#include "control/fetch.h"
#include "lib/httpd.h"
#include "lib/t.h"
#include "lib/tmp.h"

#define PATIENCE_MS 60000 /* for what is not measured: sanitizers, a busy machine */

static const struct httpd_answer answers[] = {
    {"/ok",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"e1\"\r\nLast-Modified: Mon, 01 Jan 2024 "
     "00:00:00 GMT\r\n"
     "Cache-Control: public, max-age=3600\r\nAge: 600\r\nContent-Type: text/x\r\n\r\nhello",
     0},
    {"/plain", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0},
    {"/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0},
    {"/chunks",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nETag: "
     "\"trailer\"\r\n\r\n",
     0},
    {"/until-end", "HTTP/1.1 200 OK\r\n\r\nabc", 0},
    {"/304", "HTTP/1.1 304 Not Modified\r\nETag: \"e2\"\r\nCache-Control: max-age=5\r\n\r\n", 0},
    {"/404", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", 0},
    {"/500", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 0},
    {"/no-store",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nCache-Control: max-age=60, no-store\r\n\r\nx", 0},
    {"/said-large", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", 100000},
    {"/is-large", "HTTP/1.1 200 OK\r\n\r\n", 100000},
    {"/just", "HTTP/1.1 200 OK\r\n\r\n", 1000},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 0},
    {"/head", "HTTP/1.1 200 OK\r\nX: ", 100000},
    {"/rubbish", "SSH-2.0-OpenSSH_9.2\r\n", 0},
    {"/nothing", "", 0},
    {"/slow", NULL, 0},
    {"/half", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc", 0},
    {"/moved",
     "HTTP/1.1 302 Found\r\nETag: \"old\"\r\nLocation: "
     "http://127.0.0.1:%PORT%/ok\r\nContent-Length: 0\r\n\r\n",
     0},
    {"/moved-here", "HTTP/1.1 301 Moved\r\nLocation: /plain\r\nContent-Length: 0\r\n\r\n", 0},
    {"/to-file", "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
     0},
    {"/to-https",
     "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:%PORT%/ok\r\nContent-Length: 0\r\n\r\n", 0},
    {"/to-ftp",
     "HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1:%PORT%/ok\r\nContent-Length: 0\r\n\r\n", 0},
    {"/ring", "HTTP/1.1 302 Found\r\nLocation: /ring\r\nContent-Length: 0\r\n\r\n", 0},
    {"/long-tag",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: "
     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaa\"\r\n\r\nx",
     0},
};

struct got {
    unsigned calls;
    enum fetch_end end;
    int status;
    char body[64], etag[64], changed[64], type[64], why[512];
    size_t body_b;
    int64_t max_age_s;
    struct fetch *f;
    const char *again; /* URL of one more request, begun by the callback */
    uint64_t kill;     /* id of one that the callback gives up */
};

static void copy(char *to, size_t room, const char *from)
{
    snprintf(to, room, "%s", from ? from : "-");
}

static void on_answer(void *ctx, const struct fetch_answer *a)
{
    struct got *g = (struct got *)ctx;
    const char *again = g->again;
    uint64_t id;

    g->calls++;
    g->end = a->end;
    g->status = a->status;
    g->body_b = a->body.len;
    snprintf(g->body, sizeof(g->body), "%.*s", (int)min_size(a->body.len, 60),
             a->body.len ? (const char *)a->body.p : "");
    copy(g->etag, sizeof(g->etag), a->etag);
    copy(g->changed, sizeof(g->changed), a->changed);
    copy(g->type, sizeof(g->type), a->type);
    copy(g->why, sizeof(g->why), a->why);
    g->max_age_s = a->max_age_s;
    if (g->kill)
        fetch_cancel(g->f, g->kill);
    g->again = NULL;
    if (again)
        T_OK(IS_OK(fetch_begin(g->f,
                               &(struct fetch_request){.url = again,
                                                       .max_b = 100,
                                                       .timeout_ms = PATIENCE_MS / 2,
                                                       .done = on_answer,
                                                       .ctx = g},
                               &id)));
}

struct fix {
    struct httpd h;
    struct fetch *f;
    struct got got;
};

static void begin(struct fix *x, uint32_t active)
{
    memset(x, 0, sizeof(*x));
    httpd_begin(&x->h, answers, ARRAY_LEN(answers));
    T_NEED(IS_OK(fetch_new(active, &x->f)));
    x->got.f = x->f;
}

static void end(struct fix *x)
{
    fetch_free(x->f);
    httpd_end(&x->h);
}

static int64_t mono_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* As the control thread does. */
static void turn(struct fetch *f)
{
    struct pollfd p = {.fd = fetch_fd(f), .events = POLLIN};
    int wait = fetch_wait_ms(f);

    (void)poll(&p, 1, wait < 0 || wait > 50 ? 50 : wait);
    fetch_turn(f);
}

/* Until nothing is under way. */
static void run(struct fetch *f)
{
    int64_t stop = mono_ms() + PATIENCE_MS;

    while (fetch_count(f) && mono_ms() < stop)
        turn(f);
    T_EQ(fetch_count(f), 0);
}

static struct fetch_request request(struct fix *x, const char *url)
{
    return (struct fetch_request){.url = url,
                                  .max_b = 1000,
                                  .timeout_ms = PATIENCE_MS / 2,
                                  .done = on_answer,
                                  .ctx = &x->got};
}

static void ask(struct fix *x, const struct fetch_request *r)
{
    uint64_t id = 0;
    unsigned calls = x->got.calls;

    T_NEED(IS_OK(fetch_begin(x->f, r, &id)));
    T_OK(id != 0);
    T_EQ(x->got.calls, calls); /* never from within */
    run(x->f);
    T_EQ(x->got.calls, calls + 1);
}

static void an_answer_comes_with_what_is_said_of_it(void)
{
    struct fix x;
    struct fetch_request r;

    begin(&x, 4);
    r = request(&x, httpd_url(&x.h, "/ok"));
    r.accept = "application/pkix-crl";
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_OK);
    T_EQ(x.got.status, 200);
    T_STR(x.got.body, "hello");
    T_STR(x.got.etag, "\"e1\"");
    T_STR(x.got.changed, "Mon, 01 Jan 2024 00:00:00 GMT");
    T_STR(x.got.type, "text/x");
    T_STR(x.got.why, "-");
    T_EQ(x.got.max_age_s, 3000);
    T_OK(httpd_asked(&x.h, "GET /ok HTTP/1.1\r\n"));
    T_OK(httpd_asked(&x.h, "\r\nAccept: application/pkix-crl\r\n"));
    T_OK(httpd_asked(&x.h, "\r\nUser-Agent: sallyport\r\n"));
    end(&x);
}

static void every_answer_has_its_end(void)
{
    static const struct {
        const char *path;
        enum fetch_end end;
        int status;
        const char *body;
        int64_t age;
    } rows[] = {
        {"/plain", FETCH_OK, 200, "hi", -1},         {"/empty", FETCH_OK, 200, "", -1},
        {"/chunks", FETCH_OK, 200, "abcde", -1},     {"/until-end", FETCH_OK, 200, "abc", -1},
        {"/304", FETCH_NOT_MODIFIED, 304, "", 5},    {"/404", FETCH_REFUSED, 404, "", -1},
        {"/500", FETCH_REFUSED, 500, "", -1},        {"/no-store", FETCH_OK, 200, "x", 0},
        {"/long-tag", FETCH_OK, 200, "x", -1},       {"/said-large", FETCH_TOO_LARGE, 200, "", -1},
        {"/is-large", FETCH_TOO_LARGE, 200, "", -1}, {"/cut", FETCH_FAILED, 200, "", -1},
        {"/head", FETCH_FAILED, 200, "", -1},        {"/rubbish", FETCH_FAILED, 0, "", -1},
        {"/nothing", FETCH_FAILED, 0, "", -1},       {"/moved", FETCH_OK, 200, "hello", 3000},
        {"/moved-here", FETCH_OK, 200, "hi", -1},    {"/to-file", FETCH_FAILED, 302, "", -1},
        {"/to-https", FETCH_FAILED, 302, "", -1},    {"/to-ftp", FETCH_FAILED, 302, "", -1},
        {"/ring", FETCH_FAILED, 302, "", -1},
    };
    struct fix x;

    begin(&x, 4);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fetch_request r = request(&x, httpd_url(&x.h, rows[i].path));
        bool good = rows[i].end == FETCH_OK || rows[i].end == FETCH_NOT_MODIFIED;

        ask(&x, &r);
        T_ROW_EQ(rows[i].path, x.got.end, rows[i].end);
        T_ROW_EQ(rows[i].path, x.got.status, rows[i].status);
        T_STR(x.got.body, rows[i].body);
        T_ROW_EQ(rows[i].path, x.got.max_age_s, rows[i].age);
        T_ROW_EQ(rows[i].path, strcmp(x.got.why, "-") == 0, good);
        if (strcmp(rows[i].path, "/moved") != 0 && strcmp(rows[i].path, "/304") != 0)
            T_STR(x.got.etag, "-"); /* not of a trailer, not a long one */
        if (!good)
            fprintf(stderr, "%s: %s\n", rows[i].path, x.got.why);
    }
    end(&x);
}

static void the_bound_is_exact(void)
{
    struct fix x;
    struct fetch_request r;

    begin(&x, 4);
    r = request(&x, httpd_url(&x.h, "/just"));
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_OK);
    T_EQ(x.got.body_b, 1000);
    r.max_b = 999;
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_TOO_LARGE);
    end(&x);
}

static void what_was_said_before_is_asked_with(void)
{
    struct fix x;
    struct fetch_request r;

    begin(&x, 4);
    r = request(&x, httpd_url(&x.h, "/304"));
    r.etag = "\"e1\"";
    r.changed = "Mon, 01 Jan 2024 00:00:00 GMT";
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_NOT_MODIFIED);
    T_STR(x.got.etag, "\"e2\"");
    T_OK(httpd_asked(&x.h, "\r\nIf-None-Match: \"e1\"\r\n"));
    T_OK(httpd_asked(&x.h, "\r\nIf-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT\r\n"));
    r.etag = "\"e1\"\r\nX-Injected: 1";
    ask(&x, &r);
    T_OK(!strstr(x.h.last, "Injected") && !strstr(x.h.last, "If-None-Match"));
    end(&x);
}

static void a_body_makes_it_a_post(void)
{
    struct fix x;
    struct fetch_request r;

    begin(&x, 4);
    r = request(&x, httpd_url(&x.h, "/plain"));
    r.body = SPAN_LIT("question");
    r.body_type = "application/ocsp-request";
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_OK);
    T_STR(x.got.body, "hi");
    T_OK(httpd_asked(&x.h, "POST /plain HTTP/1.1\r\n"));
    T_OK(httpd_asked(&x.h, "\r\nContent-Type: application/ocsp-request\r\n"));
    T_OK(httpd_asked(&x.h, "\r\nContent-Length: 8\r\n"));
    T_OK(httpd_asked(&x.h, "\r\n\r\nquestion"));
    T_OK(!strstr(x.h.last, "Expect"));
    r.url = httpd_url(&x.h, "/moved");
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_REFUSED); /* nobody else gets the body */
    T_EQ(x.got.status, 302);
    end(&x);
}

static void who_is_slow_is_given_up_and_nobody_waits_for_it(void)
{
    struct fix x;
    struct fetch_request r;
    uint64_t id, patient;
    int64_t begun, stop = mono_ms() + PATIENCE_MS;

    begin(&x, 4);
    r = request(&x, httpd_url(&x.h, "/slow"));
    r.timeout_ms = 2 * PATIENCE_MS;
    T_NEED(IS_OK(fetch_begin(x.f, &r, &patient)));
    while (httpd_seen(&x.h) == 0 && mono_ms() < stop)
        turn(x.f);
    for (int i = 0; i < 10; i++) /* it is being waited for, and each turn comes to its end */
        turn(x.f);
    T_EQ(httpd_seen(&x.h), 1);
    T_EQ(fetch_count(x.f), 1);
    fetch_cancel(x.f, patient);
    r.timeout_ms = 300;
    begun = mono_ms();
    T_NEED(IS_OK(fetch_begin(x.f, &r, &id)));
    run(x.f);
    T_EQ(x.got.end, FETCH_TIMEOUT);
    T_OK(mono_ms() - begun >= 300);
    end(&x);
}

static void nobody_at_home(void)
{
    static const char *const urls[] = {"http://127.0.0.1:1/", "http://name.invalid/",
                                       "http://[::1]:1/x", "https://127.0.0.1:1/"};
    struct fix x;

    begin(&x, 4);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct fetch_request r = request(&x, urls[i]);

        ask(&x, &r);
        T_OK(x.got.end == FETCH_FAILED || x.got.end == FETCH_TIMEOUT);
        T_EQ(x.got.status, 0);
        T_OK(strcmp(x.got.why, "-") != 0);
    }
    end(&x);
}

/* The server has one turn at a time and answers /slow never. */
static void so_many_at_once_and_no_more(void)
{
    struct fix x;
    struct fetch_request r;
    uint64_t id[10];

    begin(&x, 2);
    r = request(&x, httpd_url(&x.h, "/plain"));
    for (int i = 0; i < 10; i++)
        T_NEED(IS_OK(fetch_begin(x.f, &r, &id[i])));
    T_EQ(fetch_count(x.f), 10);
    fetch_turn(x.f);
    fetch_cancel(x.f, id[9]); /* the last of those that wait */
    fetch_cancel(x.f, id[5]);
    fetch_cancel(x.f, id[0]); /* is under way */
    fetch_cancel(x.f, id[0]);
    fetch_cancel(x.f, 0);
    run(x.f);
    T_EQ(x.got.calls, 7);
    T_OK(httpd_seen(&x.h) <= 8);
    end(&x);
}

static void too_many_are_refused(void)
{
    struct fix x;
    struct fetch_request r;
    uint64_t id;

    begin(&x, 2);
    r = request(&x, httpd_url(&x.h, "/plain"));
    for (int i = 0; i < FETCH_WAITING_MAX; i++)
        T_NEED(IS_OK(fetch_begin(x.f, &r, &id)));
    T_EQ(fetch_begin(x.f, &r, &id).code, RES_EXISTS);
    end(&x); /* nobody is called */
    T_EQ(x.got.calls, 0);
}

static void a_callback_may_begin_and_give_up(void)
{
    struct fix x;
    struct fetch_request r;
    uint64_t id, other;
    char again[256];

    begin(&x, 1);
    snprintf(again, sizeof(again), "%s", httpd_url(&x.h, "/ok"));
    x.got.again = again;
    r = request(&x, httpd_url(&x.h, "/plain"));
    T_NEED(IS_OK(fetch_begin(x.f, &r, &id)));
    T_NEED(IS_OK(fetch_begin(x.f, &r, &other)));
    x.got.kill = other;
    run(x.f);
    T_EQ(x.got.calls, 2);
    T_STR(x.got.body, "hello");
    end(&x);
}

static void files_only_where_they_may(void)
{
    struct fetch_request r;
    struct tmp t;
    struct fix x;
    char url[256];
    uint64_t id;

    begin(&x, 1);
    tmp_begin(&t);
    snprintf(url, sizeof(url), "file://%s", tmp_write(&t, "a", "text"));
    r = request(&x, url);
    T_EQ(fetch_begin(x.f, &r, &id).code, RES_INVALID);
    r.url = "http://user@127.0.0.1/";
    T_EQ(fetch_begin(x.f, &r, &id).code, RES_INVALID);
    r.url = url;
    r.file_ok = true;
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_OK);
    T_STR(x.got.body, "text");
    r.max_b = 3;
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_TOO_LARGE);
    r.url = "file:///dev/zero";
    T_EQ(fetch_begin(x.f, &r, &id).code, RES_INVALID);
    snprintf(url, sizeof(url), "file://%s", tmp_path(&t, "pipe"));
    T_NEED(mkfifo(url + 7, 0600) == 0);
    r.url = url;
    T_EQ(fetch_begin(x.f, &r, &id).code, RES_INVALID);
    r.url = httpd_url(&x.h, "/to-file");
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_FAILED); /* may be named, not redirected to */
    tmp_end(&t);
    end(&x);
}

static void nothing_comes_from_the_environment(void)
{
    struct fix x;
    struct fetch_request r;

    T_NEED(setenv("http_proxy", "http://127.0.0.1:1/", 1) == 0 &&
           setenv("all_proxy", "socks5://127.0.0.1:1", 1) == 0);
    begin(&x, 1);
    r = request(&x, httpd_url(&x.h, "/plain"));
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_OK);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    end(&x);
}

/* The server plays the proxy: it sees the whole URL, of a name that is nowhere. */
static void through_a_proxy_and_past_it(void)
{
    struct fix x;
    struct fetch_request r;
    char proxy[128];

    begin(&x, 1);
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", x.h.port);
    T_NEED(setenv("no_proxy", "*", 1) == 0);
    T_NEED(IS_OK(fetch_use(x.f, NULL, proxy, NULL)));
    r = request(&x, "http://lists.invalid/plain");
    ask(&x, &r);
    T_OK(httpd_asked(&x.h, "GET http://lists.invalid/plain HTTP/1.1\r\n"));
    T_OK(!strstr(x.h.last, "Proxy-Authorization"));
    r = request(&x, "https://lists.invalid/plain");
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_FAILED);
    T_OK(httpd_asked(&x.h, "CONNECT lists.invalid:443 HTTP/1.1\r\n"));

    T_NEED(IS_OK(fetch_use(x.f, NULL, proxy, "other.example,127.0.0.0/8")));
    r = request(&x, httpd_url(&x.h, "/plain"));
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_OK);
    T_OK(httpd_asked(&x.h, "GET /plain HTTP/1.1\r\n"));

    T_NEED(IS_OK(fetch_use(x.f, NULL, "http://127.0.0.1:1", NULL))); /* nobody there */
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_FAILED);
    T_NEED(IS_OK(fetch_use(x.f, NULL, NULL, NULL)));
    ask(&x, &r);
    T_EQ(x.got.end, FETCH_OK);
    unsetenv("no_proxy");
    end(&x);
}

#define TESTS(X)                                                                                   \
    X(an_answer_comes_with_what_is_said_of_it)                                                     \
    X(every_answer_has_its_end)                                                                    \
    X(the_bound_is_exact)                                                                          \
    X(what_was_said_before_is_asked_with)                                                          \
    X(a_body_makes_it_a_post)                                                                      \
    X(who_is_slow_is_given_up_and_nobody_waits_for_it) X(nobody_at_home)                           \
        X(so_many_at_once_and_no_more) X(too_many_are_refused) X(a_callback_may_begin_and_give_up) \
            X(files_only_where_they_may) X(nothing_comes_from_the_environment)                     \
                X(through_a_proxy_and_past_it)
T_MAIN("fetch", TESTS)
