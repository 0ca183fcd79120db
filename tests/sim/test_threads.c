/* The cores of two hosts, each in a thread of its own, and control beside them: for ThreadSanitizer
 * (tests/run.sh tsan). Without it the same runs show that nothing is lost or mixed up between threads. */
#include "lib/t.h"
#include "sim/cores.h"
#include "tcp/internal.h"

#include <time.h>

#define LIMIT_MS 120000

static struct {
    uint64_t rounds, events, frames, walked, full;
} seen;

/* --- control: all that it does with a core that runs --- */

static void read_log(struct cores_core *c)
{
    struct span record;
    struct log_event e;
    uint16_t kind;
    char text[512];
    struct sb sb = sb_of(text, sizeof(text));

    while (ring_peek(&c->log_ring, &kind, &record)) {
        memcpy(&e, record.p, record.len);
        log_event_text(&sb, &e, e.ts_ns);
        ring_next(&c->log_ring);
        seen.events++;
    }
    seen.full += ring_full(&c->log_ring);
}

static void read_frames(struct cores_core *c)
{
    struct capture_head head;
    struct span record;
    uint16_t kind;

    while (ring_peek(&c->capture.ring, &kind, &record)) {
        memcpy(&head, record.p, sizeof(head));
        T_NEED(record.len >= sizeof(head) && record.len - sizeof(head) <= head.len);
        ring_next(&c->capture.ring);
        seen.frames++;
    }
}

/* On, off, on again with another filter, as fast as it goes; some frames are wanted by none. */
static void switch_capture(struct cores_core *c)
{
    static const uint16_t ports[] = {CORES_PORT, 0, 9};

    for (uint32_t i = 0; i < ARRAY_LEN(ports); i++) {
        struct capture_filter f = {.port = -1,
                                   .snap = (uint16_t)(64 + seen.rounds % 1000),
                                   .tcp_port = ports[(i + seen.rounds) % ARRAY_LEN(ports)]};

        capture_begin(&c->capture, &f);
        if (seen.rounds % 5 == i)
            capture_end(&c->capture);
    }
}

static void walk(struct cores_core *c)
{
    struct dp_conn_filter f = {.by_peer = false};
    struct dp_conn out[WALK_BATCH];
    uint32_t cursor = 0;
    int n = walk_ask(&c->walk, &f, &cursor, 1000, out);

    for (int i = 0; i < n; i++)
        T_NEED(out[i].local.port && out[i].peer.port && out[i].state);
    seen.walked += n > 0 ? (uint64_t)n : 0;
}

static void control(struct cores_world *w)
{
    static const struct timespec nap = {0, 200000};

    seen.rounds++;
    for (uint32_t h = 0; h < 2; h++) {
        (void)cores_stats(&w->host[h]);
        for (unsigned i = 0; i < TCP_CTR_COUNT; i++)
            (void)cores_tcp(&w->host[h], i);
        for (unsigned i = 0; i < NET_CTR_COUNT; i++)
            (void)cores_net(&w->host[h], (enum l3_counter)i);
        for (uint32_t i = 0; i < w->host[h].cores; i++) {
            struct cores_core *c = &w->host[h].core[i];

            read_log(c);
            read_frames(c);
            switch_capture(c);
            walk(c);
        }
    }
    nanosleep(&nap, NULL);
}

/* --- runs --- */

static void run(const struct cores_config *cfg, uint32_t connects, uint32_t bytes_max)
{
    struct cores_world *w = cores_new(cfg);
    const char *left;

    memset(&seen, 0, sizeof(seen));
    for (uint32_t h = 0; h < 2; h++) {
        for (uint32_t i = 0; i < w->host[h].cores; i++)
            w->host[h].core[i].plan = (struct cores_plan){connects, 8, bytes_max, (i + h) & 1};
    }
    T_OK(cores_run_threads(w, LIMIT_MS, control));
    for (uint32_t h = 0; h < 2; h++) {
        struct cores_stats s = cores_stats(&w->host[h]);

        T_EQ(s.done, connects * w->host[h].cores);
        T_EQ(s.failed, 0);
        T_EQ(s.wrong, 0);
        T_EQ(s.misplaced, 0);
        if (w->host[h].cores > 1 && w->host[h].spread != SPREAD_RSS)
            T_OK(cores_net(&w->host[h], NET_CTR_STEER_IN) > 0);
    }
    fprintf(stderr,
            "control: %" PRIu64 " rounds, %" PRIu64 " frames, %" PRIu64 " connections seen\n",
            seen.rounds, seen.frames, seen.walked);
    T_OK(seen.frames > 0 && seen.walked > 0);
    left = cores_free(w);
    T_STR(left ? left : "nothing", "nothing");
}

static void two_cores(void)
{
    struct cores_config cfg = {.seed = T_SEED, .host = {{2, 2, SPREAD_ANY}, {1, 1, SPREAD_RSS}}};

    run(&cfg, 120, 60000);
}

static void two_cores_and_one_queue(void)
{
    struct cores_config cfg = {.seed = T_SEED, .host = {{2, 1, SPREAD_FIRST}, {1, 1, SPREAD_RSS}}};

    run(&cfg, 80, 50000);
}

static void four_cores(void)
{
    struct cores_config cfg = {
        .seed = T_SEED, .loss = 2000, .host = {{4, 4, SPREAD_KEY}, {2, 2, SPREAD_ANY}}};

    run(&cfg, 80, 50000);
}

static void four_cores_and_two_queues(void)
{
    struct cores_config cfg = {.seed = T_SEED, .host = {{4, 2, SPREAD_ANY}, {1, 1, SPREAD_RSS}}};

    run(&cfg, 80, 50000);
}

#define TESTS(X) X(two_cores) X(two_cores_and_one_queue) X(four_cores) X(four_cores_and_two_queues)
T_MAIN("threads", TESTS)
