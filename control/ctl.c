#include "control/ctl.h"

#include "control/boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t ctl_mono_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

int64_t ctl_wall_s(void)
{
    return (int64_t)time(NULL);
}

/* --- reading a file --- */

/* The file as a configuration. When it has mistakes, its certificates are looked at nonetheless. */
static res load(const char *file, struct report *report, struct cfg **out)
{
    res r = cfg_load(file, report, out);

    if (IS_OK(r) && !IS_OK(ctl_fetch_check(*out, report)))
        r = ERR(FAIL);
    if (!IS_OK(r) && *out) {
        gen_check_files(*out, ctl_wall_s(), report);
        cfg_free(TAKE(*out));
    }
    return r;
}

static void breathe(void *ctx)
{
    struct ctl *c = (struct ctl *)ctx;

    (void)ctl_drain(c);
}

res ctl_build(struct ctl *c, struct cfg **cfg, struct report *report, struct gen **out)
{
    struct gen_input in = {.before = c->now,
                           .slots = c->slots,
                           .number = c->last_gen + 1,
                           .cores = c->dp_cfg.core_count,
                           .now_s = ctl_wall_s(),
                           .staples = c->staples,
                           .pushed = &c->pushed,
                           .crls = c->crls,
                           .renew = *cfg == (c->now ? c->now->cfg : NULL),
                           .breathe = breathe,
                           .ctx = c};
    res r;

    crls_plan(c->crls);
    r = gen_build(&in, cfg, report, out);
    if (!IS_OK(r))
        crls_revert(c->crls);
    return r;
}

/* --- life --- */

res ctl_open(const char *file, struct report *report, struct ctl **out)
{
    DEFER(cfg_free_p) struct cfg *cfg = NULL;
    struct ctl *c = (struct ctl *)calloc(1, sizeof(*c));
    struct sink access, error;
    res r;

    *out = NULL;
    if (!c)
        return ERR(NOMEM);
    arena_init(&c->boot);
    c->started_ns = ctl_mono_ns();
    c->elog.level = LOG_INFO;
    c->file = strdup(file);
    c->line = (char *)malloc(ACCESS_TEXT_MAX_B);
    r = c->file && c->line ? slots_new(&c->slots) : ERR(NOMEM);
    if (IS_OK(r))
        r = fetch_new(CTL_FETCHES, &c->fetch);
    if (IS_OK(r))
        r = staples_new(c->fetch, &c->elog, &c->staples);
    if (IS_OK(r))
        r = ocsp_table_new(OCSP_CACHE_MAX, &c->ocsp_table);
    if (IS_OK(r))
        r = ocsp_cache_new(c->fetch, &c->elog, c->ocsp_table, &c->ocsp);
    if (IS_OK(r))
        r = load(file, report, &cfg);
    if (IS_OK(r))
        r = ctl_fetch_use(c, cfg);
    if (IS_OK(r))
        r = crls_new(c->fetch, &c->elog, cfg->control->crl_cache, &c->crls);
    if (IS_OK(r))
        r = boot_config(cfg, &c->boot, report, &c->dp_cfg);
    c->dp_cfg.ocsp = c->ocsp_table;
    if (IS_OK(r))
        r = ctl_build(c, &cfg, report, &c->now);
    if (IS_OK(r))
        r = ctl_logs_open(c->now->cfg, report, &access, &error);
    if (!IS_OK(r)) {
        ctl_close(c);
        return r;
    }
    ctl_logs_use(c, c->now->cfg, &access, &error);
    crls_commit(c->crls, &c->now->snap);
    c->last_gen = 1;
    *out = c;
    return OK;
}

#define CAPTURE_PATIENCE_NS 5000000000ULL /* a reader that is gone does not keep a capture */

res ctl_start(struct ctl *c, struct report *report)
{
    res r;

    ctl_first_lists(c, report);
    TRY(dp_start(&c->dp_cfg, report, &c->dp));
    c->state = CTL_RUNNING;
    r = ctl_publish(c, c->now, CTL_START_MS, report);
    if (r.code == RES_TIMEOUT)
        report_add(report, REPORT_ERROR, NULL, 0, "have they CPUs of their own?",
                   "the cores do not run after %d ms", CTL_START_MS);
    TRY(r);
    elog_report(&c->elog, "config.warning", report);
    return OK;
}

void ctl_close(struct ctl *c)
{
    if (!c)
        return;
    crls_free(c->crls);
    if (c->stop.begun)
        pthread_join(c->stop.thread, NULL);
    if (c->dp) {
        if (!c->stop.begun)
            c->stop.forced = !IS_OK(dp_stop(c->dp, 0));
        (void)ctl_drain(c);
        dp_free(c->dp);
        c->dp = NULL;
    }
    staples_free(c->staples);
    ocsp_cache_free(c->ocsp);
    ocsp_table_free(c->ocsp_table); /* cores are gone */
    fetch_free(c->fetch);
    while (c->retired) {
        struct gen *g = c->retired;

        c->retired = g->next;
        gen_free(g, c->slots);
    }
    gen_free(c->now, c->slots);
    (void)tls_profile_reap();
    ctl_logs_flush(c);
    sink_close(&c->access);
    sink_close(&c->elog.sink);
    captures_fini(&c->captures);
    slots_free(c->slots);
    arena_fini(&c->boot);
    free(c->file);
    free(c->line);
    explicit_bzero(&c->pushed, sizeof(c->pushed));
    free(c);
}

/* --- reload --- */

static res reload(struct ctl *c, const char *file, struct report *report)
{
    DEFER(cfg_free_p) struct cfg *cfg = NULL;
    struct sink access, error;
    struct gen *next;
    char *name = strdup(file);
    res r = name ? load(file, report, &cfg) : ERR(NOMEM);

    if (IS_OK(r))
        r = cfg_fixed_same(c->now->cfg, cfg, report) ? OK : ERR(FAIL);
    if (IS_OK(r))
        r = ctl_build(c, &cfg, report, &next);
    if (!IS_OK(r)) {
        free(name);
        return r;
    }
    r = ctl_logs_open(next->cfg, report, &access, &error);
    if (!IS_OK(r)) {
        gen_free(next, c->slots);
        crls_revert(c->crls);
        free(name);
        return r;
    }
    r = ctl_put_in_force(c, next, report);
    if (!IS_OK(r)) {
        sink_close(&access);
        sink_close(&error);
        free(name);
        return r;
    }
    (void)ctl_drain(c);
    ctl_logs_use(c, next->cfg, &access, &error);
    if (!IS_OK(ctl_fetch_use(c, next->cfg)))
        elog(&c->elog, LOG_OPER, "config.warning", "what",
             "no memory: lists and OCSP responses are fetched as before", NULL);
    free(c->file);
    c->file = name;
    return OK;
}

static void say_reload(struct ctl *c, bool good, const char *file, const struct report *report)
{
    char gen[32], us[32], effect[32];

    elog_report(&c->elog, good ? "config.warning" : "config.mistake", report);
    snprintf(gen, sizeof(gen), "%llu", (unsigned long long)c->now->snap.gen);
    snprintf(us, sizeof(us), "%llu", (unsigned long long)(c->adopted_ns / 1000));
    snprintf(effect, sizeof(effect), "%llu", (unsigned long long)c->effect_us);
    if (good)
        elog(&c->elog, LOG_INFO, "reload.done", "file", file, "gen", gen, "adopted_us", us,
             "effect_us", c->effect_cores_left ? "pending" : effect, NULL);
    else
        elog(&c->elog, LOG_OPER, "reload.refused", "file", file, "gen", gen, NULL);
}

res ctl_reload(struct ctl *c, const char *file, struct report *report)
{
    char *name;
    res r;

    if (c->state != CTL_RUNNING) {
        report_add(report, REPORT_ERROR, NULL, 0, NULL,
                   "not running any more: it is being stopped");
        return ERR(FAIL);
    }
    name = strdup(file ? file : c->file);
    r = name ? reload(c, name, report) : ERR(NOMEM);
    if (r.code == RES_NOMEM)
        report_add(report, REPORT_ERROR, name, 0, NULL, "out of memory");
    if (IS_OK(r)) {
        c->reloads_good++;
    } else {
        c->reloads_bad++;
        if (!IS_OK(ctl_reopen_logs(c, report))) /* they may have been rotated all the same */
            r = ERR(FAIL);
    }
    say_reload(c, IS_OK(r), name ? name : "?", report);
    free(name);
    ctl_reap(c);
    return r;
}

res ctl_tickets(struct ctl *c, const char *file, const char *keys, struct report *report)
{
    struct ticket_set next = {.n = 0}, before = c->pushed;
    res r = OK;

    if (file)
        r = ticket_set_load(file, report, &next);
    else if (keys)
        r = ticket_set_parse(span_str(keys), "keys", report, &next);
    if (IS_OK(r)) {
        c->pushed = next;
        r = ctl_reload(c, NULL, report);
        if (!IS_OK(r))
            c->pushed = before;
    }
    explicit_bzero(&next, sizeof(next));
    explicit_bzero(&before, sizeof(before));
    return r;
}

res ctl_check(const char *file, struct report *report)
{
    DEFER(cfg_free_p) struct cfg *cfg = NULL;
    struct arena boot;
    struct dp_config dp_cfg;
    struct slots *slots = NULL;
    struct gen_input in = {.number = 1, .cores = 1, .now_s = ctl_wall_s()};
    struct gen *g = NULL;
    res r, build_r;

    TRY(load(file, report, &cfg));
    TRY(slots_new(&slots));
    arena_init(&boot);
    in.slots = slots;
    r = boot_config(cfg, &boot, report, &dp_cfg);
    build_r = crls_new(NULL, NULL, NULL, &in.crls); /* never given a turn: nothing is fetched */
    if (IS_OK(build_r))
        build_r = gen_build(&in, &cfg, report, &g);
    gen_free(g, slots);
    crls_free(in.crls);
    (void)tls_profile_reap();
    slots_free(slots);
    arena_fini(&boot);
    return IS_OK(r) ? build_r : r;
}

/* --- turns, end --- */

static void *stop_thread(void *arg)
{
    struct ctl *c = (struct ctl *)arg;
    res r = dp_stop(c->dp, c->stop.deadline_ms);

    c->stop.forced = r.code == RES_TIMEOUT;
    __atomic_store_n(&c->stop.done, 1, __ATOMIC_RELEASE);
    return NULL;
}

void ctl_stop(struct ctl *c, uint32_t deadline_ms)
{
    char text[32];

    if (c->state != CTL_RUNNING)
        return;
    snprintf(text, sizeof(text), "%u", deadline_ms);
    elog(&c->elog, LOG_INFO, "stop.begun", "deadline_ms", text, NULL);
    c->state = CTL_DRAINING;
    c->stop.deadline_ms = deadline_ms;
    /* dp_stop waits for the cores. Their rings must be read meanwhile, so it waits in a thread of its own. */
    c->stop.begun = pthread_create(&c->stop.thread, NULL, stop_thread, c) == 0;
    if (!c->stop.begun)
        (void)stop_thread(c);
}

void ctl_capture_end(struct ctl *c)
{
    for (unsigned i = 0; c->capturing && i < dp_cores(c->dp); i++)
        capture_end(dp_capture(c->dp, i));
    c->capturing = false;
}

bool ctl_tick(struct ctl *c)
{
    bool stopped = __atomic_load_n(&c->stop.done, __ATOMIC_ACQUIRE);
    bool busy = ctl_drain(c);

    if (c->state == CTL_RUNNING) {
        staples_tick(c->staples, ctl_wall_s());
        ocsp_cache_tick(c->ocsp, ctl_wall_s(), c->now);
    }
    ctl_reap(c);
    if (c->state == CTL_RUNNING && crls_turn(c->crls, crls_mono_ms()))
        ctl_renew(c);
    if (c->capturing && ctl_mono_ns() - c->capture_read_ns > CAPTURE_PATIENCE_NS)
        ctl_capture_end(c);
    if (stopped && !busy && c->state == CTL_DRAINING) {
        c->state = CTL_STOPPED;
        elog(&c->elog, c->stop.forced ? LOG_OPER : LOG_INFO, "stop.done", "connections",
             c->stop.forced ? "aborted at the deadline" : "all finished", NULL);
    }
    ctl_logs_flush(c);
    return busy;
}
