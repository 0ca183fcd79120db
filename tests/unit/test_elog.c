#include "control/elog.h"
#include "lib/t.h"
#include "lib/tmp.h"

static char *text_of(struct elog *e, struct tmp *t)
{
    sink_flush(&e->sink);
    return tmp_read(tmp_path(t, "e.log"));
}

static void open_log(struct elog *e, struct tmp *t)
{
    struct report *r = report_new();

    tmp_begin(t);
    *e = (struct elog){.level = LOG_INFO};
    T_NEED(IS_OK(sink_open(&e->sink, tmp_path(t, "e.log"), r)));
    report_free(r);
}

static void close_log(struct elog *e, struct tmp *t)
{
    sink_close(&e->sink);
    tmp_end(t);
}

static void pairs_are_quoted_where_they_need_it(void)
{
    struct elog e;
    struct tmp t;
    char *text;

    open_log(&e, &t);
    elog(&e, LOG_OPER, "a.b", "k", "plain", "x", "two words", "y", "", "z", "a\nb", NULL);
    text = text_of(&e, &t);
    T_OK(strstr(text, "Z OPER a.b k=plain x=\"two words\" y=\"\" z=\"a\\nb\"\n") != NULL);
    T_EQ(strlen(strchr(text, '\n')), 1);
    free(text);
    close_log(&e, &t);
}

static void what_is_less_important_is_not_written(void)
{
    struct elog e;
    struct tmp t;
    char *text;

    open_log(&e, &t);
    e.level = LOG_OPER;
    elog(&e, LOG_INFO, "no", NULL);
    elog(&e, LOG_OPER, "yes", NULL);
    text = text_of(&e, &t);
    T_OK(!strstr(text, "no") && strstr(text, "OPER yes\n"));
    T_EQ(e.lines, 2);
    free(text);
    close_log(&e, &t);
}

static void reports_become_events(void)
{
    struct elog e;
    struct tmp t;
    struct report *r = report_new();
    char *text;

    open_log(&e, &t);
    report_add(r, REPORT_ERROR, "sp.conf", 7, "do that", "it is \"wrong\"");
    report_add(r, REPORT_WARN, NULL, 0, NULL, "odd");
    elog_report(&e, "config.mistake", r);
    text = text_of(&e, &t);
    T_OK(strstr(
        text,
        "OPER config.mistake file=sp.conf line=7 what=\"it is \\\"wrong\\\"\" hint=\"do that\"\n"));
    T_OK(strstr(text, "INFO config.mistake what=odd\n"));
    free(text);
    report_free(r);
    close_log(&e, &t);
}

static void records_of_cores_are_checked(void)
{
    struct elog e;
    struct tmp t;
    struct log_event event = {.ts_ns = 5, .name = "tls.refused", .level = LOG_PEER, .kv_count = 1};
    char *text;

    open_log(&e, &t);
    event.kv[0] = KV_STR("alert", "unknown_ca");
    T_OK(elog_record(&e, span_of(&event, sizeof(event)), 1000000000ULL * 86400));
    text = text_of(&e, &t);
    T_STR(text, "1970-01-02T00:00:00.000000Z PEER tls.refused alert=unknown_ca\n");
    free(text);
    T_OK(elog_record(&e, span_of(&event, offsetof(struct log_event, kv) + sizeof(event.kv[0])), 0));
    T_OK(!elog_record(&e, span_of(&event, offsetof(struct log_event, kv) + 8), 0));
    T_OK(!elog_record(&e, span_of(&event, 4), 0));
    event.kv_count = LOG_KV_MAX + 1;
    T_OK(!elog_record(&e, span_of(&event, sizeof(event)), 0));
    event.kv_count = 0;
    event.level = LOG_LEVEL_COUNT;
    T_OK(!elog_record(&e, span_of(&event, sizeof(event)), 0));
    event.level = LOG_TRACE;
    T_OK(elog_record(&e, span_of(&event, sizeof(event)), 0)); /* good, and not written */
    close_log(&e, &t);
}

#define TESTS(X)                                                      \
    X(pairs_are_quoted_where_they_need_it)                            \
    X(what_is_less_important_is_not_written) X(reports_become_events) \
        X(records_of_cores_are_checked)
T_MAIN("elog", TESTS)
