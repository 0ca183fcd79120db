#include "tcp/prefix.h"

#include "base/siphash.h"

#include <stdlib.h>

#define ROWS  2
#define SLOTS 8192u /* a power of two */

struct prefixes {
    struct sip_key key; /* Secret: who can collide with whom must not be known */
    uint32_t n[PREFIX_KINDS][ROWS][SLOTS];
};

res prefixes_new(const struct sip_key *key, struct prefixes **out)
{
    *out = (struct prefixes *)calloc(1, sizeof(**out));
    if (!*out)
        return ERR(NOMEM);
    (*out)->key = *key;
    return OK;
}

void prefixes_free(struct prefixes *p)
{
    free(p);
}

/* Both rows' slots of an address's prefix: /24 of IPv4, /56 of IPv6. */
static void slots_of(const struct prefixes *p, const struct ip_addr *a, uint32_t at[ROWS])
{
    uint64_t h = siphash13(&p->key, a->b, ip_is_v4(a) ? 15 : 7);

    at[0] = (uint32_t)h & (SLOTS - 1);
    at[1] = (uint32_t)(h >> 32) & (SLOTS - 1);
}

uint32_t prefix_count(const struct prefixes *p, enum prefix_kind kind, const struct ip_addr *a)
{
    uint32_t at[ROWS], x, y;

    slots_of(p, a, at);
    x = p->n[kind][0][at[0]];
    y = p->n[kind][1][at[1]];
    return x < y ? x : y;
}

void prefix_add(struct prefixes *p, enum prefix_kind kind, const struct ip_addr *a, int n)
{
    uint32_t at[ROWS];

    slots_of(p, a, at);
    for (int r = 0; r < ROWS; r++)
        p->n[kind][r][at[r]] += (uint32_t)n;
}
