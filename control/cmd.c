#include "control/cmd.h"

#include <stdlib.h>

static json_t *text(const char *p)
{
    return cmd_text(p, strlen(p));
}

/* Entries of a report that are at least this bad. */
static json_t *entries(const struct report *r, enum report_level level)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < r->count; i++) {
        const struct report_entry *e = &r->entries[i];
        json_t *o;

        if ((e->level == REPORT_ERROR) != (level == REPORT_ERROR))
            continue;
        o = json_object();
        if (e->file)
            json_object_set_new(o, "file", text(e->file));
        if (e->line)
            json_object_set_new(o, "line", json_integer(e->line));
        json_object_set_new(o, "what", text(e->what ? e->what : "out of memory"));
        if (e->hint)
            json_object_set_new(o, "hint", text(e->hint));
        json_array_append_new(list, o);
    }
    return list;
}

json_t *cmd_refusal(const struct report *r)
{
    json_t *o = json_pack("{s:b,s:o}", "ok", 0, "errors", entries(r, REPORT_ERROR));

    if (o && r->lost)
        json_object_set_new(o, "more", json_integer(r->lost));
    return o;
}

static json_t *done(void)
{
    return json_pack("{s:b}", "ok", 1);
}

static json_t *with_warnings(json_t *o, const struct report *r)
{
    if (o && r->warnings)
        json_object_set_new(o, "warnings", entries(r, REPORT_WARN));
    return o;
}

static json_t *do_reload(struct ctl *c, const struct msg *m, struct report *r)
{
    const char *file = m->args[0].given ? m->args[0].text : NULL;

    if (!IS_OK(ctl_reload(c, file, r)))
        return NULL;
    return with_warnings(
        json_pack("{s:b,s:I,s:I,s:I,s:i}", "ok", 1, "generation", (json_int_t)c->now->snap.gen,
                  "adopted_us", (json_int_t)(c->adopted_ns / 1000), "effect_us",
                  (json_int_t)c->effect_us, "effect_cores_left", (int)c->effect_cores_left),
        r);
}

static json_t *do_tickets(struct ctl *c, const struct msg *m, struct report *r)
{
    const char *file = m->args[0].given ? m->args[0].text : NULL;
    const char *keys = m->args[1].given ? m->args[1].text : NULL;

    if (!IS_OK(ctl_tickets(c, file, keys, r)))
        return NULL;
    return with_warnings(json_pack("{s:b,s:I,s:i}", "ok", 1, "generation",
                                   (json_int_t)c->now->snap.gen, "ticket_keys",
                                   (int)c->now->snap.ticket_keys.n),
                         r);
}

static json_t *do_check(struct ctl *c, const struct msg *m, struct report *r)
{
    if (!IS_OK(ctl_check(m->args[0].given ? m->args[0].text : c->file, r)))
        return NULL;
    return with_warnings(done(), r);
}

static json_t *do_config(struct ctl *c)
{
    char *shown = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&shown, &len);
    json_t *o = NULL;

    if (!f)
        return NULL;
    cfg_show(c->now->cfg, f);
    if (fclose(f) == 0)
        o = json_pack("{s:b,s:o,s:I,s:o}", "ok", 1, "file", text(c->now->cfg->file), "generation",
                      (json_int_t)c->now->snap.gen, "config", cmd_text(shown, len));
    free(shown);
    return o;
}

static json_t *do_stop(struct ctl *c, const struct msg *m)
{
    uint32_t deadline = c->now->cfg->timeouts->drain_ms;

    if (m->args[0].given)
        deadline = (uint32_t)m->args[0].number;
    ctl_stop(c, deadline);
    return json_pack("{s:b,s:I}", "ok", 1, "deadline_ms", (json_int_t)deadline);
}

static json_t *do_version(const struct msg *m)
{
    char parts[4096];
    struct sb s = sb_of(parts, sizeof(parts));

    dp_version_text(&s, m->args[0].number);
    return json_pack("{s:b,s:s,s:o}", "ok", 1, "version", SALLYPORT_VERSION, "parts", text(parts));
}

static json_t *do_help(void)
{
    json_t *list = json_array();

    for (size_t i = 0; i < MSG_COUNT; i++) {
        const struct msg_desc *d = &msg_descs[i];
        char args[128];
        struct sb s = sb_of(args, sizeof(args));

        for (size_t k = 0; k < MSG_ARGS && d->args[k].name; k++)
            sb_fmt(&s, "%s[%s]", k ? " " : "", d->args[k].name);
        json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "command", d->name, "arguments",
                                              args, "help", d->help));
    }
    return json_pack("{s:b,s:o}", "ok", 1, "commands", list);
}

static json_t *run(struct ctl *c, const struct msg *m, struct report *r)
{
    switch (m->cmd) {
    case MSG_STATUS:
        return cmd_status(c);
    case MSG_STATS:
        return cmd_stats(c, m, r);
    case MSG_CONNS:
        return cmd_conns(c, m, r);
    case MSG_CAP_BEGIN:
        return cmd_capture_begin(c, m, r);
    case MSG_CAP_READ:
        return cmd_capture_read(c, r);
    case MSG_CAP_END:
        ctl_capture_end(c);
        return done();
    case MSG_OCSP:
        return cmd_ocsp(c);
    case MSG_RELOAD:
        return do_reload(c, m, r);
    case MSG_TICKETS:
        return do_tickets(c, m, r);
    case MSG_CRLS:
        return cmd_crls(c, m);
    case MSG_CHECK:
        return do_check(c, m, r);
    case MSG_CONFIG:
        return do_config(c);
    case MSG_REOPEN:
        return IS_OK(ctl_reopen_logs(c, r)) ? done() : NULL;
    case MSG_STOP:
        return do_stop(c, m);
    case MSG_VERSION:
        return do_version(m);
    case MSG_HELP:
        return do_help();
    case MSG_COUNT:
        break;
    }
    return NULL;
}

json_t *cmd_line(struct ctl *c, struct span line)
{
    struct msg *m = (struct msg *)malloc(sizeof(*m));
    struct report *r = report_new();
    json_t *answer = NULL;

    if (m && r && IS_OK(msg_parse(line, r, m)))
        answer = run(c, m, r);
    if (!answer && r) {
        if (!r->errors)
            report_add(r, REPORT_ERROR, NULL, 0, NULL, "out of memory");
        answer = cmd_refusal(r);
    }
    report_free(r);
    free(m);
    return answer;
}
