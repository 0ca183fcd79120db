/**
 * Handshakes that wait for what an OCSP responder says of the peer's certificate: nothing more of them is read, and
 * the core does other work. The question went to the control side with the verdict; an answer moves the table's
 * version, and then those who wait are judged again.
 */
#include "base/must.h"
#include "tls/conn.h"

#define TURN_PARKED 16u /* looked at in one turn */

void tls_park(struct tls_conn *c, const struct trust *trust)
{
    struct tls_core *tc = c->core;

    if (!SHOULD(!c->parked))
        return;
    c->parked = true;
    c->park_version = ocsp_table_version(tc->args.ocsp);
    c->park_until_ns = tc->now_ns + (uint64_t)trust_ocsp(trust)->timeout_ms * 1000000u;
    c->prev_parked = NULL;
    c->next_parked = tc->parked;
    if (tc->parked)
        tc->parked->prev_parked = c;
    tc->parked = c;
    tls_count(tc, TLS_CTR_PARKED);
}

void tls_unpark(struct tls_conn *c)
{
    struct tls_core *tc = c->core;

    if (!c->parked)
        return;
    c->parked = false;
    if (tc->park_at == c)
        tc->park_at = c->next_parked;
    if (c->prev_parked)
        c->prev_parked->next_parked = c->next_parked;
    else
        tc->parked = c->next_parked;
    if (c->next_parked)
        c->next_parked->prev_parked = c->prev_parked;
}

static bool due(const struct tls_conn *c)
{
    return c->core->now_ns >= c->park_until_ns ||
           c->park_version != ocsp_table_version(c->core->args.ocsp);
}

bool tls_park_over(struct tls_conn *c)
{
    bool late = c->core->now_ns >= c->park_until_ns, refused;

    if (!due(c))
        return false;
    c->park_version = ocsp_table_version(c->core->args.ocsp);
    if ((c->server ? tls_server_judge(c, late, &refused) : tls_client_judge(c, late, &refused)) &&
        !late)
        return false;
    tls_unpark(c);
    if (late)
        tls_count(c->core, TLS_CTR_PARKED_LATE);
    if (!refused)
        return true;
    tls_conn_send_alert(c, verdict_alert((enum verdict_code)c->verdict));
    tls_conn_fail(c, TLS_WHY_CERT);
    return false;
}

void tls_park_turn(struct tls_core *tc)
{
    for (uint32_t n = 0; n < TURN_PARKED && tc->parked; n++) {
        struct tls_conn *c = tc->park_at ? tc->park_at : tc->parked;

        tc->park_at = c->next_parked;
        if (due(c))
            stream_again(c->lower);
        if (!tc->park_at)
            break; /* each once */
    }
}
