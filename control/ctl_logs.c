/* Logs: from the cores' rings to the files. */
#include "control/ctl.h"
#include "crypto/crl_learn.h"

#include <stdio.h>
#include <unistd.h>

#define RECORDS_PER_TURN 8192 /* of one core; then others and the socket have their turn */
#define LOST_EVERY_NS    1000000000ULL

static void access_record(struct ctl *c, struct span record, uint64_t wall_ns)
{
    const struct access_rec *rec = access_read(record);
    struct sb s = sb_of(c->line, ACCESS_TEXT_MAX_B);

    if (!rec) {
        c->records_bad++;
        return;
    }
    if (!c->access.path || !c->now || !c->now->cfg->log_fmt)
        return;
    access_text(&s, c->now->cfg->log_fmt, &c->captures, rec, wall_ns);
    sink_line(&c->access, sb_span(&s));
}

static bool drain_core(struct ctl *c, unsigned core, uint64_t wall_ns)
{
    struct ring *ring = dp_ring(c->dp, core);
    struct span record;
    uint16_t kind;
    unsigned n;

    for (n = 0; n < RECORDS_PER_TURN && ring_peek(ring, &kind, &record); n++) {
        if (kind == LOG_REC_ACCESS)
            access_record(c, record, wall_ns);
        else if (kind == OCSP_REC_KIND)
            c->records_bad += !ocsp_cache_record(c->ocsp, record, c->now, c->retired);
        else if (kind == CRL_REC_KIND)
            c->records_bad += !crls_record(c->crls, record, c->now, c->retired);
        else if (kind != LOG_REC_EVENT || !elog_record(&c->elog, record, wall_ns))
            c->records_bad++;
        ring_next(ring);
    }
    return n > 0;
}

/* Records that found a full ring: said once a second at most, with their number. */
static void say_lost(struct ctl *c)
{
    uint64_t now_ns = ctl_mono_ns();

    if (now_ns - c->lost_said_ns < LOST_EVERY_NS)
        return;
    c->lost_said_ns = now_ns;
    for (unsigned i = 0; i < dp_cores(c->dp); i++) {
        uint64_t lost = ring_full(dp_ring(c->dp, i));
        char core[16], records[32];

        if (lost == c->lost_said[i])
            continue;
        snprintf(core, sizeof(core), "%u", i);
        snprintf(records, sizeof(records), "%llu", (unsigned long long)(lost - c->lost_said[i]));
        elog(&c->elog, LOG_OPER, "log.lost", "core", core, "records", records, NULL);
        c->lost_said[i] = lost;
    }
}

bool ctl_drain(struct ctl *c)
{
    bool busy = false;
    uint64_t wall_ns;

    if (!c->dp)
        return false;
    wall_ns = dp_wall_offset_ns(c->dp);
    for (unsigned i = 0; i < dp_cores(c->dp); i++)
        busy |= drain_core(c, i, wall_ns);
    say_lost(c);
    return busy;
}

/* A file that cannot be written to is told of once, and again when it can. */
static void say_error(struct ctl *c, const struct sink *s, int *said)
{
    char lost[32];

    if (s->error == *said)
        return;
    *said = s->error;
    if (s == &c->elog.sink && s->error) {
        dprintf(STDERR_FILENO, "sallyport: %s: cannot be written to: %s\n", s->path,
                strerror(s->error));
        return;
    }
    snprintf(lost, sizeof(lost), "%llu", (unsigned long long)s->lost);
    if (s->error)
        elog(&c->elog, LOG_OPER, "log.write_failed", "file", s->path, "why", strerror(s->error),
             NULL);
    else
        elog(&c->elog, LOG_OPER, "log.write_resumed", "file", s->path, "lost", lost, NULL);
}

void ctl_logs_flush(struct ctl *c)
{
    sink_flush(&c->access);
    say_error(c, &c->access, &c->access_error_said);
    sink_flush(&c->elog.sink);
    say_error(c, &c->elog.sink, &c->error_error_said);
}

/* --- files --- */

res ctl_logs_open(const struct cfg *cfg, struct report *report, struct sink *access,
                  struct sink *error)
{
    *access = *error = (struct sink){.fd = -1};
    TRY(sink_open(error, cfg->error_log->path, report));
    if (cfg->access_log && !IS_OK(sink_open(access, cfg->access_log->path, report))) {
        sink_close(error);
        return ERR(FAIL);
    }
    return OK;
}

/* Put `next` in the place of `s`; the same file goes on counting. */
static void replace(struct sink *s, const struct sink *next)
{
    bool same = s->path && next->path && strcmp(s->path, next->path) == 0;
    uint64_t lines = same ? s->lines : 0, lost = same ? s->lost : 0;

    sink_close(s);
    *s = *next;
    s->lines = lines;
    s->lost = lost;
}

void ctl_logs_use(struct ctl *c, const struct cfg *cfg, const struct sink *access,
                  const struct sink *error)
{
    replace(&c->access, access);
    replace(&c->elog.sink, error);
    c->elog.level = (enum log_level)cfg->error_log->level;
    c->access_error_said = c->error_error_said = 0;
}

res ctl_reopen_logs(struct ctl *c, struct report *report)
{
    res a = sink_reopen(&c->access, report);
    res e = sink_reopen(&c->elog.sink, report);

    return IS_OK(a) ? e : a;
}
