#include "packetdrill/so.h"

#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HAND_US 300 /* real time given to other threads when virtual time is about to jump */

/* --- time --- */

void so_turn_begin(struct so *so)
{
    if (so->t)
        tcp_begin(so->t, so->now_ns);
}

void so_turn_end(struct so *so)
{
    if (!so->t)
        return;
    tcp_timers(so->t);
    tcp_upcalls(so->t);
    tcp_flush(so->t);
    tcp_begin(so->t, so->now_ns);
    pthread_cond_broadcast(&so->changed);
}

/* Threads that wait in a call, or are on their way into one, shall see each moment. */
static void hand_over(struct so *so)
{
    pthread_mutex_unlock(&so->lock);
    usleep(HAND_US);
    pthread_mutex_lock(&so->lock);
}

void so_run(struct so *so, uint64_t until_ns, bool packet)
{
    hand_over(so);
    while (!(packet && so->out_n)) {
        uint64_t d = so->t ? tcp_next_deadline(so->t) : UINT64_MAX;

        if (d <= so->now_ns)
            d = so->now_ns + SO_LOOK_NS;
        if (d > until_ns) {
            if (until_ns > so->now_ns)
                so->now_ns = until_ns;
            so_turn_begin(so);
            break;
        }
        so->now_ns = d;
        so_turn_begin(so);
        so_turn_end(so);
        if (so->waiting)
            hand_over(so);
    }
    pthread_cond_broadcast(&so->changed);
}

bool so_block(struct so *so, bool (*ready)(struct sock *k), struct sock *k, int timeout_ms)
{
    uint64_t end = timeout_ms < 0 ? UINT64_MAX : so->now_ns + (uint64_t)timeout_ms * 1000000;

    so->waiting++;
    while (!(k && ready(k)) && so->now_ns < end) {
        uint64_t before = so->now_ns;
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_cond_timedwait(&so->changed, &so->lock, &until) != 0 && so->now_ns == before) {
            uint64_t step =
                so->now_ns + 10000000; /* nobody else moves the clock: this thread does */

            so_run(so, step < end ? step : end, false);
        }
        if (!k) /* the caller looks for itself */
            break;
    }
    so->waiting--;
    return k ? ready(k) : so->now_ns < end;
}

/* --- the world of the stack --- */

static bool route(void *ctx, const struct ip_addr *dst, struct ip_addr *src, uint16_t *mtu)
{
    struct so *so = (struct so *)ctx;

    if (ip_is_any(src))
        *src = ip_is_v4(dst) ? so->local4 : so->local6;
    *mtu = so->mtu;
    return true;
}

/* A host's setting, as a script's init command has just made it. */
static bool sysctl(const char *name, unsigned *out, unsigned field)
{
    char path[96];
    unsigned v[3] = {0};
    FILE *f;
    int n;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
    f = fopen(path, "r");
    if (!f)
        return false;
    n = fscanf(f, "%u %u %u", &v[0], &v[1], &v[2]);
    fclose(f);
    *out = v[field];
    return n > (int)field;
}

void so_settings(struct so *so)
{
    struct tcp_settings *s = &so->t->set;
    unsigned v;

    if (so->settled)
        return;
    so->settled = true;
    if (sysctl("tcp_timestamps", &v, 0))
        s->timestamps = s->timestamps && v;
    if (sysctl("tcp_sack", &v, 0))
        s->sack = s->sack && v;
    if (sysctl("tcp_window_scaling", &v, 0))
        s->window_scaling = s->window_scaling && v;
    if (sysctl("tcp_ecn", &v, 0))
        s->ecn = s->ecn || v == 1;
    if (sysctl("tcp_syn_retries", &v, 0))
        s->syn_retries = v;
}

/* packetdrill's own --mtu, which it tells its device and nobody else. */
static void mtu_of_program(struct so *so)
{
    FILE *f = fopen("/proc/self/cmdline", "r");
    char words[4096] = {0};
    size_t n = f ? fread(words, 1, sizeof(words) - 1, f) : 0;

    for (char *w = words; w < words + n; w += strlen(w) + 1) {
        if (strncmp(w, "--mtu=", 6) == 0 && atoi(w + 6) >= 576)
            so->mtu = (uint16_t)atoi(w + 6);
    }
    if (f)
        fclose(f);
}

static void flag(struct so *so, const char *name, const char *value)
{
    struct ip_addr a;

    if (strcmp(name, "notso") == 0)
        so->tso = false;
    else if (strcmp(name, "ecn") == 0)
        so->set.ecn = true;
    else if (strcmp(name, "notimestamps") == 0)
        so->set.timestamps = false;
    else if (strcmp(name, "nosack") == 0)
        so->set.sack = false;
    else if (strcmp(name, "mtu") == 0)
        so->mtu = (uint16_t)atoi(value);
    else if (strcmp(name, "rcvbuf_max") == 0)
        so->set.rcvbuf_max_b = (uint32_t)atoi(value);
    else if (strcmp(name, "local") == 0 && IS_OK(ip_parse(span_of(value, strlen(value)), &a)))
        *(ip_is_v4(&a) ? &so->local4 : &so->local6) = a;
}

static void flags(struct so *so, const char *text)
{
    char copy[256], *save = NULL;

    snprintf(copy, sizeof(copy), "%s", text ? text : "");
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(w, '=');

        if (eq)
            *eq++ = 0;
        flag(so, w, eq ? eq : "");
    }
}

struct so *so_new(const char *text)
{
    struct so *so = (struct so *)calloc(1, sizeof(*so));
    struct tcp_env env = {.output = so_output, .route = route};
    struct timespec now;

    MUST(so);
    pthread_mutex_init(&so->lock, NULL);
    pthread_cond_init(&so->changed, NULL);
    so->out = (struct packet *)calloc(SO_PACKETS, sizeof(struct packet));
    tcp_settings_default(&so->set);
    /* What scripts for Linux are written against: buffers up to 15 MB (a shift of 8), patience of hosts. */
    so->set.conns_max = so->set.reqs_max = so->set.tw_max = 4096;
    so->set.rcvbuf_max_b = 15 << 20;
    so->set.sndbuf_max_b = 4 << 20;
    so->set.syn_retries = 5;
    so->set.user_timeout_ms = 900000;
    so->set.keep_idle_ms = 7200000;
    so->mtu = 1500;
    so->tso = true;
    so->local4 = ip_v4(0xc0a80001);
    so->local6 = (struct ip_addr){{0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d, [15] = 1}};
    mtu_of_program(so);
    flags(so, text);
    clock_gettime(CLOCK_REALTIME, &now);
    so->now_ns = (uint64_t)now.tv_sec * 1000000000ULL;
    so->pool.cap = 1000000;
    rng_init_u64(&so->rng, 1);
    env.ctx = so;
    env.pool = &so->pool;
    env.rng = &so->rng;
    MUST(IS_OK(tcp_new(&so->set, &env, so->now_ns, &so->t)));
    return so;
}
