/**
 * Requests that wait for what an OCSP responder says of their client's certificate: parked, with a deadline, while
 * the core does other work. The question went to the control side with the verdict; an answer moves the table's
 * version, and then those who wait are judged again, some in each turn.
 */
#include "base/must.h"
#include "proxy/internal.h"

#define TURN_HELD 32u /* judged again in one turn */

void px_hold(struct px_req *r)
{
    struct px *px = r->px;
    const struct trust *trust = snap_trust_at(r->snap, r->location->cert.trust);

    if (r->state == PX_RQ_HOLD)
        return; /* still: its deadline stands */
    r->state = PX_RQ_HOLD;
    r->held_ns = px->now_ns;
    r->prev_held = NULL;
    r->next_held = px->held;
    if (px->held)
        px->held->prev_held = r;
    px->held = r;
    px->held_count++;
    px_count(px, PX_CTR_OCSP_HELD);
    px_arm(px, &r->client->timer, trust ? trust_ocsp(trust)->timeout_ms : 1);
}

void px_unhold(struct px_req *r)
{
    struct px *px = r->px;

    if (r->state != PX_RQ_HOLD)
        return;
    if (px->held_at == r)
        px->held_at = r->next_held;
    if (r->prev_held)
        r->prev_held->next_held = r->next_held;
    else
        px->held = r->next_held;
    if (r->next_held)
        r->next_held->prev_held = r->prev_held;
    px->held_count--;
    r->state = PX_RQ_CONNECT;
    ctr_add(&px->ctr[PX_CTR_OCSP_HELD_US], (px->now_ns - r->held_ns) / 1000);
    px_disarm(px, &r->client->timer);
}

void px_hold_over(struct px_req *r)
{
    px_count(r->px, PX_CTR_OCSP_LATE);
    r->late = true;
    px_req_judge(r);
}

void px_ocsp(struct px *px)
{
    uint64_t version, worse;

    if (!px->env.ocsp)
        return;
    version = ocsp_table_version(px->env.ocsp);
    if (version != px->ocsp_version && !px->held_at) {
        px->ocsp_version = version;
        px->held_at = px->held;
        worse = ocsp_table_worse(px->env.ocsp);
        if (worse != px->ocsp_worse)
            px_sweep_more(px);
        px->ocsp_worse = worse;
    }
    for (uint32_t n = 0; px->held_at && n < TURN_HELD; n++) {
        struct px_req *r = px->held_at;

        px->held_at = r->next_held; /* it may be gone, and px_unhold() moves it on, too */
        px_req_judge(r);
    }
}
