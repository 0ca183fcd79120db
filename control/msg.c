#include "control/msg.h"

#include "config/cfg_near.h"
#include "config/duration.h"

#include <jansson.h>
#include <stdio.h>

const struct msg_desc msg_descs[MSG_COUNT] = {
#define CMD(sym, name, a1, t1, a2, t2, help) \
    [MSG_##sym] = {name, help, {{a1, MSG_T_##t1}, {a2, MSG_T_##t2}}},
#include "control/commands.def"
#undef CMD
};

static res refuse(struct report *r, const char *hint, const char *what, const char *word)
{
    char text[200];
    struct sb s = sb_of(text, sizeof(text));

    if (word)
        sb_json(&s, span_first(span_str(word), 80));
    report_add(r, REPORT_ERROR, NULL, 0, hint, "%s%s%s", what, word ? " " : "", text);
    return ERR(INVALID);
}

const struct msg_desc *msg_find(const char *name)
{
    for (size_t i = 0; i < MSG_COUNT; i++) {
        if (strcmp(msg_descs[i].name, name) == 0)
            return &msg_descs[i];
    }
    return NULL;
}

static res command(struct report *r, const json_t *root, struct msg *out)
{
    const char *name = json_string_value(json_object_get(root, "cmd"));
    char text[128];
    struct sb hint = sb_of(text, sizeof(text));
    const struct msg_desc *d = name ? msg_find(name) : NULL;
    struct cfg_near near;

    if (!name)
        return refuse(r, "write: {\"cmd\":\"status\"}",
                      "no command: \"cmd\" is missing, or no text", NULL);
    if (d) {
        out->cmd = (enum msg_cmd)(d - msg_descs);
        return OK;
    }
    near = cfg_near_of(name);
    for (size_t i = 0; i < MSG_COUNT; i++)
        cfg_near_try(&near, msg_descs[i].name);
    if (!cfg_near_hint(&near, &hint))
        sb_str(&hint, "see the command help");
    return refuse(r, text, "there is no command", name);
}

/* --- arguments --- */

static res text_argument(struct report *r, const json_t *v, const char *name, struct msg_arg *out)
{
    const char *text = json_string_value(v);
    size_t len = json_string_length(v);

    if (!text || len == 0 || len >= sizeof(out->text) || memchr(text, 0, len))
        return refuse(r, NULL, "not a text of 1 to 4095 bytes:", name);
    memcpy(out->text, text, len + 1);
    return OK;
}

static res number_argument(struct report *r, const json_t *v, const char *name, struct msg_arg *out)
{
    out->number = json_integer_value(v);
    if (!json_is_integer(v) || out->number < 0 || out->number > INT32_MAX)
        return refuse(r, NULL, "not a whole number from 0 on:", name);
    return OK;
}

static res duration_argument(struct report *r, const json_t *v, const char *name,
                             struct msg_arg *out)
{
    bool good = false;

    if (json_is_string(v))
        good = duration_parse(json_string_value(v), &out->number);
    else if (json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) < 1000000)
        good = (out->number = json_integer_value(v) * 1000, true);
    if (!good || out->number > INT32_MAX)
        return refuse(r, "write a number of seconds, or \"200ms\", \"10s\", \"5m\"",
                      "not a duration:", name);
    return OK;
}

static res argument(struct report *r, const json_t *v, const char *name, enum msg_type type,
                    struct msg_arg *out)
{
    out->given = true;
    switch (type) {
    case MSG_T_TEXT:
    case MSG_T_FILE:
        return text_argument(r, v, name, out);
    case MSG_T_NUMBER:
        return number_argument(r, v, name, out);
    case MSG_T_DURATION:
        return duration_argument(r, v, name, out);
    case MSG_T_FLAG:
        out->number = json_is_true(v);
        return json_is_boolean(v) ? OK : refuse(r, NULL, "neither true nor false:", name);
    case MSG_T_NONE:
        break;
    }
    return ERR(INVALID);
}

static res member(struct report *r, const char *name, const json_t *v, struct msg *out)
{
    const struct msg_desc *d = &msg_descs[out->cmd];
    struct cfg_near near = cfg_near_of(name);
    char text[128];
    struct sb hint = sb_of(text, sizeof(text));

    if (strcmp(name, "cmd") == 0)
        return OK;
    for (size_t i = 0; i < MSG_ARGS && d->args[i].name; i++) {
        if (strcmp(d->args[i].name, name) == 0)
            return argument(r, v, name, d->args[i].type, &out->args[i]);
        cfg_near_try(&near, d->args[i].name);
    }
    return refuse(r, cfg_near_hint(&near, &hint), "the command has no argument", name);
}

static res read_object(struct report *r, json_t *root, struct msg *out)
{
    const char *name;
    json_t *v;
    res all;

    if (!json_is_object(root))
        return refuse(r, "write: {\"cmd\":\"status\"}", "not a JSON object", NULL);
    all = command(r, root, out);
    if (!IS_OK(all))
        return all;
    json_object_foreach(root, name, v)
    {
        res one = member(r, name, v, out);

        if (!IS_OK(one))
            all = one;
    }
    return all;
}

res msg_parse(struct span line, struct report *report, struct msg *out)
{
    json_error_t error;
    json_t *root;
    res r;

    *out = (struct msg){0};
    if (line.len > MSG_MAX_B)
        return refuse(report, NULL, "a message of more than 64 KB", NULL);
    root = json_loadb((const char *)line.p, line.len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return refuse(report, NULL, "not JSON:", error.text);
    r = read_object(report, root, out);
    json_decref(root);
    return r;
}
