#include "lib/fake_dp.h"

#include "base/access.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct fake_dp fake_dp;

struct dp {
    struct ring ring[SNAP_CORES_MAX];
    uint64_t *mem[SNAP_CORES_MAX];
    struct log_out out[SNAP_CORES_MAX];
};

static struct dp *the_dp;

static const struct ctr_desc tcp_counters[] = {{"accepted", "connections accepted"},
                                               {"resets", "resets sent"}};
static const struct ctr_desc proxy_counters[] = {{"requests", "requests"}};
static const struct dp_block blocks[] = {{"tcp", tcp_counters, 2}, {"proxy", proxy_counters, 1}};

void fake_dp_reset(void)
{
    memset(&fake_dp, 0, sizeof(fake_dp));
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

res dp_start(const struct dp_config *cfg, struct report *report, struct dp **out)
{
    struct dp *dp;

    fake_dp.cfg = *cfg;
    if (fake_dp.start_fails) {
        report_add(report, REPORT_ERROR, NULL, 0, NULL, "fake: no such device");
        return ERR(FAIL);
    }
    dp = (struct dp *)aligned_alloc(64, (sizeof(*dp) + 63) & ~(size_t)63);
    if (!dp)
        return ERR(NOMEM);
    memset(dp, 0, sizeof(*dp));
    for (uint32_t i = 0; i < cfg->core_count; i++) {
        dp->mem[i] = (uint64_t *)malloc(FAKE_RING_B);
        ring_init(&dp->ring[i], dp->mem[i], FAKE_RING_B);
        dp->out[i].ring = &dp->ring[i];
        dp->out[i].level = LOG_TRACE;
    }
    fake_dp.started++;
    *out = the_dp = dp;
    return OK;
}

res dp_publish(struct dp *dp, struct snap *next, uint32_t timeout_ms, struct snap **old,
               uint64_t *took_ns)
{
    (void)dp;
    (void)timeout_ms;
    if (fake_dp.publish != RES_OK && fake_dp.publish != RES_TIMEOUT)
        return (res){fake_dp.publish};
    *old = fake_dp.now;
    fake_dp.now = next;
    fake_dp.published++;
    if (fake_dp.publish == RES_TIMEOUT)
        return ERR(TIMEOUT);
    fake_dp.gen = next->gen;
    *took_ns = 123000;
    if (fake_dp.chatty) {
        (void)fake_dp_event(0, "fake.adopted");
        (void)fake_dp_request(0, "GET /fake HTTP/1.1", "fake", 200);
    }
    return OK;
}

res dp_stop(struct dp *dp, uint32_t deadline_ms)
{
    (void)dp;
    usleep(fake_dp.stop_takes_ms * 1000);
    fake_dp.deadline_ms = deadline_ms;
    fake_dp.stopped++;
    return fake_dp.stop_forced ? ERR(TIMEOUT) : OK;
}

void dp_free(struct dp *dp)
{
    for (uint32_t i = 0; i < fake_dp.cfg.core_count; i++)
        free(dp->mem[i]);
    free(dp);
    fake_dp.freed++;
    fake_dp.now = NULL;
    the_dp = NULL;
}

struct ring *dp_ring(struct dp *dp, unsigned core)
{
    return &dp->ring[core];
}

uint32_t dp_cores(const struct dp *dp)
{
    (void)dp;
    return fake_dp.cfg.core_count;
}

uint64_t dp_wall_offset_ns(const struct dp *dp)
{
    struct timespec ts;

    (void)dp;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec - now_ns();
}

uint32_t dp_blocks(const struct dp *dp, const struct dp_block **out)
{
    (void)dp;
    *out = blocks;
    return ARRAY_LEN(blocks);
}

void dp_counters(const struct dp *dp, uint32_t block, int core, uint64_t *out)
{
    (void)dp;
    for (unsigned i = 0; i < blocks[block].count; i++)
        out[i] = block * 100 + (core < 0 ? 10u : (unsigned)core) + i;
}

void dp_status(const struct dp *dp, unsigned core, struct dp_status *out)
{
    (void)dp;
    *out = (struct dp_status){.running = true,
                              .gen = fake_dp.gen,
                              .effect_gen = fake_dp.gen,
                              .effect_us = 456,
                              .turns = 1000,
                              .idle_turns = 900,
                              .clients = core + 1};
}

void dp_port_text(const struct dp *dp, uint32_t port, struct sb *out)
{
    (void)dp;
    sb_fmt(out, "fake port %u", port);
}

void dp_version_text(struct sb *out, bool verbose)
{
    sb_str(out, verbose ? "fake 1.0\nverbose\n" : "fake 1.0");
}

bool fake_dp_event(unsigned core, const char *name)
{
    struct log_out *out = &the_dp->out[core];
    uint64_t full = ring_full(out->ring);
    const struct log_kv kv[] = {KV_U64("n", 7), KV_TEXT("who", SPAN_LIT("a b\nc"))};

    out->now_ns = now_ns();
    log_push(out, LOG_PEER, name, __FILE__, (uint32_t)out->now_ns % 1000, kv, ARRAY_LEN(kv));
    return ring_full(out->ring) == full;
}

bool fake_dp_request(unsigned core, const char *line, const char *agent, uint16_t status)
{
    struct ring *ring = &the_dp->ring[core];
    const struct snap_capture *want = &fake_dp.now->capture;
    void *mem = ring_reserve(ring, LOG_REC_ACCESS, ACCESS_MAX_B);
    struct access_wr w;
    struct access_rec *rec;

    if (!mem)
        return false;
    rec = access_begin(&w, mem, ACCESS_MAX_B, want->request_header_count,
                       want->response_header_count, want->view_count);
    rec->begin_ns = rec->end_ns = now_ns();
    rec->gen = fake_dp.now->gen;
    rec->status = status;
    rec->client.addr = ip_v4(0x0a4d00c8);
    rec->minor = 1;
    access_put(&w, ACCESS_LINE, span_str(line));
    for (uint32_t i = 0; i < want->request_header_count; i++) {
        if (span_eq(want->request_headers[i], SPAN_LIT("user-agent")))
            access_put_header(&w, i, span_str(agent));
    }
    ring_commit(ring, access_end(&w));
    return true;
}

bool fake_dp_rubbish(unsigned core)
{
    struct ring *ring = &the_dp->ring[core];
    void *mem = ring_reserve(ring, LOG_REC_ACCESS, 16);

    if (!mem)
        return false;
    memset(mem, 0xff, 16);
    ring_commit(ring, 16);
    mem = ring_reserve(ring, 999, 8);
    if (mem)
        ring_commit(ring, 8);
    return mem;
}

int dp_connections(struct dp *dp, unsigned core, const struct dp_conn_filter *f, uint32_t *cursor,
                   uint32_t timeout_ms, struct dp_conn *out)
{
    (void)dp;
    (void)f;
    (void)timeout_ms;
    *cursor = 0;
    out[0] = (struct dp_conn){.local = {ip_v4(0x0a000001), 443},
                              .peer = {ip_v4(0x0a000002), (uint16_t)(1000 + core)},
                              .state = "ESTABLISHED",
                              .accepted = true};
    return 1;
}

struct capture *dp_capture(struct dp *dp, unsigned core)
{
    static struct capture captures[SNAP_CORES_MAX];

    (void)dp;
    if (!captures[core].mem && !IS_OK(capture_init(&captures[core])))
        abort();
    return &captures[core];
}
