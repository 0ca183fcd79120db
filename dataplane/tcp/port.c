#include "base/must.h"
#include "tcp/internal.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Local ports of outgoing connections (RFC 6056): for each (source, destination) a list of those whose
 * replies reach this core, shuffled once, taken at random near the front and given back at the end.
 * So choosing is O(1), exhaustion is known exactly, and two cores can never choose the same tuple. */

#define LISTS_MAX  1024u
#define LIST_PORTS 65536u
#define FRONT      64u

struct port_list {
    struct ip_addr laddr;
    struct endpoint remote;
    uint16_t *ring; /* LIST_PORTS of them */
    uint32_t head, count;
};

struct tcp_ports {
    uint32_t used;
    struct port_list lists[LISTS_MAX];
};

res tcp_ports_new(struct tcp *t, struct tcp_ports **out)
{
    (void)t;
    *out = (struct tcp_ports *)calloc(1, sizeof(struct tcp_ports));
    return *out ? OK : ERR(NOMEM);
}

void tcp_ports_free(struct tcp_ports *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->used; i++)
        munmap(p->lists[i].ring, LIST_PORTS * sizeof(uint16_t));
    free(p);
}

static struct port_list *find(struct tcp_ports *p, const struct ip_addr *laddr,
                              const struct endpoint *remote)
{
    for (uint32_t i = 0; i < p->used; i++) {
        struct port_list *l = &p->lists[i];

        if (l->remote.port == remote->port && ip_eq(&l->remote.addr, &remote->addr) &&
            ip_eq(&l->laddr, laddr))
            return l;
    }
    return NULL;
}

static bool listens_on(const struct tcp *t, uint16_t port)
{
    for (int i = 0; i < TCP_LISTENERS_MAX; i++) {
        if (t->listeners[i].used && t->listeners[i].local.port == port)
            return true;
    }
    return false;
}

static uint16_t *slot(struct port_list *l, uint32_t i)
{
    return &l->ring[(l->head + i) % LIST_PORTS];
}

static void shuffle(struct tcp *t, struct port_list *l)
{
    for (uint32_t i = l->count; i > 1; i--) {
        uint32_t j = rng_below(t->env.rng, i);
        uint16_t swap = *slot(l, i - 1);

        *slot(l, i - 1) = *slot(l, j);
        *slot(l, j) = swap;
    }
}

/* All ports that could be ours, but those we listen on. */
static void fill(const struct tcp *t, struct port_list *l, struct tcp_tuple *tuple)
{
    uint16_t taken[TCP_LISTENERS_MAX];
    int n = 0;

    for (int i = 0; i < TCP_LISTENERS_MAX; i++) {
        if (t->listeners[i].used)
            taken[n++] = t->listeners[i].local.port;
    }
    for (uint32_t port = t->set.port_lo; port <= t->set.port_hi; port++) {
        int k = 0;

        tuple->lport = (uint16_t)port;
        while (k < n && taken[k] != port)
            k++;
        if (k == n && (!t->env.owns || t->env.owns(t->env.ctx, tuple)))
            l->ring[l->count++] = tuple->lport;
    }
}

/* Once per destination: about a millisecond. */
static struct port_list *make(struct tcp *t, const struct ip_addr *laddr,
                              const struct endpoint *remote)
{
    struct tcp_ports *p = t->ports;
    struct port_list *l = &p->lists[p->used];
    struct tcp_tuple tuple;
    void *ring;

    if (p->used == LISTS_MAX)
        return NULL;
    ring = mmap(NULL, LIST_PORTS * sizeof(uint16_t), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED)
        return NULL;
    memset(&tuple, 0, sizeof(tuple));
    tuple.laddr = *laddr;
    tuple.raddr = remote->addr;
    tuple.rport = remote->port;
    *l = (struct port_list){*laddr, *remote, (uint16_t *)ring, 0, 0};
    fill(t, l, &tuple);
    shuffle(t, l);
    p->used++;
    return l;
}

/* RFC 6191: an own TIME_WAIT may be given up when time stamps keep the incarnations apart. */
static uint16_t from_time_wait(struct tcp *t, const struct ip_addr *laddr,
                               const struct endpoint *remote)
{
    uint32_t link = t->tw_fifo.head,
             life = tcp_tick_after_us(t, (uint64_t)t->set.time_wait_ms * 1000);

    for (uint32_t n = 0; link && n < 2 * FRONT; n++) {
        struct tcp_tw *w = (struct tcp_tw *)pool_at(&t->tws, link - 1);
        uint32_t age = life - w->expiry; /* ticks since it began */

        if (age < (1000u * 1000000u >> WHEEL_TICK_SHIFT))
            return 0; /* in order of age: the rest is younger */
        if (w->ts_off && w->tuple.rport == remote->port && ip_eq(&w->tuple.raddr, &remote->addr) &&
            ip_eq(&w->tuple.laddr, laddr)) {
            uint16_t port = w->tuple.lport;

            tcp_count(t, TCP_CTR_TW_RECYCLED);
            tcp_tw_remove(t, w);
            return port;
        }
        link = w->next;
    }
    return 0;
}

uint16_t tcp_port_get(struct tcp *t, const struct ip_addr *laddr, const struct endpoint *remote)
{
    struct port_list *l = find(t->ports, laddr, remote);
    uint32_t i;
    uint16_t port;

    if (!l)
        l = make(t, laddr, remote);
    if (l && l->count == 0)
        (void)from_time_wait(t, laddr, remote); /* gives it back to the list */
    if (!l || l->count == 0) {
        tcp_at_bound(t, TCP_CTR_NO_PORT, BOUND_PORTS, &remote->addr);
        return 0;
    }
    i = rng_below(t->env.rng, l->count < FRONT ? l->count : FRONT);
    port = *slot(l, i);
    *slot(l, i) = *slot(l, 0);
    l->head = (l->head + 1) % LIST_PORTS;
    l->count--;
    return port;
}

void tcp_port_put(struct tcp *t, const struct tcp_tuple *tuple)
{
    struct endpoint remote = {tuple->raddr, tuple->rport};
    struct port_list *l = find(t->ports, &tuple->laddr, &remote);

    if (!l || tuple->lport < t->set.port_lo || tuple->lport > t->set.port_hi ||
        listens_on(t, tuple->lport) || !SHOULD(l->count < LIST_PORTS))
        return;
    *slot(l, l->count) = tuple->lport;
    l->count++;
}

uint32_t tcp_ports_least(const struct tcp *t)
{
    uint32_t least = UINT32_MAX;

    for (uint32_t i = 0; i < t->ports->used; i++) {
        if (t->ports->lists[i].count < least)
            least = t->ports->lists[i].count;
    }
    return least;
}
