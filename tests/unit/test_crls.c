#include "lib/crls_fix.h"

static void a_list_is_fetched_and_used(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first_list);
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
    serve(&f, 0, "ETag: \"one\"\r\nLast-Modified: then\r\n", first_list);
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
    serve(&f, 0, "", first_list);
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
    serve(&f, 0, "", first_list);
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
    serve(&f, 0, "", first_list);
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
    for (int i = 0; i < 30000 && view(&f).ctr[CRLS_EXPIRED] == 0; i++)
        turn(&f);
    for (int i = 0; i < 120; i++)
        turn(&f);
    T_OK(log_has(&f, "OPER crl.expired url=http://127.0.0.1"));
    T_EQ(view(&f).ctr[CRLS_EXPIRED], 1); /* once */
    T_OK(view(&f).next_try_s <= 60);
    end(&f);
}

/* Somebody is editing: what stands in the files now is not what is in force. */
static void the_command_shows_it(void)
{
    struct fix f;
    json_t *o;
    char *text;

    open_server(&f);
    serve(&f, 0, "", first_list);
    start(&f, one_url(&f, ""));
    settle(&f);
    o = cmd_line(f.ctl, SPAN_LIT("{\"cmd\":\"crls\"}"));
    text = json_dumps(o, JSON_COMPACT);
    T_OK(strstr(text, "{\"ok\":true,\"urls\":1,\"crls\":[{\"url\":\"http://127.0.0.1:") != NULL);
    T_OK(strstr(text, "\"trust\":\"staff\",\"learnt\":\"\",\"state\":\"good\",\"lists\":1,\"serials\":3,\"this_"
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

#define TESTS(X)                                                                  \
    X(a_list_is_fetched_and_used)                                                 \
    X(what_has_not_changed_makes_no_generation)                                   \
    X(what_is_not_good_changes_nothing) X(failures_are_told_and_come_less_often)  \
        X(who_does_not_answer_is_given_up) X(a_list_of_another_ca_is_held_beside) \
            X(an_expired_list_is_kept_and_told_of) X(the_command_shows_it)        \
                X(times_have_their_bounds)
T_MAIN("crls", TESTS)
