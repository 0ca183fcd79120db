#include "base/rng.h"
#include "base/wheel.c" /* white box */
#include "lib/t.h"

#define MS 1000000ULL

struct probe {
    struct wheel_node node;
    uint64_t want_ns, fired_ns;
    int fired;
};

static void note(void *ctx, struct wheel_node *node, uint64_t now_ns)
{
    struct probe *p = CONTAINER_OF(node, struct probe, node);

    (void)ctx;
    p->fired++;
    p->fired_ns = now_ns;
}

static void a_timer_fires_once_and_never_early(void)
{
    struct wheel w;
    struct probe p = {0};

    wheel_init(&w, 1000 * MS);
    wheel_arm(&w, &p.node, 1250 * MS);
    T_EQ(w.armed, 1);
    T_OK(wheel_at_ns(&w, &p.node) >= 1250 * MS);
    T_EQ(wheel_advance(&w, 1249 * MS, 10, note, NULL), 0);
    T_EQ(wheel_advance(&w, 1251 * MS, 10, note, NULL), 1);
    T_EQ(p.fired, 1);
    T_EQ(w.armed, 0);
    T_EQ(wheel_advance(&w, 99999 * MS, 10, note, NULL), 0);
}

static void a_disarmed_timer_is_silent(void)
{
    struct wheel w;
    struct probe p = {0};

    wheel_init(&w, 0);
    wheel_arm(&w, &p.node, 5 * MS);
    wheel_disarm(&w, &p.node);
    wheel_disarm(&w, &p.node);
    T_OK(!wheel_armed(&p.node));
    T_EQ(wheel_next_deadline(&w), WHEEL_NEVER);
    T_EQ(wheel_advance(&w, 1000 * MS, 10, note, NULL), 0);
}

static void a_call_fires_no_more_than_it_may(void)
{
    struct wheel w;
    static struct probe p[100];

    memset(p, 0, sizeof(p));
    wheel_init(&w, 0);
    for (int i = 0; i < 100; i++)
        wheel_arm(&w, &p[i].node, (uint64_t)(i % 7 + 1) * MS);
    T_EQ(wheel_advance(&w, 50 * MS, 30, note, NULL), 30);
    T_EQ(wheel_advance(&w, 50 * MS, 30, note, NULL), 30);
    T_EQ(wheel_advance(&w, 50 * MS, 100, note, NULL), 40);
    for (int i = 0; i < 100; i++)
        T_EQ(p[i].fired, 1);
}

static void the_farthest_deadline_is_cut_to_the_reach(void)
{
    struct wheel w;
    struct probe p = {0};

    wheel_init(&w, 0);
    wheel_arm(&w, &p.node, WHEEL_NEVER - 1);
    T_OK(wheel_armed(&p.node));
    T_EQ(wheel_advance(&w, 24ULL * 3600 * 1000 * MS, 10, note, NULL), 0);
    T_EQ(wheel_advance(&w, 24ULL * 4000 * 1000 * 1000 * MS, 10, note, NULL), 1);
}

/* Against a model that keeps deadlines in an array. */
static void a_million_random_steps_agree_with_a_sorted_list(void)
{
    enum { N = 512 };
    static struct probe p[N];
    struct wheel w;
    struct rng r;
    uint64_t now = 123456789;

    memset(p, 0, sizeof(p));
    rng_init_u64(&r, T_SEED);
    wheel_init(&w, now);
    for (int step = 0; step < 200000; step++) {
        struct probe *q = &p[rng_below(&r, N)];
        uint32_t what = rng_below(&r, 10);
        uint64_t next, min = WHEEL_NEVER;

        if (what < 6) {
            uint32_t shift = rng_below(&r, 45);

            q->want_ns = now + (rng_u64(&r) & ((1ULL << shift) - 1));
            wheel_arm(&w, &q->node, q->want_ns);
        } else if (what < 7) {
            wheel_disarm(&w, &q->node);
            q->want_ns = 0;
        }
        for (int i = 0; what == 9 && i < N; i++) {
            if (p[i].want_ns && p[i].want_ns < min)
                min = p[i].want_ns;
        }
        next = wheel_next_deadline(&w);
        if (what == 9 && min != WHEEL_NEVER) {
            T_NEED(next <= min + (1ULL << WHEEL_TICK_SHIFT) || next < now);
        }
        now += rng_u64(&r) & ((1ULL << rng_below(&r, 34)) - 1);
        wheel_advance(&w, now, N, note, NULL);
        for (int i = 0; i < N; i++) {
            bool due = p[i].want_ns && p[i].want_ns + (2ULL << WHEEL_TICK_SHIFT) <= now;

            if (p[i].fired) {
                T_NEED(p[i].want_ns && p[i].want_ns <= now);
                p[i].fired = 0;
                p[i].want_ns = 0;
            } else {
                T_NEED(!due);
            }
        }
    }
    t_pass("model");
}

#define TESTS(X)                                 \
    X(a_timer_fires_once_and_never_early)        \
    X(a_disarmed_timer_is_silent)                \
    X(a_call_fires_no_more_than_it_may)          \
    X(the_farthest_deadline_is_cut_to_the_reach) \
    X(a_million_random_steps_agree_with_a_sorted_list)
T_MAIN("wheel", TESTS)
