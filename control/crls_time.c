/* When a list is asked for again. */
#include "control/crls_parts.h"

#define MINUTE_MS  60000LL
#define HOUR_MS    (60 * MINUTE_MS)
#define DAY_MS     (24 * HOUR_MS)
#define SHORTEST_S 1000LL /* whatever is configured */

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* `left_s` until nextUpdate; INT64_MAX: there is none. Up to a tenth sooner, so that many do not come at once. */
int64_t crls_delay_ms(const struct pace *p, int64_t left_s, int64_t max_age_s, uint32_t dice)
{
    int64_t d = HOUR_MS;

    if (p->refresh_ms) {
        d = (int64_t)p->refresh_ms;
        if (d < SHORTEST_S)
            d = SHORTEST_S;
        return d - d / 10 * (dice % 1000) / 1000;
    }
    if (left_s != INT64_MAX)
        d = clamp(left_s, 0, 2 * DAY_MS / 1000) * 1000 / 2;
    if (max_age_s > 0 && max_age_s * 1000 < d)
        d = max_age_s * 1000;
    d = clamp(d, MINUTE_MS, DAY_MS);
    return d - d / 10 * (dice % 1000) / 1000;
}

/* Twice as long after each failure, up to an hour, a quarter more or less. */
int64_t crls_backoff_ms(const struct pace *p, uint32_t failures, uint32_t dice)
{
    int64_t first =
        p->refresh_ms ? clamp((int64_t)p->refresh_ms, SHORTEST_S, MINUTE_MS) : MINUTE_MS;
    uint32_t doublings = failures ? failures - 1 : 0;
    int64_t d = clamp(first << (doublings < 12 ? doublings : 12), SHORTEST_S, HOUR_MS);

    return d - d / 4 + d / 2 * (dice % 1000) / 1000;
}
