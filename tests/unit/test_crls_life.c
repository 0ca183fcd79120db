/* Lists that are fetched: over reloads, restarts, generations that fail. */
#include "lib/crls_fix.h"

static void a_reload_keeps_what_is_held(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first_list);
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

static void lists_do_not_wait_for_files(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first_list);
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

static void a_generation_that_cannot_be_used_is_tried_again(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first_list);
    start(&f, one_url(&f, ""));
    fake_dp.publish = RES_FAIL;
    for (int i = 0; i < 30000 && f.ctl->last_gen < 2; i++)
        turn(&f);
    for (int i = 0; i < 100; i++)
        turn(&f);
    T_OK(log_has(&f, "OPER crl.not_used what=\"the new configuration could not be published"));
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
    serve(&f, 0, "", first_list);
    f.control = "crl_wait = 0; crl_cache = \"cache\";";
    snprintf(more, sizeof(more), "%s", one_url(&f, ""));
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

static void the_first_generation_waits_for_them(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first_list);
    f.control = "crl_wait = \"10s\";";
    start(&f, one_url(&f, ""));
    T_EQ(fake_dp.published, 1);
    T_EQ(fake_dp.now->gen, 1);
    T_EQ(lists(&f), 1);
    T_EQ(slots_used(f.ctl->slots), 1);
    settle(&f);
    T_EQ(fake_dp.now->gen, 1);
    ctl_close(f.ctl);

    serve_raw(&f, 0, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    start(&f, one_url(&f, "")); /* an answer is an answer */
    T_EQ(view(&f).failures, 1);
    ctl_close(f.ctl);

    serve_raw(&f, 0, NULL);
    f.control = "crl_wait = \"100ms\";";
    start(&f, one_url(&f, "")); /* not for ever */
    T_EQ(fake_dp.now->gen, 1);
    T_EQ(lists(&f), 0);
    end(&f);
}

static void one_url_of_two_sets_is_asked_once(void)
{
    struct fix f;
    char own[1024];

    open_server(&f);
    serve(&f, 0, "", first_list);
    snprintf(own, sizeof(own),
             "control = { socket = \"c.sock\"; crl_wait = 0; };\n"
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

static void a_check_says_what_it_can_without_asking(void)
{
    struct fix f;

    open_server(&f);
    site_write(&f.site, conf(&f, "crl_from_cdp = true;", ""));
    T_OK(IS_OK(ctl_check(site_file(&f.site), f.site.report)));
    T_EQ(f.site.report->warnings, 1);
    T_OK(strstr(conf_report(f.site.report), "trust 'staff': crl_from_cdp, but none of its") !=
         NULL);
    report_clear(f.site.report);
    site_write(&f.site, one_url(&f, ""));
    T_OK(IS_OK(ctl_check(site_file(&f.site), f.site.report)));
    T_EQ(f.site.report->warnings, 0);
    T_EQ(httpd_seen(&f.h), 0);
    T_OK(site_clean());
    httpd_end(&f.h);
    site_end(&f.site);
}

#define TESTS(X)                                                                                 \
    X(a_check_says_what_it_can_without_asking)                                                   \
    X(a_reload_keeps_what_is_held)                                                               \
    X(a_request_under_way_may_be_forgotten) X(lists_do_not_wait_for_files)                       \
        X(a_generation_that_cannot_be_used_is_tried_again) X(the_cache_has_them_after_a_restart) \
            X(the_first_generation_waits_for_them) X(one_url_of_two_sets_is_asked_once)          \
                X(lists_that_nothing_checks_are_not_fetched)
T_MAIN("crls_life", TESTS)
