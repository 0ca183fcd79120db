#include "control/cmd.h"
#include "control/crls_parts.h"
#include "lib/httpd.h"
#include "lib/site.h"
#include "lib/t.h"

#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n"

struct fix {
    struct site site;
    struct ctl *ctl;
    struct httpd h;
    struct httpd_answer answers[4];
    char text[4][1024];
    char own[2048];
};

/* What the server says from now on for /0, /1, ... */
static void serve(struct fix *f, int i, const char *fields, const char *body)
{
    char text[1024];

    snprintf(text, sizeof(text), HEAD "%sContent-Length: %zu\r\n\r\n%s", fields, strlen(body),
             body);
    pthread_mutex_lock(&f->h.lock);
    strcpy(f->text[i], text);
    f->answers[i].text = f->text[i];
    pthread_mutex_unlock(&f->h.lock);
}

static void serve_raw(struct fix *f, int i, const char *text)
{
    pthread_mutex_lock(&f->h.lock);
    if (text)
        strcpy(f->text[i], text);
    f->answers[i].text = text ? f->text[i] : NULL;
    pthread_mutex_unlock(&f->h.lock);
}

static void open_server(struct fix *f)
{
    static const char *const paths[] = {"/0", "/1", "/2", "/3"};

    memset(f, 0, sizeof(*f));
    site_begin(&f->site);
    for (int i = 0; i < 4; i++)
        f->answers[i] = (struct httpd_answer){paths[i], f->text[i], 0};
    httpd_begin(&f->h, f->answers, 4);
}

static const char *conf(struct fix *f, const char *keys, const char *more)
{
    snprintf(f->own, sizeof(f->own),
             "error_log = { path = \"e.log\"; };\n"
             "trust = ( { name = \"staff\"; anchors = \"ca.pem\"; %s }, { name = \"backends\"; "
             "anchors = \"be.pem\"; } );\n%s",
             keys, more);
    return f->own;
}

/* One URL: /0 */
static const char *one_url(struct fix *f, const char *more)
{
    char keys[512];

    snprintf(keys, sizeof(keys), "crl_url = \"%s\"; crl_max = \"1k\"; %s", httpd_url(&f->h, "/0"),
             more);
    return conf(f, keys, "");
}

static void start(struct fix *f, const char *own)
{
    site_write(&f->site, own);
    report_clear(f->site.report);
    if (!IS_OK(ctl_open(site_file(&f->site), f->site.report, &f->ctl)))
        t_fail(__FILE__, __LINE__, "%s", conf_report(f->site.report));
    T_NEED(f->ctl != NULL);
    T_NEED(IS_OK(ctl_start(f->ctl, f->site.report)));
}

static void end(struct fix *f)
{
    ctl_close(f->ctl);
    T_OK(site_clean());
    httpd_end(&f->h);
    site_end(&f->site);
}

static void turn(struct fix *f)
{
    struct pollfd p = {.fd = fetch_fd(f->ctl->fetch), .events = POLLIN};

    (void)poll(&p, 1, 2);
    fetch_turn(f->ctl->fetch);
    (void)ctl_tick(f->ctl);
}

/* Until no request is under way and all that came is used. */
static void settle(struct fix *f)
{
    for (int i = 0; i < 3000; i++) {
        turn(f);
        if (i > 5 && fetch_count(f->ctl->fetch) == 0 && !f->ctl->crls->dirty)
            return;
    }
    t_fail(__FILE__, __LINE__, "it does not settle");
}

static void ask(struct fix *f)
{
    crls_ask_all(f->ctl->crls);
    f->ctl->crls->look_ms = 0;
    settle(f);
}

static uint32_t lists(const struct fix *f)
{
    return fake_trust_lists(f->ctl->now->snap.trusts[0].trust);
}

static struct crls_view view(const struct fix *f)
{
    struct crls_view v;

    T_NEED(crls_look(f->ctl->crls, 0, crls_mono_ms(), &v));
    return v;
}

static bool log_has(struct fix *f, const char *part)
{
    char *text;
    bool found;

    (void)ctl_tick(f->ctl);
    text = tmp_read(tmp_path(&f->site.tmp, "e.log"));
    found = strstr(text, part) != NULL;
    if (!found)
        fprintf(stderr, "the log has no '%s' but:\n%s", part, text);
    free(text);
    return found;
}

static const char first[] = "crl A 5 1000 4000000000 3";

static void a_list_is_fetched_and_used(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first);
    start(&f, one_url(&f, ""));
    T_EQ(lists(&f), 0); /* wanted, and missing: the policy decides */
    T_EQ(fake_dp.now->gen, 1);
    settle(&f);
    T_EQ(lists(&f), 1);
    T_EQ(fake_dp.now->gen, 2);
    T_EQ(view(&f).lists, 1);
    T_EQ(view(&f).serials, 3);
    T_EQ(view(&f).this_s, 1000);
    T_EQ(view(&f).next_s, 4000000000);
    T_OK(view(&f).good_s > 0 && view(&f).next_try_s > 0);
    T_STR(view(&f).error, "");
    T_OK(log_has(&f, "INFO crl.taken url=http://127.0.0.1:"));
    T_OK(log_has(&f, "serials=3 next_update=2096-10-02T07:06:40Z"));
    T_OK(log_has(&f, "INFO crl.used gen=2"));
    T_OK(httpd_asked(&f.h, "Accept: application/pkix-crl, */*"));
    end(&f);
}

static void what_has_not_changed_makes_no_generation(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "ETag: \"one\"\r\nLast-Modified: then\r\n", first);
    start(&f, one_url(&f, ""));
    settle(&f);
    ask(&f);
    T_OK(httpd_asked(&f.h, "\r\nIf-None-Match: \"one\"\r\n"));
    T_OK(httpd_asked(&f.h, "\r\nIf-Modified-Since: then\r\n"));
    serve_raw(&f, 0, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
    ask(&f);
    T_EQ(fake_dp.now->gen, 2);
    T_EQ(view(&f).ctr[CRLS_UNCHANGED], 2);
    T_EQ(view(&f).failures, 0);
    serve(&f, 0, "", "crl A 6 1001 4000000000 4");
    ask(&f);
    T_EQ(fake_dp.now->gen, 3);
    T_EQ(view(&f).serials, 4);
    T_EQ(lists(&f), 1); /* in its place */
    end(&f);
}

static void what_is_not_good_changes_nothing(void)
{
    static const struct {
        const char *body, *why;
        enum crls_ctr ctr;
    } rows[] = {
        {"garbage", "fake: no list", CRLS_REFUSED},
        {"crl stranger 9 1001 4000000000 1", "fake: no list", CRLS_REFUSED},
        {"crl A 4 1001 4000000000 1", "older than the one that is held", CRLS_REFUSED},
        {"crl A 6 999 4000000000 1", "thisUpdate 1970-01-01T00:16:39Z, held 1970-01-01T00:16:40Z",
         CRLS_REFUSED},
        {"crl A 6 3900000000 4000000000 1", "lies in the future", CRLS_REFUSED},
        {NULL, "larger than trust.crl_max", CRLS_TOO_LARGE},
    };
    char large[1100];
    struct fix f;

    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    open_server(&f);
    serve(&f, 0, "", first);
    start(&f, one_url(&f, ""));
    settle(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t before = view(&f).ctr[rows[i].ctr];

        if (rows[i].body) {
            serve(&f, 0, "ETag: \"bad\"\r\n", rows[i].body);
        } else {
            serve(&f, 0, "", "");
            f.answers[0].pad = 0;
            serve_raw(&f, 0, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            f.answers[0].pad = 1025;
        }
        ask(&f);
        T_ROW_EQ(rows[i].why, view(&f).ctr[rows[i].ctr], before + 1);
        T_ROW_EQ(rows[i].why, crls_counters(f.ctl->crls)[rows[i].ctr], before + 1);
        T_OK(strstr(view(&f).error, rows[i].why) != NULL);
        T_OK(log_has(&f, rows[i].why));
        T_EQ(view(&f).failures, i + 1);
        T_EQ(view(&f).serials, 3);
        T_EQ(lists(&f), 1);
        T_EQ(fake_dp.now->gen, 2);
    }
    T_OK(!strstr(f.h.last, "If-None-Match")); /* what is not held has no tag */
    T_OK(log_has(&f, "OPER crl.refused url=http://127.0.0.1"));
    T_OK(log_has(&f, "held=\"the list before\" next_try_s="));
    end(&f);
}

static void failures_are_told_and_come_less_often(void)
{
    struct fix f;
    int64_t last = 0;

    open_server(&f);
    serve_raw(&f, 0, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    start(&f, one_url(&f, ""));
    settle(&f);
    for (uint32_t i = 1; i < 5; i++) {
        T_EQ(view(&f).failures, i);
        T_OK(view(&f).next_try_s > last); /* 45..75, 90..150, 180..300, ... */
        last = view(&f).next_try_s;
        ask(&f);
    }
    T_EQ(view(&f).ctr[CRLS_FAILED], 5);
    T_STR(view(&f).error, "the server answers 503");
    T_OK(log_has(&f, "OPER crl.failed url=http://127.0.0.1"));
    T_OK(log_has(&f, "why=\"the server answers 503\" held=none"));
    T_EQ(fake_dp.now->gen, 1);
    serve_raw(&f, 0, "HTTP/1.1 304 Not Modified\r\n\r\n");
    ask(&f);
    T_STR(view(&f).error, "\"not modified\", but nothing is held");
    serve(&f, 0, "", first);
    ask(&f);
    T_EQ(view(&f).failures, 0);
    T_EQ(lists(&f), 1);
    end(&f);
}

static void who_does_not_answer_is_given_up(void)
{
    struct fix f;

    open_server(&f);
    serve_raw(&f, 0, NULL);
    start(&f, one_url(&f, "crl_timeout = \"200ms\";"));
    settle(&f);
    T_EQ(view(&f).ctr[CRLS_TIMEOUT], 1);
    T_STR(view(&f).error, "no whole answer within trust.crl_timeout");
    end(&f);
}

static void a_list_of_another_ca_is_held_beside(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first);
    start(&f, one_url(&f, ""));
    settle(&f);
    serve(&f, 0, "", "crl B 1 1000 4000000000 9");
    ask(&f);
    T_EQ(view(&f).lists, 2);
    T_EQ(view(&f).serials, 12);
    T_EQ(lists(&f), 2);
    serve(&f, 0, "",
          "crl A 7 1001 4000000000 1\ncrl B 2 1000 4000000000 1\ncrl C 1 1000 4000000000 1");
    ask(&f);
    T_EQ(view(&f).lists, 3);
    T_EQ(view(&f).serials, 3);
    for (char c = 'D'; c < 'D' + 5; c++) {
        char text[64];

        snprintf(text, sizeof(text), "crl %c 1 1000 4000000000 1", c);
        serve(&f, 0, "", text);
        ask(&f);
    }
    T_EQ(view(&f).lists, CRLS_HELD_MAX);
    serve(&f, 0, "", "crl Z 1 1000 4000000000 1");
    ask(&f);
    T_OK(strstr(view(&f).error, "more than 8 lists") != NULL);
    end(&f);
}

static void an_expired_list_is_kept_and_told_of(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", "crl A 5 1000 2000 3");
    start(&f, one_url(&f, ""));
    settle(&f);
    T_EQ(lists(&f), 1);
    for (int i = 0; i < 120; i++)
        turn(&f);
    T_OK(log_has(&f, "OPER crl.expired url=http://127.0.0.1"));
    T_EQ(view(&f).ctr[CRLS_EXPIRED], 1); /* once */
    T_OK(view(&f).next_try_s <= 60);
    end(&f);
}

static void a_reload_keeps_what_is_held(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first);
    serve(&f, 1, "", "crl B 1 1000 4000000000 9");
    start(&f, one_url(&f, ""));
    settle(&f);
    T_NEED(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(lists(&f), 1); /* at once */
    T_EQ(fake_dp.now->gen, 3);
    settle(&f);
    T_EQ(httpd_seen(&f.h), 1); /* nothing new to be asked */

    /* One that is refused changes nothing. */
    site_write(&f.site, conf(&f, "crl_url = \"http://127.0.0.1:1/\";", "corse = 1;"));
    T_OK(!IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    site_write(&f.site,
               conf(&f, "crl_url = \"http://127.0.0.1:1/\";", "tls = { ciphers12 = \"NOPE\"; };"));
    T_OK(!IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(f.ctl->crls->count, 1);
    T_EQ(lists(&f), 1);

    /* Another URL: the one before is forgotten with its lists. */
    {
        char keys[512];

        snprintf(keys, sizeof(keys), "crl_url = \"%s\";", httpd_url(&f.h, "/1"));
        site_write(&f.site, conf(&f, keys, ""));
    }
    report_clear(f.site.report);
    T_OK(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(lists(&f), 0);
    settle(&f);
    T_EQ(f.ctl->crls->count, 1);
    T_EQ(view(&f).serials, 9);
    T_EQ(lists(&f), 1);

    site_write(&f.site, conf(&f, "", ""));
    T_OK(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(lists(&f), UINT32_MAX); /* none are wanted */
    T_EQ(f.ctl->crls->count, 0);
    end(&f);
}

static void a_request_under_way_may_be_forgotten(void)
{
    struct fix f;

    open_server(&f);
    serve_raw(&f, 0, NULL);
    start(&f, one_url(&f, ""));
    for (int i = 0; i < 10; i++)
        turn(&f);
    T_EQ(f.ctl->crls->active, 1);
    site_write(&f.site, conf(&f, "", ""));
    T_OK(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(fetch_count(f.ctl->fetch), 0);
    T_EQ(f.ctl->crls->active, 0);
    site_write(&f.site, one_url(&f, ""));
    T_OK(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    for (int i = 0; i < 10; i++)
        turn(&f);
    T_EQ(f.ctl->crls->active, 1);
    end(&f); /* while it is */
}

/* Somebody is editing: what stands in the files now is not what is in force. */
static void lists_do_not_wait_for_files(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first);
    start(&f, one_url(&f, ""));
    tmp_write(&f.site.tmp, "ca.pem", "bad");
    tmp_write(&f.site.tmp, "gw.key", "bad");
    tmp_write(&f.site.tmp, "sp.conf", "half of a");
    settle(&f);
    T_EQ(fake_dp.now->gen, 2);
    T_EQ(lists(&f), 1);
    T_EQ(fake_crypto.profiles_made, 2);
    T_OK(fake_dp.now->hosts[0].tls != NULL);
    end(&f);
}

static void a_generation_that_is_not_taken_is_tried_again(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first);
    start(&f, one_url(&f, ""));
    fake_dp.publish = RES_TIMEOUT;
    for (int i = 0; i < 300; i++)
        turn(&f);
    T_OK(log_has(&f, "OPER crl.not_used what=\"a core did not take"));
    T_EQ(lists(&f), 0);
    T_OK(f.ctl->crls->dirty);
    T_EQ(f.ctl->last_gen, 2); /* once, and then not before five seconds are over */
    fake_dp.publish = RES_OK;
    f.ctl->crls->not_before_ms = 0;
    settle(&f);
    T_EQ(lists(&f), 1);
    T_EQ(fake_dp.now->gen, 3);
    T_EQ(crls_counters(f.ctl->crls)[CRLS_USED], 1);
    end(&f);
}

static void empty(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *e;

    T_NEED(d != NULL);
    while ((e = readdir(d))) {
        if (e->d_name[0] != '.')
            T_OK(unlinkat(dirfd(d), e->d_name, 0) == 0);
    }
    closedir(d);
}

static void the_cache_has_them_after_a_restart(void)
{
    struct fix f;
    char more[4096], folder[128];

    open_server(&f);
    T_NEED(mkdir(tmp_path(&f.site.tmp, "cache"), 0700) == 0);
    strcpy(folder, tmp_path(&f.site.tmp, "cache"));
    serve(&f, 0, "", first);
    snprintf(more, sizeof(more), "%scontrol = { socket = \"c.sock\"; crl_cache = \"cache\"; };\n",
             one_url(&f, ""));
    start(&f, more);
    T_EQ(lists(&f), 0);
    settle(&f);
    ctl_close(f.ctl);
    serve_raw(&f, 0, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    start(&f, more);
    T_EQ(lists(&f), 1); /* in the first generation */
    T_EQ(view(&f).serials, 3);
    settle(&f);
    T_EQ(lists(&f), 1);
    T_EQ(fake_dp.now->gen, 1);
    ctl_close(f.ctl);
    { /* somebody has been there */
        struct crls k = {.cache = folder, .elog = &(struct elog){.level = LOG_BUG}};
        char url[128];
        struct source s = {.k = &k, .url = strcpy(url, httpd_url(&f.h, "/0"))};

        crls_cache_save(&s, SPAN_LIT("garbage"));
    }
    start(&f, more);
    T_EQ(lists(&f), 0);
    empty(tmp_path(&f.site.tmp, "cache"));
    end(&f);
}

static void one_url_of_two_sets_is_asked_once(void)
{
    struct fix f;
    char own[1024];

    open_server(&f);
    serve(&f, 0, "", first);
    snprintf(own, sizeof(own),
             "trust = ( { name = \"staff\"; anchors = \"ca.pem\"; crl_url = \"%s\"; crl_refresh = "
             "\"5m\"; },\n"
             " { name = \"backends\"; anchors = \"be.pem\"; crl_url = \"http://127.0.0.1:%u/0\"; "
             "crl_refresh = \"1m\"; } );\n",
             httpd_url(&f.h, "/0"), f.h.port);
    start(&f, own);
    settle(&f);
    T_EQ(httpd_seen(&f.h), 1);
    T_EQ(f.ctl->crls->count, 1);
    T_EQ(view(&f).trust_count, 2);
    T_EQ(fake_trust_lists(f.ctl->now->snap.trusts[0].trust), 1);
    T_EQ(fake_trust_lists(f.ctl->now->snap.trusts[1].trust), 1);
    T_OK(view(&f).next_try_s > 50 && view(&f).next_try_s <= 60);
    end(&f);
}

static void lists_that_nothing_checks_are_not_fetched(void)
{
    struct fix f;

    open_server(&f);
    start(&f, one_url(&f, "crl_check = \"none\";"));
    settle(&f);
    T_EQ(f.ctl->crls->count, 0);
    T_EQ(httpd_seen(&f.h), 0);
    end(&f);
}

static void the_command_shows_it(void)
{
    struct fix f;
    json_t *o;
    char *text;

    open_server(&f);
    serve(&f, 0, "", first);
    start(&f, one_url(&f, ""));
    settle(&f);
    o = cmd_line(f.ctl, SPAN_LIT("{\"cmd\":\"crls\"}"));
    text = json_dumps(o, JSON_COMPACT);
    T_OK(strstr(text, "{\"ok\":true,\"urls\":1,\"crls\":[{\"url\":\"http://127.0.0.1:") != NULL);
    T_OK(strstr(text, "\"trust\":\"staff\",\"state\":\"good\",\"lists\":1,\"serials\":3,\"this_"
                      "update\":\"1970-01-01T00:16:40Z\"") != NULL);
    T_OK(strstr(text, "\"failures\":0,\"last_error\":\"\",\"asked\":1,\"taken\":1") != NULL);
    free(text);
    json_decref(o);
    o = cmd_line(f.ctl, SPAN_LIT("{\"cmd\":\"stats\",\"block\":\"crl\"}"));
    text = json_dumps(o, JSON_COMPACT);
    T_OK(strstr(text, "\"counter\":\"taken\",\"value\":1") != NULL);
    free(text);
    json_decref(o);
    json_decref(cmd_line(f.ctl, SPAN_LIT("{\"cmd\":\"crls\",\"fetch\":true}")));
    f.ctl->crls->look_ms = 0;
    settle(&f);
    T_EQ(httpd_seen(&f.h), 2);
    end(&f);
}

static void times_have_their_bounds(void)
{
    static const struct {
        const char *name;
        uint64_t refresh_ms;
        int64_t left_s, max_age_s, want_ms;
    } rows[] = {
        {"half of what is left", 0, 7200, -1, 3600000},
        {"never below a minute", 0, 10, -1, 60000},
        {"over already", 0, -1000, -1, 60000},
        {"never above a day", 0, 86400 * 30, -1, 86400000},
        {"no nextUpdate", 0, INT64_MAX, -1, 3600000},
        {"the server knows better", 0, 86400, 600, 600000},
        {"not to be kept is no rate", 0, 7200, 0, 3600000},
        {"absurd age", 0, 7200, INT32_MAX, 3600000},
        {"as configured", 10000, 86400, 5, 10000},
        {"but not below a second", 1, 86400, -1, 1000},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pace p = {.refresh_ms = rows[i].refresh_ms};

        T_ROW_EQ(rows[i].name, crls_delay_ms(&p, rows[i].left_s, rows[i].max_age_s, 0),
                 rows[i].want_ms);
        T_OK(crls_delay_ms(&p, rows[i].left_s, rows[i].max_age_s, 999) >= rows[i].want_ms * 9 / 10);
    }
    for (uint32_t n = 1; n < 100; n++) {
        struct pace p = {.refresh_ms = 0}, quick = {.refresh_ms = 2000};
        int64_t middle = n > 6 ? 3600000 : 60000LL << (n - 1);

        T_EQ(crls_backoff_ms(&p, n, 0), middle - middle / 4);
        T_OK(crls_backoff_ms(&p, n, 999) < middle + middle / 4);
        T_OK(crls_backoff_ms(&quick, n, 500) <= 3600000 && crls_backoff_ms(&quick, n, 500) >= 2000);
    }
}

#define TESTS(X)                                                                                \
    X(a_list_is_fetched_and_used)                                                               \
    X(what_has_not_changed_makes_no_generation)                                                 \
    X(what_is_not_good_changes_nothing)                                                         \
    X(failures_are_told_and_come_less_often) X(who_does_not_answer_is_given_up)                 \
        X(a_list_of_another_ca_is_held_beside) X(an_expired_list_is_kept_and_told_of)           \
            X(a_reload_keeps_what_is_held) X(a_request_under_way_may_be_forgotten)              \
                X(lists_do_not_wait_for_files) X(a_generation_that_is_not_taken_is_tried_again) \
                    X(the_cache_has_them_after_a_restart) X(one_url_of_two_sets_is_asked_once)  \
                        X(lists_that_nothing_checks_are_not_fetched) X(the_command_shows_it)    \
                            X(times_have_their_bounds)
T_MAIN("crls", TESTS)
