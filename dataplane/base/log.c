#include "base/log.h"

#include <time.h>

#define NS_PER_S 1000000000ULL

static const char *const level_names[LOG_LEVEL_COUNT] = {"BUG", "OPER", "PEER", "INFO", "TRACE"};

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

struct log_kv log_kv_text(const char *key, struct span text)
{
    struct log_kv kv = {.key = key, .type = LOG_KV_TEXT};
    size_t n = min_size(text.len, LOG_TEXT_B - 1);

    if (n)
        memcpy(kv.text, text.p, n);
    kv.text[n] = '\0';
    return kv;
}

/* True when the place still has a token; refills with time. */
static bool take_token(struct log_place *place, uint64_t now_ns)
{
    uint64_t gained = (now_ns - place->refill_ns) * LOG_PER_S / NS_PER_S;

    if (place->refill_ns == 0 || gained >= LOG_BURST) {
        place->tokens = LOG_BURST;
        place->refill_ns = now_ns ? now_ns : 1;
    } else if (gained) {
        place->tokens = (uint32_t)min_size(place->tokens + gained, LOG_BURST);
        place->refill_ns += gained * NS_PER_S / LOG_PER_S;
    }
    if (place->tokens == 0) {
        place->swallowed++;
        return false;
    }
    place->tokens--;
    return true;
}

static bool write_event(struct log_out *out, const struct log_event *head, const struct log_kv *kv)
{
    size_t len = offsetof(struct log_event, kv) + head->kv_count * sizeof(*kv);
    struct log_event *e = (struct log_event *)ring_reserve(out->ring, LOG_REC_EVENT, (uint32_t)len);

    if (!e)
        return false;
    memcpy(e, head, offsetof(struct log_event, kv));
    memcpy(e->kv, kv, head->kv_count * sizeof(*kv));
    ring_commit(out->ring, (uint32_t)len);
    return true;
}

bool log_write(struct log_out *out, enum log_level level, const char *name, uint32_t swallowed,
               const struct log_kv *kv, uint32_t kv_count)
{
    struct log_event e = {.ts_ns = out->now_ns,
                          .name = name,
                          .file = "",
                          .swallowed = swallowed,
                          .level = (uint8_t)level,
                          .kv_count = (uint8_t)kv_count};

    out->swallowed += swallowed;
    return write_event(out, &e, kv);
}

void log_push(struct log_out *out, enum log_level level, const char *name, const char *file,
              uint32_t line, const struct log_kv *kv, uint32_t kv_count)
{
    struct log_place *place =
        &out->places[((uintptr_t)file / 8 * 31 + line) % LOG_PLACES]; /* literals: stable */
    struct log_event e = {.ts_ns = out->now_ns,
                          .name = name,
                          .file = file,
                          .line = line,
                          .level = (uint8_t)level,
                          .kv_count = (uint8_t)kv_count};

    if (!take_token(place, out->now_ns)) {
        out->swallowed++;
        return;
    }
    e.swallowed = place->swallowed;
    if (write_event(out, &e, kv))
        place->swallowed = 0;
}

static bool plain(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text == '"' || *text == '\\' || *text == '=' || *text >= 0x7f)
            return false;
    }
    return true;
}

static void kv_text(struct sb *s, const struct log_kv *kv)
{
    sb_fmt(s, " %s=", kv->key);
    switch (kv->type) {
    case LOG_KV_U64:
        sb_u64(s, kv->u64);
        break;
    case LOG_KV_IP:
        ip_text(s, &kv->ip);
        break;
    case LOG_KV_EP:
        endpoint_text(s, &kv->ep);
        break;
    case LOG_KV_STR:
        sb_str(s, kv->str);
        break;
    case LOG_KV_TEXT:
        if (kv->text[0] && plain(kv->text))
            sb_str(s, kv->text);
        else
            sb_json(s, span_str(kv->text));
        break;
    case LOG_KV_NONE:
        break;
    }
}

void log_event_text(struct sb *s, const struct log_event *e, uint64_t wall_ns)
{
    time_t sec = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    char ts[32];

    gmtime_r(&sec, &tm);
    strftime(ts, sizeof(ts), "%Y-%m-%dT%H:%M:%S", &tm);
    sb_fmt(s, "%s.%06uZ %s %s", ts, (unsigned)(wall_ns % NS_PER_S / 1000), level_names[e->level],
           e->name);
    for (uint32_t i = 0; i < e->kv_count; i++)
        kv_text(s, &e->kv[i]);
    if (e->swallowed)
        sb_fmt(s, " swallowed=%u", e->swallowed);
}
