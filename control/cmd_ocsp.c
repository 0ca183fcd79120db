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

json_t *cmd_ocsp(const struct ctl *c)
{
    json_t *staples = json_array();
    struct staple_view v;
    uint32_t it = 0;

    while (staples_next(c->staples, &it, &v))
        json_array_append_new(staples, staple(&v));
    return json_pack("{s:b,s:o}", "ok", 1, "staples", staples);
}
