/* connections: what the cores' TCP connections are doing. */
#include "control/cmd.h"

#include <stdlib.h>
#include <strings.h>

#define LIMIT       100u
#define LIMIT_MAX   10000u
#define PATIENCE_MS 500u /* for one batch of a core */

struct query {
    struct dp_conn_filter filter;
    int64_t core; /* -1: all */
    uint32_t limit;
};

static bool refuse(struct report *r, const char *word)
{
    report_add(
        r, REPORT_ERROR, NULL, 0,
        "write peer=ADDRESS[/BITS], port=NUMBER, state=ESTABLISHED or core=NUMBER, with commas",
        "not a filter of connections: \"%s\"", word);
    return false;
}

static bool number(const char *text, int64_t max, int64_t *out)
{
    char *end;

    *out = strtoll(text, &end, 10);
    return *text && *end == 0 && *out >= 0 && *out <= max;
}

static bool one_word(struct query *q, char *word, struct report *r)
{
    char *value = strchr(word, '=');
    int64_t n;

    if (!value)
        return refuse(r, word);
    *value++ = 0;
    if (strcmp(word, "peer") == 0) {
        q->filter.by_peer = true;
        return IS_OK(ip_prefix_parse(span_str(value), &q->filter.peer)) || refuse(r, value);
    }
    if (strcmp(word, "port") == 0 && number(value, 65535, &n)) {
        q->filter.port = (uint16_t)n;
        return true;
    }
    if (strcmp(word, "core") == 0)
        return number(value, 4096, &q->core) || refuse(r, value);
    if (strcmp(word, "state") == 0 && strlen(value) < sizeof(q->filter.state)) {
        for (size_t i = 0; value[i]; i++) /* as ss writes them, too: "fin-wait-1", "established" */
            q->filter.state[i] = value[i] == '-' ? '_' : (char)(value[i] & ~0x20);
        for (size_t i = 0; value[i]; i++) {
            if (value[i] >= '0' && value[i] <= '9')
                q->filter.state[i] = value[i];
        }
        return true;
    }
    return refuse(r, word);
}

static bool parse(const struct msg *m, struct query *q, struct report *r)
{
    char text[MSG_TEXT_B], *save = NULL;

    *q = (struct query){.core = -1, .limit = LIMIT};
    if (m->args[1].given)
        q->limit = m->args[1].number < LIMIT_MAX ? (uint32_t)m->args[1].number : LIMIT_MAX;
    if (!m->args[0].given)
        return true;
    snprintf(text, sizeof(text), "%s", m->args[0].text);
    for (char *w = strtok_r(text, ", ", &save); w; w = strtok_r(NULL, ", ", &save)) {
        if (!one_word(q, w, r))
            return false;
    }
    return true;
}

static json_t *endpoint(const struct endpoint *e)
{
    char text[EP_TEXT_MAX];
    struct sb s = sb_of(text, sizeof(text));

    endpoint_text(&s, e);
    return json_string(text);
}

static void set(json_t *o, const char *name, uint64_t n)
{
    json_object_set_new(o, name, json_integer((json_int_t)n));
}

static json_t *shown(unsigned core, const struct dp_conn *c)
{
    json_t *o = json_pack("{s:i,s:s,s:s,s:o,s:o}", "core", (int)core, "of",
                          c->accepted ? "client" : "backend", "state", c->state, "local",
                          endpoint(&c->local), "peer", endpoint(&c->peer));

    if (!o)
        return NULL;
    set(o, "rtt_us", c->srtt_us);
    set(o, "rttvar_us", c->rttvar_us);
    set(o, "min_rtt_us", c->min_rtt_us);
    set(o, "rto_ms", c->rto_us / 1000);
    set(o, "backoff", c->backoff);
    set(o, "mss", c->mss);
    set(o, "cwnd", c->mss ? c->cwnd_b / c->mss : 0);
    if (c->ssthresh_b != UINT32_MAX)
        set(o, "ssthresh", c->mss ? c->ssthresh_b / c->mss : 0);
    set(o, "in_flight_b", c->in_flight_b);
    set(o, "snd_wnd_b", c->snd_wnd_b);
    set(o, "rcv_wnd_b", c->rcv_wnd_b);
    set(o, "recv_q_b", c->rx_queued_b);
    set(o, "send_q_b", c->tx_queued_b);
    set(o, "retrans", c->retrans);
    set(o, "bytes_in", c->bytes_in);
    set(o, "bytes_out", c->bytes_out);
    set(o, "idle_ms", c->idle_ms);
    json_object_set_new(o, "recovery", json_boolean(c->recovery));
    return o;
}

/* False: the core did not answer. */
static bool of_core(const struct ctl *c, unsigned core, const struct query *q, json_t *list,
                    bool *more)
{
    struct dp_conn batch[DP_CONNS_BATCH];
    uint32_t cursor = 0;

    do {
        int n = dp_connections(c->dp, core, &q->filter, &cursor, PATIENCE_MS, batch);

        if (n < 0)
            return false;
        for (int i = 0; i < n; i++) {
            if (json_array_size(list) >= q->limit) {
                *more = true;
                return true;
            }
            json_array_append_new(list, shown(core, &batch[i]));
        }
    } while (cursor);
    return true;
}

json_t *cmd_conns(const struct ctl *c, const struct msg *m, struct report *r)
{
    json_t *list = json_array();
    bool more = false;
    struct query q;

    if (!parse(m, &q, r)) {
        json_decref(list);
        return NULL;
    }
    for (unsigned i = 0; i < dp_cores(c->dp) && !more; i++) {
        if (q.core >= 0 && q.core != i)
            continue;
        if (!of_core(c, i, &q, list, &more)) {
            report_add(r, REPORT_ERROR, NULL, 0, "try again", "core %u did not answer", i);
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:b,s:b,s:o}", "ok", 1, "more", more, "connections", list);
}
