/* Several cores in virtual time: steering, ports, neighbours, errors. The comment in front of each is its line
 * in README.md. */
#include "lib/t.h"
#include "net/l3_internal.h" /* the gateway changes its address */
#include "sim/cores.h"
#include "tcp/internal.h"

static void plan(struct cores_world *w, uint32_t host, uint32_t connects, uint32_t bytes_max,
                 bool v6)
{
    for (uint32_t i = 0; i < w->host[host].cores; i++)
        w->host[host].core[i].plan = (struct cores_plan){connects, 10, bytes_max, v6};
}

static void forget(struct cores_world *w)
{
    for (uint32_t h = 0; h < 2; h++) {
        for (uint32_t i = 0; i < w->host[h].cores; i++) {
            memset(&w->host[h].core[i].stats, 0, sizeof(w->host[h].core[i].stats));
            w->host[h].core[i].plan.connects = 0;
        }
    }
}

/* So that all cores know their neighbours: few packets wait for an answer, the rest is lost. */
static struct cores_world *warm(const struct cores_config *cfg)
{
    struct cores_world *w = cores_new(cfg);

    plan(w, 0, 3, 10, false);
    T_OK(cores_run(w, 10000000000ULL));
    forget(w);
    plan(w, 0, 3, 10, true);
    T_OK(cores_run(w, 10000000000ULL));
    forget(w);
    return w;
}

/* Nothing went wrong anywhere, and no connection was told to go away. (A late ACK of what is closed may be.) */
static void all_is_well(const struct cores_world *w)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct cores_stats s = cores_stats(&w->host[i]);

        T_EQ(s.failed, 0);
        T_EQ(s.wrong, 0);
        T_EQ(s.misplaced, 0);
        T_EQ(cores_tcp(&w->host[i], TCP_CTR_IN_RSTS), 0);
        T_EQ(cores_tcp(&w->host[i], TCP_CTR_NO_LISTENER), 0);
        T_EQ(cores_net(&w->host[i], NET_CTR_STEER_DROPPED), 0);
    }
}

static void end(struct cores_world *w)
{
    const char *left;

    cores_idle(w, 70000000000ULL); /* past TIME_WAIT */
    for (uint32_t h = 0; h < 2; h++) {
        for (uint32_t i = 0; i < w->host[h].cores; i++) {
            T_EQ(w->host[h].core[i].tcp->conns.used, 0);
            T_EQ(w->host[h].core[i].tcp->flow.used, 0);
        }
    }
    left = cores_free(w);
    T_STR(left ? left : "nothing", "nothing");
}

/* T-130 -: four cores, packets on any queue: every connection lives on its owner, nobody is reset */
static void packets_come_to_any_queue(void)
{
    for (int v6 = 0; v6 < 2; v6++) {
        struct cores_config cfg = {.seed = T_SEED,
                                   .host = {{4, 4, SPREAD_ANY}, {1, 1, SPREAD_RSS}}};
        struct cores_world *w = warm(&cfg);
        struct cores_stats s;

        plan(w, 0, 200, 60000, v6);
        plan(w, 1, 500, 60000, v6);
        T_OK(cores_run(w, 60000000000ULL));
        all_is_well(w);
        s = cores_stats(&w->host[0]);
        T_EQ(s.accepted, 500);
        T_EQ(s.done, 800);
        cores_idle(w, 1000000000ULL);
        T_EQ(cores_net(&w->host[0], NET_CTR_STEER_IN), cores_net(&w->host[0], NET_CTR_STEER_OUT));
        T_OK(cores_net(&w->host[0], NET_CTR_STEER_IN) > 1000);
        T_EQ(cores_tcp(&w->host[0], TCP_CTR_SYN_RETRANS), 0);
        end(w);
    }
}

struct row {
    const char *name;
    uint32_t cores, queues;
    enum cores_spread spread;
};

static void many_connects(const struct row *r)
{
    struct cores_config cfg = {.seed = T_SEED,
                               .host = {{r->cores, r->queues, r->spread}, {1, 1, SPREAD_RSS}}};
    struct cores_world *w = warm(&cfg);
    struct cores_stats s;

    plan(w, 0, 10000 / r->cores, 500, false);
    T_OK(cores_run(w, 600000000000ULL));
    all_is_well(w);
    T_ROW_EQ(r->name, cores_tcp(&w->host[0], TCP_CTR_SYN_RETRANS), 0);
    T_ROW_EQ(r->name, cores_stats(&w->host[1]).accepted, 10000 / r->cores * r->cores);
    s = cores_stats(&w->host[0]);
    if (r->spread == SPREAD_RSS)
        T_ROW_EQ(r->name, s.mismatched, 0);
    T_ROW_EQ(r->name, s.crowded, 0);
    for (uint32_t i = 0; i < r->cores; i++)
        T_ROW_EQ(r->name, w->host[0].core[i].stats.done, 10000 / r->cores);
    end(w);
}

/* T-131 -: 10,000 connects of four cores to three backends: every answer reaches its opener, by RSS and by software */
static void answers_reach_their_opener(void)
{
    static const struct row rows[] = {
        {"rss", 4, 4, SPREAD_RSS},
        {"any queue", 4, 4, SPREAD_ANY},
        {"two queues for four cores", 4, 2, SPREAD_ANY},
        {"one queue for four cores", 4, 1, SPREAD_FIRST},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        many_connects(&rows[i]);
}

/* T-132 -: a device with another RSS key: seen by the counters, and every connection works in software */
static void a_device_with_another_key(void)
{
    struct cores_config cfg = {.seed = T_SEED, .host = {{4, 4, SPREAD_KEY}, {1, 1, SPREAD_RSS}}};
    struct cores_world *w = warm(&cfg);
    struct cores_stats s;

    plan(w, 0, 500, 20000, false);
    plan(w, 1, 500, 20000, true);
    T_OK(cores_run(w, 60000000000ULL));
    all_is_well(w);
    s = cores_stats(&w->host[0]);
    T_OK(s.mismatched > 1000);
    T_OK(s.agreed * 100 < s.mismatched);
    T_OK(cores_net(&w->host[0], NET_CTR_STEER_OUT) > 1000);
    end(w);
}

/* T-133 -: three and five cores, which no table divides evenly: as with four */
static void cores_that_are_no_power_of_two(void)
{
    static const struct row rows[] = {
        {"three, rss", 3, 3, SPREAD_RSS},        {"three, any queue", 3, 3, SPREAD_ANY},
        {"five, rss", 5, 5, SPREAD_RSS},         {"five, any queue", 5, 5, SPREAD_ANY},
        {"five, another key", 5, 5, SPREAD_KEY}, {"five, three queues", 5, 3, SPREAD_ANY},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        many_connects(&rows[i]);
}

static void too_big(bool v6)
{
    struct cores_config cfg = {
        .seed = T_SEED, .path_mtu = 1300, .host = {{4, 4, SPREAD_RSS}, {1, 1, SPREAD_RSS}}};
    struct cores_world *w = warm(&cfg);

    plan(w, 0, 20, 200000, v6);
    T_OK(cores_run(w, 60000000000ULL));
    all_is_well(w);
    T_EQ(cores_stats(&w->host[0]).mismatched, 0);
    T_EQ(cores_stats(&w->host[0]).crowded, 0);
    /* The errors, and nothing else, came to the wrong core; each connection went on at once. */
    T_OK(cores_net(&w->host[0], NET_CTR_STEER_OUT) >= 80);
    T_EQ(cores_net(&w->host[0], NET_CTR_ICMP_ERRORS), cores_net(&w->host[0], NET_CTR_STEER_OUT));
    T_OK(cores_tcp(&w->host[0], TCP_CTR_PMTU) >= 40);
    T_EQ(cores_tcp(&w->host[0], TCP_CTR_TIMEOUTS), 0);
    T_EQ(cores_tcp(&w->host[0], TCP_CTR_BLACK_HOLE), 0);
    end(w);
}

/* T-134 RFC 1191, RFC 8201: an ICMP error on the wrong core is handed over, and the right connection's segments shrink */
static void errors_on_the_wrong_core(void)
{
    too_big(false);
    too_big(true);
}

/* The gateway is another machine from now on: what is sent to the old one is for nobody. */
static void gateway_fails_over(struct cores_world *w, bool announces)
{
    struct l3 *l = w->host[1].core[0].l3;

    l->ports[0].mac.b[5] = 77;
    if (announces) {
        l->announced = 1; /* as an address in use, not as one that is tried */
        l->announce_ns = w->now_ns;
    }
}

static void gateway_change(bool v6, bool announces, uint64_t max_ns)
{
    struct tcp_settings set;
    struct cores_config cfg = {.seed = T_SEED,
                               .by_gateway = true,
                               .settings = &set,
                               .host = {{2, 2, SPREAD_RSS}, {1, 1, SPREAD_RSS}}};
    struct cores_world *w;
    uint64_t at;

    tcp_settings_default(&set);
    set.rcvbuf_max_b = 64 << 10; /* so that the wire holds all that is in flight */
    w = warm(&cfg);

    cores_idle(w, 3000000000ULL);
    plan(w, 0, 10, 3000000, v6);
    T_OK(!cores_run(w, 1000000));
    T_OK(cores_stats(&w->host[0]).done < 20);
    gateway_fails_over(w, announces);
    at = w->now_ns;
    T_OK(cores_run(w, 100000000000ULL));
    all_is_well(w);
    T_EQ(cores_stats(&w->host[0]).crowded, 0);
    if (w->now_ns - at > max_ns)
        t_fail(__FILE__, __LINE__, "IPv%u, %s: stood still for %.1f s", v6 ? 6 : 4,
               announces ? "announced" : "silent", (double)(w->now_ns - at) / 1e9);
    end(w);
}

/* T-126 RFC 4861 7.3: the gateway's address changes, with and without a word: connections go on by the new one */
static void the_gateway_fails_over(void)
{
    for (int v6 = 0; v6 < 2; v6++) {
        gateway_change(v6, true, 3500000000ULL);
        gateway_change(v6, false, 8000000000ULL);
    }
}

/* How many cores of a host use an address. */
static uint32_t users(const struct cores_host *h, const struct ip_addr *a)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < h->cores; i++)
        n += l3_is_local(h->core[i].l3, a);
    return n;
}

/* T-127 RFC 4862 5.4.5, RFC 5227 2.1: two hosts have one address: it is taken out of use, and in the
 * end all cores of one have it alone */
static void an_address_of_two_hosts(void)
{
    struct cores_config cfg = {
        .seed = T_SEED, .same_address = true, .host = {{4, 4, SPREAD_ANY}, {3, 2, SPREAD_ANY}}};
    struct cores_world *w = cores_new(&cfg);
    struct cores_host *a = &w->host[0], *b = &w->host[1];
    const struct ip_addr *both[] = {&a->addr4[0], &a->addr6[0]};

    cores_idle(w, 3000000000ULL);
    for (size_t i = 0; i < ARRAY_LEN(both); i++)
        T_OK(users(a, both[i]) % 4 == 0 && users(b, both[i]) % 3 == 0 &&
             users(a, both[i]) + users(b, both[i]) < 7);
    T_EQ(users(a, &a->addr6[1]), 4);
    T_EQ(users(b, &b->addr4[1]), 3);
    T_OK(cores_net(a, NET_CTR_ADDRESS_HELD) + cores_net(b, NET_CTR_ADDRESS_HELD) > 0);
    cores_idle(w, 300000000000ULL);
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        uint32_t of_a = users(a, both[i]), of_b = users(b, both[i]);

        T_OK((of_a == 4 && of_b == 0) || (of_a == 0 && of_b == 3));
    }
    end(w);
}

/* T-128b RFC 5722: all packets come in fragments, on any queue: they meet, and what they make finds its owner */
static void fragments_meet(void)
{
    static const struct {
        const char *name;
        uint32_t cores, queues;
        enum cores_spread spread;
        uint32_t loss;
    } rows[] = {
        {"one core", 1, 1, SPREAD_RSS, 0},
        {"four cores, by hash", 4, 4, SPREAD_RSS, 0},
        {"four cores, any queue", 4, 4, SPREAD_ANY, 0},
        {"four cores, two queues", 4, 2, SPREAD_ANY, 0},
        {"four cores, losses", 4, 4, SPREAD_ANY, 2000},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int v6 = 0; v6 < 2; v6++) {
            struct cores_config cfg = {
                .seed = T_SEED,
                .cut_b = 504,
                .loss = rows[i].loss,
                .host = {{rows[i].cores, rows[i].queues, rows[i].spread}, {1, 1, SPREAD_RSS}}};
            struct cores_world *w = warm(&cfg);
            const struct cores_host *h = &w->host[0];

            plan(w, 0, 40, 60000, v6);
            plan(w, 1, 40, 60000, v6);
            T_OK(cores_run(w, 600000000000ULL));
            all_is_well(w);
            T_OK(cores_net(h, NET_CTR_REASM_OKS) > 1000);
            T_ROW_EQ(rows[i].name, cores_net(h, NET_CTR_REASM_OVERLAPS), 0);
            T_ROW_EQ(rows[i].name, cores_net(h, NET_CTR_IP_FRAGMENT), 0);
            if (!rows[i].loss)
                T_ROW_EQ(rows[i].name, cores_net(h, NET_CTR_REASM_FAILS), 0);
            end(w);
        }
    }
}

#define TESTS(X)                  \
    X(an_address_of_two_hosts)    \
    X(the_gateway_fails_over)     \
    X(packets_come_to_any_queue)  \
    X(answers_reach_their_opener) \
    X(a_device_with_another_key)  \
    X(cores_that_are_no_power_of_two) X(errors_on_the_wrong_core) X(fragments_meet)
T_MAIN("cores", TESTS)
