#include "base/bound.h"

#include "base/log.h"

static const struct {
    enum log_level level;
    const char *event, *counter, *setting;
} bounds[BOUND_COUNT] = {
#define BOUND(sym, level, name, counter, setting, effect) \
    {LOG_##level, "bound." name, counter, setting},
#include "base/bound.def"
#undef BOUND
};

static void say(struct log_out *log, enum bound b)
{
    struct bound_place *p = &log->bounds[b];
    struct log_kv kv[3];
    uint32_t n = 0;

    p->quiet_ns = log->now_ns + BOUND_EVERY_NS;
    if (p->with_peer)
        kv[n++] = KV_IP("peer", p->peer);
    kv[n++] = KV_STR("counter", bounds[b].counter);
    if (bounds[b].setting[0])
        kv[n++] = KV_STR("setting", bounds[b].setting);
    if (bounds[b].level <= log->level &&
        !log_write(log, bounds[b].level, bounds[b].event, p->hits - 1, kv, n))
        return; /* a full ring: they are told of with the next ones */
    p->hits = 0;
    p->with_peer = false;
}

void bound_hit(struct log_out *log, enum bound b, const struct ip_addr *peer)
{
    struct bound_place *p;

    if (!log)
        return;
    p = &log->bounds[b];
    p->hits++;
    if (peer) {
        p->peer = *peer;
        p->with_peer = true;
    }
    if (log->now_ns >= p->quiet_ns)
        say(log, b);
}

void bound_tell(struct log_out *log)
{
    for (unsigned b = 0; b < BOUND_COUNT; b++) {
        if (log->bounds[b].hits && log->now_ns >= log->bounds[b].quiet_ns)
            say(log, (enum bound)b);
    }
}
