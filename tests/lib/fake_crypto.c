#include "lib/fake_crypto.h"

#include "base/siphash.h"
#include "crypto/ca_names.h"
#include "crypto/crl_learn.h"
#include "crypto/identity.h"
#include "crypto/ticket.h"
#include "crypto/tls_ctx.h"
#include "crypto/trust.h"

#include <stdio.h>
#include <stdlib.h>

struct fake_crypto fake_crypto;

struct trust {
    uint32_t refs;
    char name[256];
    uint8_t id[32], plain_id[32];
    bool later, learns;
    uint32_t lists;
};

struct crl {
    uint32_t refs, count;
    char issuer[32];
    int number;
    long long this_s, next_s;
    uint8_t id[32];
};

struct identity {
    uint32_t refs;
    char name[64];
    uint8_t hash[32];
    struct staple *staple;
};

struct tls_profile {
    uint32_t refs;
    uint8_t hash[32];
    struct tls_profile *next;
};

static struct tls_profile *dead;

static void mix(uint8_t id[32], const void *p, size_t len)
{
    for (uint64_t i = 0; i < 4; i++) {
        struct sip_key key = {i, 0};
        uint64_t h;

        memcpy(&key.k1, id + i * 8, 8);
        h = siphash24(&key, p, len);
        memcpy(id + i * 8, &h, 8);
    }
}

/* The content goes into the id; a file that says "bad" is one. */
static bool take_file(uint8_t id[32], const char *file, struct report *report)
{
    char text[4096];
    FILE *f = fopen(file, "r");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

    text[n] = '\0';
    if (f)
        fclose(f);
    fake_crypto.files_read++;
    mix(id, text, n);
    if (!f || strstr(text, "bad")) {
        report_add(report, REPORT_ERROR, file, 1, NULL, "fake: this file is bad");
        return false;
    }
    return true;
}

/* The library's hooks, so that the linker does not take ours with all that hangs on it. */
const unsigned char *sallyport_ca_names(struct WOLFSSL *ssl, unsigned short *len)
{
    (void)ssl;
    *len = 0;
    return NULL;
}

int sallyport_random_block(unsigned char *out, unsigned int len);

int sallyport_random_block(unsigned char *out, unsigned int len)
{
    memset(out, 7, len);
    return 0;
}

/* --- trust --- */

res trust_load(const struct trust_source *src, struct report *report, struct trust **out)
{
    struct trust *t = (struct trust *)calloc(1, sizeof(*t));
    bool good = true;

    if (!t)
        return ERR(NOMEM);
    snprintf(t->name, sizeof(t->name), "%s", src->name);
    for (size_t i = 0; i < src->anchor_count; i++)
        good &= take_file(t->id, src->anchor_files[i], report);
    mix(t->id, "|", 1);
    for (size_t i = 0; i < src->intermediate_count; i++)
        good &= take_file(t->id, src->intermediate_files[i], report);
    mix(t->id, &src->partial_chain, sizeof(bool));
    mix(t->id, &src->anchor_expiry, sizeof(bool));
    mix(t->id, &src->crl_later, sizeof(bool));
    memcpy(t->plain_id, t->id, 32);
    t->later = src->crl_later;
    t->learns = src->crl_later && src->crl_rules.learn;
    if (!good) {
        free(t);
        return ERR(FAIL);
    }
    t->refs = 1;
    fake_crypto.trusts++;
    *out = t;
    return OK;
}

struct trust *trust_ref(struct trust *t)
{
    t->refs++;
    return t;
}

void trust_unref(struct trust *t)
{
    if (--t->refs == 0) {
        fake_crypto.trusts--;
        free(t);
    }
}

const uint8_t *trust_id(const struct trust *t)
{
    return t->id;
}

const char *trust_name(const struct trust *t)
{
    return t->name;
}

const struct trust_entry *trust_by_subject(const struct trust *t, struct span name, uint32_t *it)
{
    (void)t, (void)name, (void)it;
    return NULL;
}

const struct ocsp_policy *trust_ocsp(const struct trust *t)
{
    static const struct ocsp_policy off;

    (void)t;
    return &off;
}

uint32_t fake_trust_lists(const struct trust *t)
{
    return t->later ? t->lists : UINT32_MAX;
}

bool trust_learns(const struct trust *t)
{
    return t->learns;
}

bool crl_path_ok(const struct trust *t, const struct cert *path, uint32_t n, int64_t now_s,
                 struct memo *memo)
{
    (void)t, (void)path, (void)n, (void)now_s, (void)memo;
    return !fake_crypto.path_bad;
}

res trust_with_lists(struct trust *t, struct crl *const *lists, size_t count,
                     const struct cert *const *cas, size_t ca_count, struct trust **out)
{
    struct trust *with;

    (void)cas, (void)ca_count;
    if (count == 0 && t->lists == 0) {
        *out = trust_ref(t);
        return OK;
    }
    with = (struct trust *)malloc(sizeof(*with));
    if (!with)
        return ERR(NOMEM);
    *with = *t;
    with->refs = 1;
    with->lists = (uint32_t)count;
    memcpy(with->id, with->plain_id, 32);
    for (size_t i = 0; i < count; i++)
        mix(with->id, lists[i]->id, 32);
    fake_crypto.trusts++;
    *out = with;
    return OK;
}

/* --- lists --- */

/* "crl ISSUER NUMBER THIS NEXT COUNT", one a line; nobody has signed those of "stranger". */
res revocation_read(const struct revocation_signers *signers, struct span text, struct sb *why,
                    struct crl **lists, size_t max, size_t *count)
{
    char copy[4096], *save = NULL;

    (void)max;
    fake_crypto.cas = (uint32_t)signers->ca_count;
    *count = 0;
    snprintf(copy, sizeof(copy), "%.*s", (int)text.len, text.len ? (const char *)text.p : "");
    for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        struct crl *c = (struct crl *)calloc(1, sizeof(*c));

        c->refs = 1;
        fake_crypto.crls++;
        lists[(*count)++] = c;
        mix(c->id, l, strlen(l));
        if (sscanf(l, "crl %31s %d %lld %lld %u", c->issuer, &c->number, &c->this_s, &c->next_s,
                   &c->count) != 5 ||
            strcmp(c->issuer, "stranger") == 0 || signers->set_count == 0) {
            sb_str(why, "fake: no list");
            while (*count)
                crl_unref(lists[--*count]);
            return ERR(INVALID);
        }
    }
    return OK;
}

struct crl *crl_ref(struct crl *c)
{
    c->refs++;
    return c;
}

void crl_unref(struct crl *c)
{
    if (--c->refs == 0) {
        fake_crypto.crls--;
        free(c);
    }
}

const uint8_t *crl_id(const struct crl *c)
{
    return c->id;
}

uint32_t crl_count(const struct crl *c)
{
    return c->count;
}

int64_t crl_next_s(const struct crl *c)
{
    return c->next_s;
}

int64_t crl_this_s(const struct crl *c)
{
    return c->this_s;
}

bool crl_same_scope(const struct crl *a, const struct crl *b)
{
    return strcmp(a->issuer, b->issuer) == 0;
}

bool crl_older(const struct crl *a, const struct crl *b)
{
    return a->number < b->number || a->this_s < b->this_s;
}

size_t crl_points(struct span extension, struct span *urls, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; extension.len && i < ARRAY_LEN(fake_crypto.points) && n < max; i++) {
        if (fake_crypto.points[i])
            urls[n++] = span_str(fake_crypto.points[i]);
    }
    return n;
}

uint32_t trust_entry_count(const struct trust *t)
{
    (void)t;
    return 0;
}

const struct trust_entry *trust_entry_at(const struct trust *t, uint32_t index)
{
    (void)t, (void)index;
    return NULL;
}

const struct allow *trust_direct(const struct trust *t)
{
    (void)t;
    return NULL;
}

void ca_names_add_trust(struct ca_names *n, const struct trust *t)
{
    (void)n, (void)t;
}

res ca_names_add_files(struct ca_names *n, const char *const *files, size_t count,
                       struct report *report)
{
    (void)n, (void)files, (void)count, (void)report;
    return OK;
}

res ticket_set_parse(struct span text, const char *file, struct report *report,
                     struct ticket_set *out)
{
    (void)text, (void)file, (void)report;
    out->n = 1;
    return OK;
}

res ticket_set_load(const char *file, struct report *report, struct ticket_set *out)
{
    (void)file, (void)report;
    out->n = 1;
    return OK;
}

/* --- identities --- */

res identity_load(const struct identity_source *src, int64_t now_s, struct report *report,
                  struct identity **out)
{
    struct identity *id = (struct identity *)calloc(1, sizeof(*id));
    bool good;

    (void)now_s;
    if (!id)
        return ERR(NOMEM);
    snprintf(id->name, sizeof(id->name), "%s", src->name);
    good = take_file(id->hash, src->cert_file, report);
    good &= take_file(id->hash, src->key_file, report);
    if (src->chain_file)
        good &= take_file(id->hash, src->chain_file, report);
    if (!good) {
        free(id);
        return ERR(FAIL);
    }
    id->refs = 1;
    fake_crypto.identities++;
    fake_crypto.last_for_server = src->for_server;
    fake_crypto.last_for_client = src->for_client;
    *out = id;
    return OK;
}

void identity_unref(struct identity *id)
{
    if (--id->refs == 0) {
        staple_unref(id->staple);
        fake_crypto.identities--;
        free(id);
    }
}

struct identity *identity_ref(struct identity *id)
{
    id->refs++;
    return id;
}

const char *identity_name(const struct identity *id)
{
    return id->name;
}

const uint8_t *identity_hash(const struct identity *id)
{
    return id->hash;
}

const struct cert *identity_leaf(const struct identity *id)
{
    static struct cert none;

    (void)id;
    return &none;
}

uint32_t identity_chain(const struct identity *id, struct span *der, uint32_t max)
{
    (void)id, (void)der, (void)max;
    return 0;
}

void identity_set_staple(struct identity *id, struct staple *s)
{
    staple_unref(id->staple);
    id->staple = staple_ref(s);
}

struct staple *identity_staple(const struct identity *id)
{
    return id->staple;
}

/* --- profiles --- */

res tls_settings_hash(const struct tls_settings *s, uint8_t out[32])
{
    char text[4096];
    int n = snprintf(text, sizeof(text), "%d %d %d %d %d %s %s %s", s->server, s->min, s->max,
                     s->ask_cert, s->tickets, s->ciphers12 ? s->ciphers12 : "-",
                     s->ciphers13 ? s->ciphers13 : "-", s->groups ? s->groups : "-");

    memset(out, 0, 32);
    mix(out, text, (size_t)n);
    for (uint32_t i = 0; i < s->alpn_count; i++)
        mix(out, s->alpn[i], strlen(s->alpn[i]));
    for (uint32_t i = 0; i < s->identity_count; i++)
        mix(out, s->identities[i]->hash, 32);
    return OK;
}

res tls_profile_new(const struct tls_settings *s, unsigned cores, struct report *report,
                    struct tls_profile **out)
{
    struct tls_profile *p;

    (void)cores;
    if (s->ciphers12 && strstr(s->ciphers12, "NOPE")) {
        report_add(report, REPORT_ERROR, NULL, 0, NULL, "fake: %s: no cipher NOPE", s->name);
        return ERR(FAIL);
    }
    p = (struct tls_profile *)calloc(1, sizeof(*p));
    if (!p)
        return ERR(NOMEM);
    p->refs = 1;
    fake_crypto.profiles++;
    fake_crypto.profiles_made++;
    *out = p;
    return tls_settings_hash(s, p->hash);
}

struct tls_profile *tls_profile_ref(struct tls_profile *p)
{
    p->refs++;
    return p;
}

void tls_profile_unref(struct tls_profile *p)
{
    if (--p->refs)
        return;
    p->next = dead;
    dead = p;
}

uint32_t tls_profile_reap(void)
{
    while (dead) {
        struct tls_profile *p = dead;

        dead = p->next;
        fake_crypto.profiles--;
        free(p);
    }
    return 0;
}

const uint8_t *tls_profile_hash(const struct tls_profile *p)
{
    return p->hash;
}
