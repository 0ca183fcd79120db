/* ocsp: what is known by OCSP, of our certificates and of clients'. */
#include "control/cmd.h"

#include <time.h>

static json_t *text(const char *p)
{
    return cmd_text(p, strlen(p));
}

static json_t *when(int64_t s)
{
    time_t t = (time_t)s;
    char buf[32];
    struct tm tm;

    if (s == 0 || !gmtime_r(&t, &tm))
        return json_string("-");
    strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(buf);
}

static json_t *staple(const struct staple_view *v)
{
    json_t *o = json_pack("{s:o,s:s,s:b}", "identity", text(v->name), "response", v->state,
                          "must_staple", v->must_staple);

    json_object_set_new(o, "from", text(v->url));
    json_object_set_new(o, "bytes", json_integer(v->len));
    json_object_set_new(o, "this_update", when(v->this_s));
    json_object_set_new(o, "good_until", when(v->until_s));
    json_object_set_new(o, "next_try", when(v->next_try_s));
    json_object_set_new(o, "answers", json_integer((json_int_t)v->answers));
    json_object_set_new(o, "failures", json_integer((json_int_t)v->failures));
    json_object_set_new(o, "last_failure", text(v->why));
    return o;
}

static json_t *totals(const struct ocsp_cache *c)
{
    struct ocsp_cache_stats s;

    ocsp_cache_stats(c, &s);
    return json_pack("[{s:i,s:i,s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:I}]", "certificates", (int)s.entries,
                     "good", (int)s.good, "revoked", (int)s.revoked, "unanswered",
                     (int)s.unanswered, "being_asked", (int)s.asking, "questions",
                     (json_int_t)s.questions, "requests", (json_int_t)s.requests, "answers",
                     (json_int_t)s.answers, "failures", (json_int_t)s.failures, "no_room",
                     (json_int_t)s.overflow);
}

#define SHOWN_MAX 1000u

static json_t *certificates(const struct ocsp_cache *c)
{
    json_t *list = json_array();
    struct ocsp_cache_view v;
    uint32_t it = 0;

    while (it < SHOWN_MAX && ocsp_cache_next(c, &it, &v)) {
        char serial[64], issuer[256];
        struct sb n = sb_of(serial, sizeof(serial)), i = sb_of(issuer, sizeof(issuer));

        cert_serial_text(&n, v.serial);
        cert_name_text(&i, v.issuer);
        json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:o,s:o,s:o}", "serial", serial,
                                              "state", v.state, "until", when(v.until_s),
                                              "next_try", when(v.next_try_s), "why", text(v.why),
                                              "issuer", text(issuer)));
    }
    return list;
}

json_t *cmd_ocsp(const struct ctl *c)
{
    json_t *staples = json_array();
    struct staple_view v;
    uint32_t it = 0;

    while (staples_next(c->staples, &it, &v))
        json_array_append_new(staples, staple(&v));
    return json_pack("{s:b,s:o,s:o,s:o}", "ok", 1, "staples", staples, "clients", totals(c->ocsp),
                     "certificates", certificates(c->ocsp));
}
