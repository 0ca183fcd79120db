#include "config/cfg_near.h"

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

/* Optimal string alignment: row by row, the two rows before are enough. Case does not count. */
unsigned cfg_distance(const char *a, const char *b)
{
    unsigned rows[3][CFG_NEAR_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);
    unsigned *two = rows[0], *one = rows[1], *now = rows[2];

    if (la > CFG_NEAR_MAX || lb > CFG_NEAR_MAX)
        return UINT32_MAX;
    memset(two, 0, sizeof(rows[0]));
    for (size_t j = 0; j <= lb; j++)
        one[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *old = two;

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            uint8_t ca = ascii_lower((uint8_t)a[i - 1]), cb = ascii_lower((uint8_t)b[j - 1]);

            now[j] = min3(one[j] + 1, now[j - 1] + 1, one[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == ascii_lower((uint8_t)b[j - 2]) &&
                cb == ascii_lower((uint8_t)a[i - 2]) && two[j - 2] + 1 < now[j])
                now[j] = two[j - 2] + 1;
        }
        two = one;
        one = now;
        now = old;
    }
    return one[lb];
}

void cfg_near_try(struct cfg_near *n, const char *candidate)
{
    unsigned d = cfg_distance(n->word, candidate);
    size_t len = strlen(candidate);

    if (d > 1 + len / 4) /* "cert" may differ in two places, "a" in one */
        return;
    if (!n->best || d < n->distance) {
        n->best = candidate;
        n->distance = d;
    }
}

const char *cfg_near_hint(const struct cfg_near *n, struct sb *out)
{
    if (!n->best)
        return NULL;
    sb_fmt(out, "did you mean \"%s\"?", n->best);
    return out->p;
}
