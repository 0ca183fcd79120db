/**
 * A path between two interfaces: frames from one come out at the other, later, some never, some out of order.
 * The kernel here has no netem. Single thread, packet sockets.
 *
 *     bench-path A B DELAY_US LOSS_PER_MILLION REORDER_PER_MILLION KBIT_S QUEUE_FRAMES
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAMES  65536u /* under way in one direction; a power of two */
#define FRAME_B 1600

struct frame {
    uint64_t at_ns;
    uint32_t len;
    uint8_t b[FRAME_B];
};

struct way {
    int from, to;
    struct frame *ring;
    uint32_t head, n;
    uint64_t free_ns; /* when the line is free again */
    uint64_t passed, lost, full;
};

static uint64_t delay_ns, kbit_s, queue;
static uint32_t loss, reorder;
static uint64_t seed = 88172645463325252ULL;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool chance(uint32_t per_million)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % 1000000 < per_million;
}

static int port(const char *name)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(name)};
    int size = 8 << 20, s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), one = 1;

    if (s < 0 || !at.sll_ifindex || bind(s, (struct sockaddr *)&at, sizeof(at)) < 0) {
        perror(name);
        exit(1);
    }
    setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    return s;
}

/* The frame behind the last takes its place in line; one that is held back waits a tenth longer. */
static void take(struct way *w, uint64_t now)
{
    struct frame *f = &w->ring[(w->head + w->n) & (FRAMES - 1)];
    ssize_t len = recv(w->from, f->b, FRAME_B, MSG_DONTWAIT);
    uint64_t takes;

    if (len <= 0)
        return;
    takes = kbit_s ? (uint64_t)len * 8000000 / kbit_s : 0;
    if (w->free_ns < now)
        w->free_ns = now;
    if (w->n == FRAMES - 1 || (kbit_s && (w->free_ns - now) > queue * 1500 * 8000000 / kbit_s)) {
        w->full++;
        return;
    }
    if (chance(loss)) {
        w->lost++;
        return;
    }
    w->free_ns += takes;
    f->at_ns = w->free_ns + delay_ns;
    f->len = (uint32_t)len;
    w->n++;
    if (w->n > 1 && chance(reorder)) { /* change places with the one in front */
        struct frame *g = &w->ring[(w->head + w->n - 2) & (FRAMES - 1)], swap;
        uint64_t at = f->at_ns;

        swap = *f;
        *f = *g;
        *g = swap;
        g->at_ns = f->at_ns;
        f->at_ns = at;
    }
}

static void give(struct way *w, uint64_t now)
{
    while (w->n && w->ring[w->head].at_ns <= now) {
        struct frame *f = &w->ring[w->head];

        if (send(w->to, f->b, f->len, MSG_DONTWAIT) >= 0)
            w->passed++;
        w->head = (w->head + 1) & (FRAMES - 1);
        w->n--;
    }
}

int main(int argc, char **argv)
{
    struct way w[2];

    if (argc != 8) {
        fprintf(
            stderr,
            "bench-path A B DELAY_US LOSS_PER_MILLION REORDER_PER_MILLION KBIT_S QUEUE_FRAMES\n");
        return 2;
    }
    memset(w, 0, sizeof(w));
    w[0].from = w[1].to = port(argv[1]);
    w[0].to = w[1].from = port(argv[2]);
    delay_ns = strtoull(argv[3], NULL, 0) * 1000;
    loss = (uint32_t)strtoul(argv[4], NULL, 0);
    reorder = (uint32_t)strtoul(argv[5], NULL, 0);
    kbit_s = strtoull(argv[6], NULL, 0);
    queue = strtoull(argv[7], NULL, 0);
    for (int i = 0; i < 2; i++) {
        w[i].ring = (struct frame *)calloc(FRAMES, sizeof(struct frame));
        if (!w[i].ring)
            return 1;
    }
    for (;;) {
        struct pollfd p[2] = {{w[0].from, POLLIN, 0}, {w[1].from, POLLIN, 0}};
        uint64_t now;

        if (w[0].n + w[1].n == 0)
            (void)poll(p, 2, 10);
        now = now_ns();
        for (int i = 0; i < 2; i++) {
            for (int k = 0; k < 16; k++)
                take(&w[i], now);
            give(&w[i], now);
        }
    }
}
