/* crls: lists that are fetched, by URL. */
#include "control/cmd.h"

#include <time.h>

static json_t *day(int64_t s)
{
    char text[64] = "-";
    time_t t = (time_t)s;
    struct tm tm;

    if (s != 0 && s != INT64_MAX && gmtime_r(&t, &tm))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

static const char *state_of(const struct crls_view *v)
{
    if (v->lists == 0)
        return "none";
    return v->next_s < ctl_wall_s() ? "expired" : "good";
}

/* Names of the trust sets that use it. */
static json_t *names(const struct ctl *c, const struct crls_view *v)
{
    char text[512];
    struct sb s = sb_of(text, sizeof(text));

    for (uint32_t i = 0; i < v->trust_count; i++) {
        sb_str(&s, i ? ", " : "");
        sb_put(&s, c->now->snap.trusts[v->trusts[i]].name);
    }
    return cmd_text(text, s.len);
}

static json_t *source(const struct ctl *c, const struct crls_view *v)
{
    json_t *o = json_object();
    char next[32];

    snprintf(next, sizeof(next), "in %lld s", (long long)v->next_try_s);
    json_object_set_new(o, "url", cmd_text(v->url, strlen(v->url)));
    json_object_set_new(o, "trust", names(c, v));
    json_object_set_new(o, "learnt", cmd_text(v->learnt, strlen(v->learnt)));
    json_object_set_new(o, "state", json_string(state_of(v)));
    json_object_set_new(o, "lists", json_integer(v->lists));
    json_object_set_new(o, "serials", json_integer((json_int_t)v->serials));
    json_object_set_new(o, "this_update", day(v->this_s));
    json_object_set_new(o, "next_update", day(v->next_s));
    json_object_set_new(o, "last_good", day(v->good_s));
    json_object_set_new(o, "next_try", json_string(v->next_try_s ? next : "now"));
    json_object_set_new(o, "failures", json_integer(v->failures));
    json_object_set_new(o, "last_error", cmd_text(v->error, strlen(v->error)));
    for (size_t i = 0; i < CRLS_CTR_COUNT; i++) {
        if (i != CRLS_USED && i != CRLS_LEARNT && i != CRLS_LEARN_FULL) /* of no source alone */
            json_object_set_new(o, crls_ctrs[i].name, json_integer((json_int_t)v->ctr[i]));
    }
    return o;
}

json_t *cmd_crls(const struct ctl *c, const struct msg *m)
{
    json_t *list = json_array();
    struct crls_view v;

    if (m->args[0].given && m->args[0].number)
        crls_ask_all(c->crls);
    for (uint32_t i = 0; crls_look(c->crls, i, crls_mono_ms(), &v); i++)
        json_array_append_new(list, source(c, &v));
    return json_pack("{s:b,s:i,s:o}", "ok", 1, "urls", (int)json_array_size(list), "crls", list);
}
