#include "control/elog.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_B 4096

static uint64_t wall_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static void put(struct elog *e, const struct sb *s)
{
    char text[LINE_B + 2];
    int n;

    if (e->sink.path) {
        sink_line(&e->sink, sb_span(s));
        return;
    }
    n = snprintf(text, sizeof(text), "%s\n", s->p);
    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        return; /* nobody is left to tell */
}

static bool plain(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p <= ' ' || *p == '"' || *p == '\\' || *p == '=' || *p >= 0x7f)
            return false;
    }
    return *text != '\0';
}

static void pair(struct sb *s, const char *key, const char *value)
{
    sb_fmt(s, " %s=", key);
    if (plain(value))
        sb_str(s, value);
    else
        sb_json(s, span_str(value));
}

static struct sb begin(char *text, size_t cap, enum log_level level, const char *name)
{
    struct log_event event = {.name = name, .level = (uint8_t)level};
    struct sb s = sb_of(text, cap);

    log_event_text(&s, &event, wall_now_ns());
    return s;
}

void elog(struct elog *e, enum log_level level, const char *name, ...)
{
    char text[LINE_B];
    struct sb s;
    const char *key;
    va_list args;

    e->lines++;
    if (level > e->level)
        return;
    s = begin(text, sizeof(text), level, name);
    va_start(args, name);
    while ((key = va_arg(args, const char *)))
        pair(&s, key, va_arg(args, const char *));
    va_end(args);
    put(e, &s);
}

void elog_report(struct elog *e, const char *name, const struct report *r)
{
    static const enum log_level levels[] = {
        [REPORT_NOTE] = LOG_INFO, [REPORT_WARN] = LOG_INFO, [REPORT_ERROR] = LOG_OPER};

    for (uint32_t i = 0; i < r->count; i++) {
        const struct report_entry *entry = &r->entries[i];
        char text[LINE_B];
        struct sb s = begin(text, sizeof(text), levels[entry->level], name);

        e->lines++;
        if (levels[entry->level] > e->level)
            continue;
        if (entry->file)
            pair(&s, "file", entry->file);
        if (entry->line)
            sb_fmt(&s, " line=%d", entry->line);
        pair(&s, "what", entry->what ? entry->what : "out of memory");
        if (entry->hint)
            pair(&s, "hint", entry->hint);
        put(e, &s);
    }
}

bool elog_record(struct elog *e, struct span record, uint64_t wall_ns)
{
    const struct log_event *event = (const struct log_event *)(const void *)record.p;
    char text[LINE_B];
    struct sb s = sb_of(text, sizeof(text));

    if (record.len < offsetof(struct log_event, kv) || event->kv_count > LOG_KV_MAX ||
        record.len < offsetof(struct log_event, kv) + event->kv_count * sizeof(event->kv[0]) ||
        event->level >= LOG_LEVEL_COUNT)
        return false;
    e->lines++;
    if (event->level > (uint8_t)e->level)
        return true;
    log_event_text(&s, event, event->ts_ns + wall_ns);
    put(e, &s);
    return true;
}
