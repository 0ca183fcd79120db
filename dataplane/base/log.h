/**
 * log: events of a fixed size from any thread's ring to the control side, which prints them as
 *     ts level event key=value ...
 * and access records, which share the ring.
 *
 * Data-plane code never formats and never blocks: a full ring is counted (ring_full). Event names and
 * keys are string literals. No secrets, no payload. Each place is rate limited: LOG() keeps a token
 * count per place and thread and says in "swallowed" how many it kept to itself.
 */
#ifndef SALLYPORT_BASE_LOG_H
#define SALLYPORT_BASE_LOG_H

#include "base/bound.h"
#include "base/ip.h"
#include "base/ring.h"

enum log_level {
    LOG_BUG,   /* us */
    LOG_OPER,  /* a human must act */
    LOG_PEER,  /* the other side */
    LOG_INFO,  /* life cycle */
    LOG_TRACE, /* per connection, by filter */
    LOG_LEVEL_COUNT,
};

/* Kinds of records in a core's ring. */
enum { LOG_REC_EVENT = 1, LOG_REC_ACCESS = 2 };

enum log_kv_type { LOG_KV_NONE, LOG_KV_U64, LOG_KV_IP, LOG_KV_EP, LOG_KV_STR, LOG_KV_TEXT };

#define LOG_TEXT_B 56
#define LOG_KV_MAX 6

struct log_kv {
    const char *key; /* literal */
    enum log_kv_type type;
    union {
        uint64_t u64;
        struct ip_addr ip;
        struct endpoint ep;
        const char *str;       /* literal */
        char text[LOG_TEXT_B]; /* copied, cut, ends in NUL; escaped when printed */
    };
};

struct log_event {
    uint64_t ts_ns; /* clock of the sender: struct log_out.wall_ns + now */
    const char *name;
    const char *file;
    uint32_t line;
    uint32_t swallowed;
    uint8_t level, kv_count;
    struct log_kv kv[LOG_KV_MAX];
};

/* Rate limit of one place: `burst` at once, then `per_s` a second. */
struct log_place {
    uint64_t refill_ns;
    uint32_t tokens, swallowed;
};

#define LOG_BURST  20
#define LOG_PER_S  10
#define LOG_PLACES 512

/* Where a core (or the control thread) writes its events. One per thread. */
struct log_out {
    struct ring *ring;
    uint64_t now_ns;      /* set once per turn */
    enum log_level level; /* what is less important is not even pushed */
    uint64_t swallowed;
    struct log_place places[LOG_PLACES]; /* by a hash of file and line */
    struct bound_place bounds[BOUND_COUNT];
};

void log_push(struct log_out *out, enum log_level level, const char *name, const char *file,
              uint32_t line, const struct log_kv *kv, uint32_t kv_count);

/* Without a limit, for whoever keeps one. False: the ring is full. */
bool log_write(struct log_out *out, enum log_level level, const char *name, uint32_t swallowed,
               const struct log_kv *kv, uint32_t kv_count);

struct log_kv log_kv_text(const char *key, struct span text);

#define KV_U64(k, v)  ((struct log_kv){.key = "" k, .type = LOG_KV_U64, .u64 = (v)})
#define KV_IP(k, v)   ((struct log_kv){.key = "" k, .type = LOG_KV_IP, .ip = (v)})
#define KV_EP(k, v)   ((struct log_kv){.key = "" k, .type = LOG_KV_EP, .ep = (v)})
#define KV_STR(k, v)  ((struct log_kv){.key = "" k, .type = LOG_KV_STR, .str = (v)})
#define KV_TEXT(k, v) log_kv_text("" k, v)

/* LOG(out, PEER, "tls.refused", KV_IP("client", ip), KV_STR("alert", "unknown_ca")); */
#define LOG(out, level_, name, ...)                                                \
    do {                                                                           \
        struct log_out *log_out_ = (out);                                          \
        if (log_out_ && LOG_##level_ <= log_out_->level) {                         \
            const struct log_kv log_kv_[] = {__VA_ARGS__};                         \
            _Static_assert(ARRAY_LEN(log_kv_) <= LOG_KV_MAX, "too many pairs");    \
            log_push(log_out_, LOG_##level_, "" name, __FILE__, __LINE__, log_kv_, \
                     (uint32_t)ARRAY_LEN(log_kv_));                                \
        }                                                                          \
    } while (0)

/* One line without its end, as control prints it. `wall_ns` is the event's time since 1970. */
void log_event_text(struct sb *s, const struct log_event *e, uint64_t wall_ns);
const char *log_level_name(enum log_level level);

#endif
