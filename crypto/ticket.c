#include "crypto/ticket.h"

#include "crypto/pem.h"
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

/* --- keys that are given --- */

static int nibble(uint8_t c)
{
    c = ascii_lower(c);
    return ascii_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool add_key(struct ticket_set *set, struct span hex)
{
    uint8_t secret[TICKET_SEED_B], name[32];
    struct ticket_key *k = &set->k[set->n];

    if (hex.len != 2 * sizeof(secret))
        return false;
    for (size_t i = 0; i < sizeof(secret); i++) {
        if (nibble(hex.p[2 * i]) < 0 || nibble(hex.p[2 * i + 1]) < 0)
            return false;
        secret[i] = (uint8_t)(nibble(hex.p[2 * i]) << 4 | nibble(hex.p[2 * i + 1]));
    }
    derive(secret, "key", k->key);
    derive(secret, "name", name);
    memcpy(k->name, name, TICKET_NAME_B);
    secret_wipe(secret, sizeof(secret));
    set->n++;
    return true;
}

static struct span line_of(struct span text)
{
    struct span line = span_first(text, span_find(text, '\n'));

    line = span_trim(span_first(line, span_find(line, '#')));
    if (line.len && line.p[line.len - 1] == '\r')
        line.len--;
    return span_trim(line);
}

res ticket_set_parse(struct span text, const char *file, struct report *report,
                     struct ticket_set *out)
{
    const char *wrong = NULL;
    int at = 1;

    memset(out, 0, sizeof(*out));
    for (; text.len && !wrong; at++, text = span_from(text, span_find(text, '\n') + 1)) {
        struct span line = line_of(text);

        if (line.len && out->n == TICKET_KEYS_MAX)
            wrong = "more than 4 ticket keys";
        else if (line.len && !add_key(out, line))
            wrong = "a ticket key is a line of 64 hex digits"; /* what stands there is a secret */
    }
    if (!wrong && out->n == 0)
        wrong = "there is no ticket key in it";
    if (!wrong)
        return OK;
    report_add(report, REPORT_ERROR, file, at - 1, "make one: openssl rand -hex 32", "%s", wrong);
    secret_wipe(out, sizeof(*out));
    return ERR(INVALID);
}

res ticket_set_load(const char *file, struct report *report, struct ticket_set *out)
{
    struct arena a;
    struct span text;
    res r;

    arena_init(&a);
    r = pem_read(&a, file, report, &text);
    if (IS_OK(r)) {
        r = ticket_set_parse(text, file, report, out);
        secret_wipe((void *)(uintptr_t)text.p, text.len);
    }
    arena_fini(&a);
    return r;
}

void tickets_use(struct tickets *t, const struct ticket_set *set)
{
    t->given = *set;
}

static const struct ticket_key *find(const struct tickets *t, const uint8_t name[TICKET_NAME_B])
{
    for (uint32_t i = 0; i < t->given.n; i++) {
        if (memcmp(name, t->given.k[i].name, TICKET_NAME_B) == 0)
            return &t->given.k[i];
    }
    if (memcmp(name, t->now.name, TICKET_NAME_B) == 0)
        return &t->now;
    if (t->has_before && memcmp(name, t->before.name, TICKET_NAME_B) == 0)
        return &t->before;
    return NULL;
}

bool ticket_seal(const struct tickets *t, uint8_t name[TICKET_NAME_B],
                 const uint8_t nonce[TICKET_NONCE_B], uint8_t *text, size_t len,
                 uint8_t tag[TICKET_TAG_B])
{
    const struct ticket_key *k = t->given.n ? &t->given.k[0] : &t->now;

    memcpy(name, k->name, TICKET_NAME_B);
    return run_gcm(true, k, nonce, text, len, tag);
}

bool ticket_open(const struct tickets *t, const uint8_t name[TICKET_NAME_B],
                 const uint8_t nonce[TICKET_NONCE_B], uint8_t *text, size_t len,
                 const uint8_t tag[TICKET_TAG_B])
{
    const struct ticket_key *k = find(t, name);
    uint8_t copy[TICKET_TAG_B];

    if (!k)
        return false;
    memcpy(copy, tag, TICKET_TAG_B);
    return run_gcm(false, k, nonce, text, len, copy);
}
