#include "control/ctl.h"
#include "lib/site.h"
#include "lib/t.h"

#include <unistd.h>

struct fix {
    struct site site;
    struct ctl *ctl;
};

static const char logs[] =
    "access_log = { path = \"a.log\"; format = \"%r %>s %{User-Agent}i\"; };\n"
    "error_log = { path = \"e.log\"; level = \"peer\"; };\n";

static void begin(struct fix *f, const char *own)
{
    memset(f, 0, sizeof(*f));
    site_begin(&f->site);
    site_write(&f->site, own);
    if (!IS_OK(ctl_open(site_file(&f->site), f->site.report, &f->ctl)))
        t_fail(__FILE__, __LINE__, "%s", conf_report(f->site.report));
    T_NEED(f->ctl != NULL);
    T_NEED(IS_OK(ctl_start(f->ctl, f->site.report)));
}

static void end(struct fix *f)
{
    ctl_close(f->ctl);
    T_OK(site_clean());
    T_EQ(fake_dp.freed, fake_dp.started);
    T_EQ(fake_dp.stopped, fake_dp.started);
    site_end(&f->site);
}

static bool reload(struct fix *f, const char *own)
{
    site_write(&f->site, own);
    report_clear(f->site.report);
    return IS_OK(ctl_reload(f->ctl, NULL, f->site.report));
}

static bool log_has(struct fix *f, const char *name, const char *part)
{
    char *text;
    bool found;

    (void)ctl_tick(f->ctl);
    text = tmp_read(tmp_path(&f->site.tmp, name));
    found = strstr(text, part) != NULL;
    if (!found)
        fprintf(stderr, "%s has no '%s' but:\n%s", name, part, text);
    free(text);
    return found;
}

static void the_first_generation_is_published(void)
{
    struct fix f;

    begin(&f, logs);
    T_EQ(fake_dp.published, 1);
    T_OK(fake_dp.now == &f.ctl->now->snap);
    T_EQ(f.ctl->now->snap.gen, 1);
    T_EQ(fake_dp.cfg.core_count, f.ctl->now->snap.cores);
    T_EQ(f.ctl->state, CTL_RUNNING);
    end(&f);
}

static void a_reload_publishes_the_next_one(void)
{
    struct fix f;

    begin(&f, logs);
    T_OK(reload(&f, "limits = { headers = 50; };\naccess_log = { path = \"a.log\"; };\nerror_log = "
                    "{ path = \"e.log\"; };"));
    T_EQ(fake_dp.now->gen, 2);
    T_EQ(fake_dp.now->limits.headers, 50);
    T_EQ(f.ctl->reloads_good, 1);
    T_EQ(ctl_retired_count(f.ctl), 0); /* nobody held the first */
    T_OK(log_has(&f, "e.log", "INFO reload.done file="));
    T_OK(log_has(&f, "e.log", "gen=2"));
    end(&f);
}

static void a_generation_in_use_is_kept_until_it_is_not(void)
{
    struct fix f;
    struct snap *first;

    begin(&f, "");
    first = fake_dp.now;
    snap_hold(first, 0);
    T_OK(reload(&f, ""));
    T_OK(reload(&f, ""));
    (void)ctl_tick(f.ctl);
    T_EQ(ctl_retired_count(f.ctl), 1);
    T_EQ(first->gen, 1); /* still there to be read */
    snap_drop(first, 0);
    (void)ctl_tick(f.ctl);
    T_EQ(ctl_retired_count(f.ctl), 0);
    end(&f);
}

static void bad_files_change_nothing(void)
{
    static const char *const rows[] = {
        "corse = 1;",
        "hosts = ( );",
        "poll = ;",
        "ports = ( { device = \"a\"; addresses = \"1.2.3.4\"; } );",
        "access_log = { path = \"a.log\"; format = \"%Z\"; };",
        "access_log = { path = \"no/such/folder\"; };",
        "tls = { ciphers12 = \"NOPE\"; };",
    };
    struct fix f;

    begin(&f, logs);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (reload(&f, rows[i]) || f.site.report->errors == 0)
            t_fail(__FILE__, __LINE__, "taken: %s", rows[i]);
        T_EQ(fake_dp.published, 1);
        T_EQ(f.ctl->now->snap.gen, 1);
    }
    T_EQ(f.ctl->reloads_bad, ARRAY_LEN(rows));
    T_OK(log_has(&f, "e.log", "OPER config.mistake file="));
    T_OK(log_has(&f, "e.log", "what=\"corse: unknown key\" hint=\"did you mean \\\"cores\\\"?\""));
    T_OK(log_has(&f, "e.log", "OPER reload.refused"));
    T_OK(reload(&f, logs)); /* and a good one still does */
    T_EQ(fake_dp.now->gen, 2);
    end(&f);
}

static void what_is_fixed_at_start_is_refused_by_name(void)
{
    struct fix f;

    begin(&f, "");
    T_OK(!reload(&f, "memory = { connections = 100; };"));
    T_OK(strstr(conf_report(f.site.report), "memory.connections: cannot change while running") !=
         NULL);
    T_EQ(fake_dp.published, 1);
    end(&f);
}

/* What was handed over cannot be taken back, so it is in force; what the late core reads meanwhile is kept. */
static void a_core_that_is_late_keeps_what_it_reads(void)
{
    struct fix f;

    begin(&f, logs);
    fake_dp.publish = RES_TIMEOUT;
    T_OK(reload(&f, logs));
    T_OK(strstr(conf_report(f.site.report), "did not take the new configuration") != NULL);
    T_EQ(f.ctl->now->snap.gen, 2);
    T_OK(f.ctl->effect_cores_left > 0);
    T_OK(reload(&f, logs)); /* and it is late for that, too */
    T_EQ(f.ctl->now->snap.gen, 3);
    (void)ctl_tick(f.ctl);
    T_EQ(ctl_retired_count(f.ctl), 2);
    T_OK(log_has(&f, "e.log", "OPER generation.late gen=2 cores="));
    fake_dp.gen = 2; /* it has seen that one meanwhile, and may still read it */
    (void)ctl_tick(f.ctl);
    T_EQ(ctl_retired_count(f.ctl), 2);
    fake_dp.gen = 3;
    (void)ctl_tick(f.ctl);
    T_EQ(ctl_retired_count(f.ctl), 0);
    T_OK(log_has(&f, "e.log", "OPER generation.taken"));
    T_OK(reload(&f, logs));
    fake_dp.publish = RES_OK;
    T_OK(reload(&f, logs)); /* all have taken a later one */
    T_EQ(ctl_retired_count(f.ctl), 0);
    T_EQ(f.ctl->reloads_bad, 0);
    end(&f);
}

static void what_cannot_be_published_changes_nothing(void)
{
    struct fix f;
    struct gen *first;

    begin(&f, "");
    first = f.ctl->now;
    fake_dp.publish = RES_FAIL;
    T_OK(!reload(&f, ""));
    T_OK(strstr(conf_report(f.site.report), "could not be published") != NULL);
    T_OK(f.ctl->now == first);
    T_EQ(ctl_retired_count(f.ctl), 0);
    fake_dp.publish = RES_OK;
    T_OK(reload(&f, ""));
    T_EQ(f.ctl->now->snap.gen, 3); /* numbers are never used twice */
    end(&f);
}

static void another_file_is_read_from_then_on(void)
{
    struct fix f;
    char *text;

    begin(&f, "");
    text = tmp_read(site_file(&f.site));
    tmp_write(&f.site.tmp, "other.conf", text);
    free(text);
    T_OK(IS_OK(ctl_reload(f.ctl, tmp_path(&f.site.tmp, "other.conf"), f.site.report)));
    T_OK(strstr(f.ctl->file, "other.conf") != NULL);
    T_OK(!IS_OK(ctl_reload(f.ctl, "/nonexistent", f.site.report)));
    T_OK(strstr(f.ctl->file, "other.conf") != NULL);
    T_OK(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(fake_dp.now->gen, 3);
    end(&f);
}

static void records_become_lines(void)
{
    struct fix f;

    begin(&f, logs);
    T_OK(fake_dp_request(0, "GET /a HTTP/1.1", "cu\nrl", 200));
    T_OK(fake_dp_event(0, "tls.refused"));
    T_OK(ctl_tick(f.ctl));
    T_OK(log_has(&f, "a.log", "GET /a HTTP/1.1 200 cu\\nrl\n"));
    T_OK(log_has(&f, "e.log", "PEER tls.refused n=7 who=\"a b\\nc\"\n"));
    T_OK(!ctl_tick(f.ctl));
    end(&f);
}

static void records_of_an_older_generation_are_read_with_its_list(void)
{
    struct fix f;
    struct snap *first;

    begin(&f, "access_log = { path = \"a.log\"; format = \"%{X-A}i %{User-Agent}i\"; };");
    first = fake_dp.now;
    snap_hold(first, 0);
    T_OK(reload(&f, "access_log = { path = \"a.log\"; format = \"new %{User-Agent}i\"; };"));
    fake_dp.now = first;
    T_OK(fake_dp_request(0, "x", "agent-of-1", 200)); /* second in its list */
    fake_dp.now = &f.ctl->now->snap;
    T_OK(fake_dp_request(0, "x", "agent-of-2", 200)); /* first in its list */
    T_OK(log_has(&f, "a.log", "new agent-of-1\nnew agent-of-2\n"));
    snap_drop(first, 0);
    end(&f);
}

static void rubbish_in_a_ring_is_counted(void)
{
    struct fix f;

    begin(&f, logs);
    T_OK(fake_dp_rubbish(0));
    T_OK(fake_dp_request(0, "GET /b HTTP/1.1", "x", 200));
    (void)ctl_tick(f.ctl);
    T_EQ(f.ctl->records_bad, 2);
    T_OK(log_has(&f, "a.log", "GET /b"));
    end(&f);
}

static void a_full_ring_is_told_of_once_a_second(void)
{
    struct fix f;
    int sent = 0;

    begin(&f, logs);
    while (sent < 100000 && fake_dp_request(0, "GET /c HTTP/1.1", "x", 200))
        sent++;
    T_OK(!fake_dp_request(0, "x", "x", 200));
    T_OK(log_has(&f, "e.log", "OPER log.lost core=0 records=2\n"));
    end(&f);
}

static void logs_are_opened_again_by_every_reload(void)
{
    struct fix f;

    begin(&f, logs);
    T_NEED(rename(tmp_path(&f.site.tmp, "a.log"), tmp_path(&f.site.tmp, "a.1")) == 0);
    T_OK(reload(&f, logs));
    T_OK(fake_dp_request(0, "GET /d HTTP/1.1", "x", 200));
    T_OK(log_has(&f, "a.log", "GET /d"));
    T_NEED(rename(tmp_path(&f.site.tmp, "a.log"), tmp_path(&f.site.tmp, "a.2")) == 0);
    T_OK(!reload(&f, "corse = 1;")); /* a bad file, too */
    T_OK(fake_dp_request(0, "GET /e HTTP/1.1", "x", 200));
    T_OK(log_has(&f, "a.log", "GET /e"));
    end(&f);
}

static void records_in_the_rings_at_the_end_are_written(void)
{
    struct fix f;
    char *text;

    begin(&f, logs);
    T_OK(fake_dp_request(0, "GET /last HTTP/1.1", "x", 200));
    ctl_close(f.ctl);
    text = tmp_read(tmp_path(&f.site.tmp, "a.log"));
    T_OK(strstr(text, "GET /last") != NULL);
    free(text);
    T_OK(site_clean());
    site_end(&f.site);
}

static void stopping_drains_and_keeps_reading_the_rings(void)
{
    struct fix f;

    begin(&f, logs);
    fake_dp.stop_takes_ms = 50;
    fake_dp.stop_forced = true;
    ctl_stop(f.ctl, 1234);
    ctl_stop(f.ctl, 1); /* nothing more */
    T_EQ(f.ctl->state, CTL_DRAINING);
    T_OK(fake_dp_request(0, "GET /while HTTP/1.1", "x", 200));
    T_OK(log_has(&f, "a.log", "GET /while"));
    T_OK(!reload(&f, logs));
    T_OK(strstr(conf_report(f.site.report), "it is being stopped") != NULL);
    for (int i = 0; i < 30000 && f.ctl->state != CTL_STOPPED; i++) {
        usleep(1000);
        (void)ctl_tick(f.ctl);
    }
    T_EQ(f.ctl->state, CTL_STOPPED);
    T_EQ(fake_dp.deadline_ms, 1234);
    T_OK(log_has(&f, "e.log", "OPER stop.done connections=\"aborted at the deadline\""));
    end(&f);
}

static void what_cannot_start_leaves_nothing(void)
{
    struct fix f;

    memset(&f, 0, sizeof(f));
    site_begin(&f.site);
    fake_dp.start_fails = true;
    T_NEED(IS_OK(ctl_open(site_file(&f.site), f.site.report, &f.ctl)));
    T_OK(!IS_OK(ctl_start(f.ctl, f.site.report)));
    T_OK(strstr(conf_report(f.site.report), "no such device") != NULL);
    end(&f);

    site_begin(&f.site);
    fake_dp.publish = RES_TIMEOUT;
    T_NEED(IS_OK(ctl_open(site_file(&f.site), f.site.report, &f.ctl)));
    T_OK(!IS_OK(ctl_start(f.ctl, f.site.report)));
    end(&f);

    site_begin(&f.site);
    site_write(&f.site, "cores = 0;");
    T_OK(!IS_OK(ctl_open(site_file(&f.site), f.site.report, &f.ctl)));
    T_OK(f.ctl == NULL && site_clean());
    site_end(&f.site);
}

static void checks_start_nothing(void)
{
    struct fix f;

    memset(&f, 0, sizeof(f));
    site_begin(&f.site);
    T_OK(IS_OK(ctl_check(site_file(&f.site), f.site.report)));
    T_EQ(fake_dp.started, 0);
    tmp_write(&f.site.tmp, "ca.pem", "bad");
    site_write(&f.site, "cores = [ 4000 ];\nmin_rsa_bits = 3000;");
    T_OK(!IS_OK(ctl_check(site_file(&f.site), f.site.report)));
    T_EQ(f.site.report->errors, 2); /* the CPU and the certificate */
    report_clear(f.site.report);
    site_write(&f.site, "corse = 1;");
    T_OK(!IS_OK(ctl_check(site_file(&f.site), f.site.report)));
    T_EQ(f.site.report->errors, 2); /* the key and the certificate */
    T_OK(site_clean());
    site_end(&f.site);
}

static void two_thousand_reloads(void)
{
    struct fix f;

    begin(&f, logs);
    for (int i = 0; i < 2000; i++) {
        report_clear(f.site.report);
        if (!IS_OK(ctl_reload(f.ctl, NULL, f.site.report)))
            t_fail(__FILE__, __LINE__, "%s", conf_report(f.site.report));
    }
    T_EQ(fake_dp.now->gen, 2001);
    T_EQ(ctl_retired_count(f.ctl), 0);
    T_EQ(slots_used(f.ctl->slots), 1);
    T_EQ(fake_crypto.profiles_made, 2);
    end(&f);
}

#define TESTS(X)                                                                                 \
    X(the_first_generation_is_published)                                                         \
    X(a_reload_publishes_the_next_one)                                                           \
    X(a_generation_in_use_is_kept_until_it_is_not) X(bad_files_change_nothing)                   \
        X(what_is_fixed_at_start_is_refused_by_name) X(a_core_that_is_late_keeps_what_it_reads)  \
            X(what_cannot_be_published_changes_nothing) X(another_file_is_read_from_then_on)     \
                X(records_become_lines) X(records_of_an_older_generation_are_read_with_its_list) \
                    X(rubbish_in_a_ring_is_counted) X(a_full_ring_is_told_of_once_a_second)      \
                        X(logs_are_opened_again_by_every_reload)                                 \
                            X(records_in_the_rings_at_the_end_are_written)                       \
                                X(stopping_drains_and_keeps_reading_the_rings)                   \
                                    X(what_cannot_start_leaves_nothing) X(checks_start_nothing)  \
                                        X(two_thousand_reloads)
T_MAIN("ctl", TESTS)
