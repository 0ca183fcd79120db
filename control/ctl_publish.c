/* How a generation comes into force, and when one that was can go. */
#include "control/ctl.h"

#include <stdio.h>
#include <time.h>

#define EFFECT_MS 200 /* the answer to a reload waits so long for the open connections */

/* --- those that are not read any more --- */

/* Cores that do not work by this generation yet. */
static uint32_t not_taken(const struct ctl *c, uint64_t gen)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < dp_cores(c->dp); i++) {
        struct dp_status s;

        dp_status(c->dp, i, &s);
        n += s.gen != gen;
    }
    return n;
}

static void unpin(struct ctl *c)
{
    for (struct gen *g = c->retired; g; g = g->next)
        g->pinned = false;
    c->late = false;
}

/* Free what no core and no request uses any more. */
void ctl_reap(struct ctl *c)
{
    struct gen **at = &c->retired;

    if (c->late && not_taken(c, c->now->snap.gen) == 0) {
        unpin(c);
        elog(&c->elog, LOG_OPER, "generation.taken", "cores", "all", NULL);
    }
    while (*at) {
        struct gen *g = *at;

        if (g->pinned || snap_held(&g->snap) > 0) {
            at = &g->next;
        } else {
            *at = g->next;
            gen_free(g, c->slots);
        }
    }
    (void)tls_profile_reap();
}

uint32_t ctl_retired_count(const struct ctl *c)
{
    uint32_t n = 0;

    for (const struct gen *g = c->retired; g; g = g->next)
        n++;
    return n;
}

/* --- the next one --- */

/* Cores that have not yet looked at all their connections; the longest time of the others. */
static uint32_t effect_left(const struct ctl *c, uint64_t gen, uint64_t *us)
{
    uint32_t left = 0;

    *us = 0;
    for (unsigned i = 0; i < dp_cores(c->dp); i++) {
        struct dp_status s;

        dp_status(c->dp, i, &s);
        if (s.effect_gen != gen)
            left++;
        else if (s.effect_us > *us)
            *us = s.effect_us;
    }
    return left;
}

static void wait_effect(struct ctl *c, uint64_t gen)
{
    const struct timespec ms = {0, 1000000};

    for (int i = 0; i < EFFECT_MS; i++) {
        c->effect_cores_left = effect_left(c, gen, &c->effect_us);
        if (c->effect_cores_left == 0)
            return;
        (void)ctl_drain(c);
        nanosleep(&ms, NULL);
    }
}

static bool may_hold(const struct snap *s)
{
    bool may = false;

    for (uint32_t i = 0; i < s->trust_count; i++) {
        const struct ocsp_policy *o = trust_ocsp(s->trusts[i].trust);

        may |= o->check != OCSP_CHECK_OFF && o->first == OCSP_FIRST_HOLD;
    }
    return may;
}

/* What was handed to the cores cannot be taken back: one that has had no CPU will take it when it has. */
static void tell_late(struct ctl *c, uint64_t gen, struct report *report)
{
    char number[32], cores[16];
    uint32_t n = not_taken(c, gen);

    c->adopted_ns = CTL_PUBLISH_MS * 1000000ULL;
    c->effect_cores_left = effect_left(c, gen, &c->effect_us);
    report_add(report, REPORT_WARN, NULL, 0,
               "it is in force, there as soon as they run; have they CPUs of their own?",
               "%u of %u cores did not take the new configuration within %d ms", n, dp_cores(c->dp),
               CTL_PUBLISH_MS);
    snprintf(number, sizeof(number), "%llu", (unsigned long long)gen);
    snprintf(cores, sizeof(cores), "%u", n);
    elog(&c->elog, LOG_OPER, "generation.late", "gen", number, "cores", cores, NULL);
}

res ctl_publish(struct ctl *c, struct gen *next, uint32_t ms, struct report *report)
{
    struct snap *old = NULL;
    res r = captures_add(&c->captures, next->snap.gen, &next->snap.capture);

    c->last_gen = next->snap.gen;
    if (IS_OK(r))
        r = dp_publish(c->dp, &next->snap, ms, &old, &c->adopted_ns);
    if (!IS_OK(r) && r.code != RES_TIMEOUT) {
        report_add(report, REPORT_ERROR, NULL, 0, "the configuration before is still in force",
                   "the new configuration could not be published");
        return r;
    }
    c->loaded_s = ctl_wall_s();
    staples_use(c->staples, next);
    c->may_hold = may_hold(&next->snap);
    if (IS_OK(r))
        wait_effect(c, next->snap.gen);
    return r;
}

static void retire(struct ctl *c, struct gen *g)
{
    g->next = c->retired;
    c->retired = g;
}

res ctl_put_in_force(struct ctl *c, struct gen *next, struct report *report)
{
    res r;

    c->coming = next;
    r = ctl_publish(c, next, CTL_PUBLISH_MS, report);
    c->coming = NULL;
    if (!IS_OK(r) && r.code != RES_TIMEOUT) {
        gen_free(next, c->slots); /* no core has seen it */
        crls_revert(c->crls);
        return r;
    }
    if (IS_OK(r)) {
        unpin(c);
    } else {
        c->late = c->now->pinned = true; /* a core that is late may still read it */
        tell_late(c, next->snap.gen, report);
    }
    retire(c, c->now);
    c->now = next;
    crls_commit(c->crls, &next->snap);
    return OK;
}
