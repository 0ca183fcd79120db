/* status and stats: what can be looked at. */
#include "control/cmd.h"

#include "base/must.h"
#include "config/cfg_near.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CRL_BLOCK "crl"

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *endpoint(const struct endpoint *e)
{
    char text[EP_TEXT_MAX];
    struct sb s = sb_of(text, sizeof(text));

    endpoint_text(&s, e);
    return json_string(text);
}

static json_t *core_status(const struct ctl *c, unsigned core)
{
    struct dp_status s;
    json_t *o = json_object();

    dp_status(c->dp, core, &s);
    json_object_set_new(o, "core", number(core));
    json_object_set_new(o, "cpu", number(c->dp_cfg.lcores[core]));
    json_object_set_new(o, "state",
                        json_string(!s.running   ? "stopped"
                                    : s.draining ? "draining"
                                                 : "running"));
    json_object_set_new(o, "generation", number(s.gen));
    json_object_set_new(o, "effect_generation", number(s.effect_gen));
    json_object_set_new(o, "effect_us", number(s.effect_us));
    json_object_set_new(o, "idle_percent", number(s.turns ? s.idle_turns * 100 / s.turns : 0));
    json_object_set_new(o, "turn_us_max", number(s.turn_ns_max / 1000));
    json_object_set_new(o, "tcp", number(s.tcp_conns));
    json_object_set_new(o, "tcp_new", number(s.tcp_reqs));
    json_object_set_new(o, "time_wait", number(s.tcp_time_wait));
    json_object_set_new(o, "clients", number(s.clients));
    json_object_set_new(o, "requests", number(s.requests));
    json_object_set_new(o, "backends_busy", number(s.backends_busy));
    json_object_set_new(o, "backends_idle", number(s.backends_idle));
    json_object_set_new(o, "buffers_free", number(s.nbufs_free));
    json_object_set_new(o, "buffers", number(s.nbufs_total));
    json_object_set_new(o, "tls_heap_kb", number(s.tls_heap_used_b / 1024));
    json_object_set_new(o, "tls_heap_max_kb", number(s.tls_heap_max_b / 1024));
    json_object_set_new(o, "memory_used_kb", number(s.mem_used_b / 1024));
    json_object_set_new(o, "peers", number(s.peers));
    json_object_set_new(o, "log_lost", number(s.log_lost));
    return o;
}

static json_t *port_status(const struct ctl *c, uint32_t port)
{
    char text[512];
    struct sb s = sb_of(text, sizeof(text));
    const struct dp_port *p = &c->dp_cfg.ports[port];

    dp_port_text(c->dp, port, &s);
    return json_pack("{s:o,s:o}", "port",
                     p->name ? json_string(p->name) : cmd_text(p->device, strlen(p->device)), "is",
                     cmd_text(text, s.len));
}

static json_t *log_status(const char *name, const struct sink *s)
{
    const char *path = s->path ? s->path : "-";
    json_t *o = json_pack("{s:s,s:o}", "log", name, "file", cmd_text(path, strlen(path)));

    json_object_set_new(o, "lines", number(s->lines));
    json_object_set_new(o, "lost", number(s->lost));
    json_object_set_new(o, "error", json_string(s->error ? strerror(s->error) : ""));
    return o;
}

static void set_lists(const struct ctl *c, json_t *o)
{
    const struct snap *s = &c->now->snap;
    json_t *cores = json_array(), *ports = json_array(), *listeners = json_array();
    json_t *logs = json_array();

    for (unsigned i = 0; i < dp_cores(c->dp); i++)
        json_array_append_new(cores, core_status(c, i));
    for (uint32_t i = 0; i < c->dp_cfg.port_count; i++)
        json_array_append_new(ports, port_status(c, i));
    for (uint32_t i = 0; i < s->listener_count; i++) {
        const struct snap_listener *l = &s->listeners[i];

        json_array_append_new(listeners, json_pack("{s:o,s:b,s:s}", "address", endpoint(&l->local),
                                                   "tls", l->tls, "default_host",
                                                   c->now->cfg->hosts.v[l->default_host].name));
    }
    json_array_append_new(logs, log_status("access", &c->access));
    json_array_append_new(logs, log_status("error", &c->elog.sink));
    json_object_set_new(o, "cores", cores);
    json_object_set_new(o, "ports", ports);
    json_object_set_new(o, "listeners", listeners);
    json_object_set_new(o, "logs", logs);
}

json_t *cmd_status(const struct ctl *c)
{
    static const char *const states[] = {[CTL_READY] = "starting",
                                         [CTL_RUNNING] = "running",
                                         [CTL_DRAINING] = "draining",
                                         [CTL_STOPPED] = "stopped"};
    json_t *o = json_pack("{s:b,s:s,s:s,s:o}", "ok", 1, "state", states[c->state], "version",
                          SALLYPORT_VERSION, "file", cmd_text(c->file, strlen(c->file)));
    time_t loaded = (time_t)c->loaded_s;
    char text[32];
    struct tm tm;

    if (!o)
        return NULL;
    gmtime_r(&loaded, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_object_set_new(o, "pid", number((uint64_t)getpid()));
    json_object_set_new(o, "uptime_s", number((ctl_mono_ns() - c->started_ns) / 1000000000ULL));
    json_object_set_new(o, "generation", number(c->now->snap.gen));
    json_object_set_new(o, "loaded", json_string(text));
    json_object_set_new(o, "adopted_us", number(c->adopted_ns / 1000));
    json_object_set_new(o, "generations_in_use", number(ctl_retired_count(c) + 1));
    json_object_set_new(o, "reloads", number(c->reloads_good));
    json_object_set_new(o, "reloads_refused", number(c->reloads_bad));
    json_object_set_new(o, "ticket_keys", number(c->now->snap.ticket_keys.n));
    json_object_set_new(o, "hosts", number(c->now->snap.host_count));
    json_object_set_new(o, "upstreams", number(c->now->snap.upstream_count));
    json_object_set_new(o, "member_slots", number(slots_used(c->slots)));
    json_object_set_new(o, "bugs", number(should_total()));
    set_lists(c, o);
    return o;
}

/* --- stats --- */

static json_t *block(const char *name, const struct ctr_desc *desc, unsigned count,
                     const uint64_t *v)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s,s:I,s:s}", "counter", desc[i].name, "value",
                                              (json_int_t)v[i], "help", desc[i].help));
    return json_pack("{s:s,s:o}", "block", name, "counters", list);
}

static json_t *block_stats(const struct ctl *c, uint32_t index, const struct dp_block *b, int core)
{
    uint64_t *v = (uint64_t *)calloc(b->count ? b->count : 1, sizeof(*v));
    json_t *o;

    if (!v)
        return NULL;
    dp_counters(c->dp, index, core, v);
    o = block(b->name, b->desc, b->count, v);
    free(v);
    return o;
}

static bool known_block(const struct dp_block *blocks, uint32_t n, const char *name,
                        struct report *r)
{
    struct cfg_near near = cfg_near_of(name);
    char text[512];
    struct sb hint = sb_of(text, sizeof(text));

    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(blocks[i].name, name) == 0)
            return true;
        cfg_near_try(&near, blocks[i].name);
    }
    if (strcmp(name, CRL_BLOCK) == 0)
        return true;
    cfg_near_try(&near, CRL_BLOCK);
    if (!cfg_near_hint(&near, &hint)) {
        sb_str(&hint, "there are:");
        for (uint32_t i = 0; i < n; i++)
            sb_fmt(&hint, " %s", blocks[i].name);
        sb_str(&hint, " " CRL_BLOCK);
    }
    report_add(r, REPORT_ERROR, NULL, 0, text, "there is no block of counters of this name");
    return false;
}

json_t *cmd_stats(const struct ctl *c, const struct msg *m, struct report *r)
{
    const char *name = m->args[0].given ? m->args[0].text : NULL;
    int core = m->args[1].given ? (int)m->args[1].number : -1;
    const struct dp_block *blocks;
    uint32_t n = dp_blocks(c->dp, &blocks);
    json_t *list;

    if (name && strcmp(name, "all") == 0)
        name = NULL; /* so that a core can be named for sallyctl, which goes by position */
    if (core >= (int)dp_cores(c->dp)) {
        report_add(r, REPORT_ERROR, NULL, 0, NULL, "there are %u cores, the first is 0",
                   dp_cores(c->dp));
        return NULL;
    }
    if (name && !known_block(blocks, n, name, r))
        return NULL;
    list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        if (!name || strcmp(blocks[i].name, name) == 0)
            json_array_append_new(list, block_stats(c, i, &blocks[i], core));
    }
    if (core < 0 && (!name || strcmp(name, CRL_BLOCK) == 0)) /* of the control thread */
        json_array_append_new(list,
                              block(CRL_BLOCK, crls_ctrs, CRLS_CTR_COUNT, crls_counters(c->crls)));
    return json_pack("{s:b,s:o}", "ok", 1, "blocks", list);
}
