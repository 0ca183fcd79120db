/* Generations that are made because of lists that were fetched. */
#include "control/ctl.h"

#include <poll.h>
#include <stdio.h>

#define FIRST_TURN_MS 10

/* Lists that come soon are in the first generation: a gateway that denies without them need not begin with that. */
void ctl_first_lists(struct ctl *c, struct report *report)
{
    DEFER(cfg_free_p) struct cfg *cfg = NULL;
    int64_t end_ms = crls_mono_ms() + c->now->cfg->control->crl_wait_ms;
    struct gen *next;

    while (crls_waiting(c->crls) && crls_mono_ms() < end_ms) {
        struct pollfd p = {.fd = fetch_fd(c->fetch), .events = POLLIN};

        (void)crls_turn(c->crls, crls_mono_ms());
        (void)poll(&p, 1, FIRST_TURN_MS);
        fetch_turn(c->fetch);
    }
    if (!crls_news(c->crls))
        return;
    cfg = cfg_ref(c->now->cfg);
    c->last_gen--; /* nobody has seen it */
    if (!IS_OK(ctl_build(c, &cfg, report, &next))) {
        c->last_gen++;
        return; /* ctl_tick tries again */
    }
    c->last_gen++;
    gen_free(c->now, c->slots);
    c->now = next;
    crls_commit(c->crls, &next->snap);
}

/* A generation like the present one, with the lists that were fetched since. No file is read for it. */
void ctl_renew(struct ctl *c)
{
    DEFER(report_free_p) struct report *report = report_new();
    DEFER(cfg_free_p) struct cfg *cfg = cfg_ref(c->now->cfg);
    char gen[32], us[32], effect[32];
    struct gen *next;
    res r = report ? ctl_build(c, &cfg, report, &next) : ERR(NOMEM);

    if (IS_OK(r))
        r = ctl_put_in_force(c, next, report);
    if (!IS_OK(r)) {
        crls_put_off(c->crls, crls_mono_ms());
        if (report)
            elog_report(&c->elog, "crl.not_used", report);
        return;
    }
    snprintf(gen, sizeof(gen), "%llu", (unsigned long long)c->now->snap.gen);
    snprintf(us, sizeof(us), "%llu", (unsigned long long)(c->adopted_ns / 1000));
    snprintf(effect, sizeof(effect), "%llu", (unsigned long long)c->effect_us);
    elog(&c->elog, LOG_INFO, "crl.used", "gen", gen, "adopted_us", us, "effect_us",
         c->effect_cores_left ? "pending" : effect, NULL);
    ctl_reap(c);
}
