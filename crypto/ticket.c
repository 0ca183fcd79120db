#include "crypto/ticket.h"

#include "crypto/secret.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/sha256.h>

/* out = SHA-256(chain | label): the chain is 32 secret random bytes, so this is a one-way step. */
static void derive(const uint8_t chain[TICKET_SEED_B], const char *label, uint8_t out[32])
{
    wc_Sha256 h;

    wc_InitSha256(&h);
    wc_Sha256Update(&h, chain, TICKET_SEED_B);
    wc_Sha256Update(&h, (const uint8_t *)label, (uint32_t)strlen(label));
    wc_Sha256Final(&h, out);
    wc_Sha256Free(&h);
    secret_wipe(&h, sizeof(h));
}

static void next_key(struct tickets *t)
{
    uint8_t next[TICKET_SEED_B], name[32];

    derive(t->chain, "key", t->now.key);
    derive(t->chain, "name", name);
    derive(t->chain, "next", next);
    memcpy(t->now.name, name, TICKET_NAME_B);
    memcpy(t->chain, next, TICKET_SEED_B);
    secret_wipe(next, sizeof(next));
}

void tickets_init(struct tickets *t, const uint8_t seed[TICKET_SEED_B], int64_t start_s)
{
    memset(t, 0, sizeof(*t));
    memcpy(t->chain, seed, TICKET_SEED_B);
    t->epoch = start_s / TICKET_EPOCH_S;
    next_key(t);
}

void tickets_fini(struct tickets *t)
{
    secret_wipe(t, sizeof(*t));
}

void tickets_tick(struct tickets *t, int64_t now_s)
{
    int64_t epoch = now_s / TICKET_EPOCH_S;

    for (int i = 0; i < 3 && t->epoch < epoch; i++) {
        t->before = t->now;
        t->has_before = true;
        next_key(t);
        t->epoch++;
    }
}

static bool run_gcm(bool seal, const struct ticket_key *k, const uint8_t nonce[TICKET_NONCE_B],
                    uint8_t *text, size_t len, uint8_t tag[TICKET_TAG_B])
{
    Aes aes;
    int r = wc_AesInit(&aes, NULL, INVALID_DEVID);

    if (r == 0)
        r = wc_AesGcmSetKey(&aes, k->key, sizeof(k->key));
    if (r == 0 && seal)
        r = wc_AesGcmEncrypt(&aes, text, text, (uint32_t)len, nonce, TICKET_NONCE_B, tag,
                             TICKET_TAG_B, k->name, TICKET_NAME_B);
    else if (r == 0)
        r = wc_AesGcmDecrypt(&aes, text, text, (uint32_t)len, nonce, TICKET_NONCE_B, tag,
                             TICKET_TAG_B, k->name, TICKET_NAME_B);
    wc_AesFree(&aes);
    return r == 0;
}

bool ticket_seal(const struct tickets *t, uint8_t name[TICKET_NAME_B],
                 const uint8_t nonce[TICKET_NONCE_B], uint8_t *text, size_t len,
                 uint8_t tag[TICKET_TAG_B])
{
    memcpy(name, t->now.name, TICKET_NAME_B);
    return run_gcm(true, &t->now, nonce, text, len, tag);
}

bool ticket_open(const struct tickets *t, const uint8_t name[TICKET_NAME_B],
                 const uint8_t nonce[TICKET_NONCE_B], uint8_t *text, size_t len,
                 const uint8_t tag[TICKET_TAG_B])
{
    const struct ticket_key *k = NULL;
    uint8_t copy[TICKET_TAG_B];

    if (memcmp(name, t->now.name, TICKET_NAME_B) == 0)
        k = &t->now;
    else if (t->has_before && memcmp(name, t->before.name, TICKET_NAME_B) == 0)
        k = &t->before;
    if (!k)
        return false;
    memcpy(copy, tag, TICKET_TAG_B);
    return run_gcm(false, k, nonce, text, len, copy);
}
