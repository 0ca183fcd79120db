#include "control/staples.h"

#include "control/ctl.h"
#include "crypto/sig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIMEOUT_MS  10000
#define FIRST_TRY_S 5     /* after a failure; then twice as long each time */
#define LAST_TRY_S  3600  /* but not longer, */
#define URGENT_S    300   /* nor than this while there is none to send */
#define EARLIEST_S  60    /* no sooner than so long after a good one */
#define LATEST_S    86400 /* a responder may change its mind before nextUpdate */
#define FILE_LOOK_S 5     /* how often a file is looked at */
#define WHY_B       192

struct entry {
    struct entry *next;
    uint8_t hash[32];
    struct staple *box;
    bool used;           /* by the generation in force */
    struct identity *id; /* a reference; NULL: not used */
    struct cert issuer;  /* with id; der.len 0: not known */
    void *issuer_mem;
    char *url, *file;
    struct ocsp_ask *ask; /* under way */
    struct staples *all;
    struct timespec file_at;
    int64_t this_s, until_s, next_try_s;
    uint32_t wait_s, len;
    uint64_t answers, failures;
    bool missing_said;
    char why[WHY_B];
};

struct staples {
    struct fetch *fetch;
    struct elog *log;
    struct entry *entries;
    int64_t now_s;
};

res staples_new(struct fetch *f, struct elog *log, struct staples **out)
{
    struct staples *s = (struct staples *)calloc(1, sizeof(*s));

    *out = s;
    if (!s)
        return ERR(NOMEM);
    s->fetch = f;
    s->log = log;
    return OK;
}

static void forget_use(struct entry *e)
{
    ocsp_ask_free(e->ask);
    e->ask = NULL;
    if (e->id)
        identity_unref(e->id);
    e->id = NULL;
    free(e->url);
    free(e->file);
    free(e->issuer_mem);
    e->url = e->file = NULL;
    e->issuer_mem = NULL;
    e->issuer = (struct cert){.version = 0};
    e->used = false;
}

static void entry_free(struct entry *e)
{
    forget_use(e);
    staple_unref(e->box);
    free(e);
}

void staples_free(struct staples *s)
{
    if (!s)
        return;
    while (s->entries) {
        struct entry *e = s->entries;

        s->entries = e->next;
        entry_free(e);
    }
    free(s);
}

static struct entry *find(const struct staples *s, const uint8_t hash[32])
{
    for (struct entry *e = s->entries; e; e = e->next) {
        if (memcmp(e->hash, hash, 32) == 0)
            return e;
    }
    return NULL;
}

struct staple *staples_box(struct staples *s, const uint8_t hash[32])
{
    struct entry *e = find(s, hash);

    if (e)
        return e->box;
    e = (struct entry *)calloc(1, sizeof(*e));
    if (!e || !IS_OK(staple_new(&e->box))) {
        free(e);
        return NULL;
    }
    memcpy(e->hash, hash, 32);
    e->all = s;
    e->next = s->entries;
    s->entries = e;
    return e->box;
}

/* --- which are in use --- */

/* Whoever has signed it: sent along with it, or a CA that some trust set names. */
static bool find_issuer(const struct gen *g, const struct identity *id, struct span *out)
{
    const struct cert *leaf = identity_leaf(id);
    struct span chain[2];
    const char *why;
    struct cert c;

    if (identity_chain(id, chain, 2) == 2) { /* in order: that was checked when it was loaded */
        *out = chain[1];
        return true;
    }
    for (uint32_t i = 0; i < g->snap.trust_count; i++) {
        const struct trust_entry *t;
        uint32_t it = 0;

        while ((t = trust_by_subject(g->snap.trusts[i].trust, leaf->issuer, &it))) {
            *out = t->cert.der;
            if (IS_OK(cert_parse(*out, &c, &why)) && sig_check_cert(&c, leaf, NULL) == SIG_VALID)
                return true;
        }
    }
    return false;
}

static void keep_issuer(struct entry *e, const struct gen *g)
{
    struct span der;
    const char *why;

    if (!find_issuer(g, e->id, &der))
        return;
    e->issuer_mem = malloc(der.len);
    if (!e->issuer_mem)
        return;
    memcpy(e->issuer_mem, der.p, der.len);
    if (!IS_OK(cert_parse(span_of(e->issuer_mem, der.len), &e->issuer, &why)))
        e->issuer = (struct cert){.version = 0};
}

static char *copy_text(const char *text)
{
    return text ? strdup(text) : NULL;
}

static void use(struct entry *e, const struct gen *g, const struct cfg_identity *c,
                struct identity *id)
{
    if (e->used)
        return; /* the same certificate and key under a second name */
    e->used = true;
    e->id = identity_ref(id);
    e->url = c->staple_url ? copy_text(c->staple_url) : ocsp_ask_url(identity_leaf(id));
    e->file = copy_text(c->staple_file);
    e->file_at = (struct timespec){.tv_sec = 0};
    e->wait_s = FIRST_TRY_S;
    keep_issuer(e, g);
    if (!e->until_s || e->file)
        e->next_try_s = 0;
}

void staples_use(struct staples *s, const struct gen *g)
{
    struct entry **at = &s->entries;

    for (struct entry *e = s->entries; e; e = e->next)
        forget_use(e);
    for (uint32_t i = 0; i < g->identity_count; i++) {
        const struct cfg_identity *c = &g->cfg->identities.v[i];
        struct entry *e =
            identity_staple(g->identities[i]) ? find(s, identity_hash(g->identities[i])) : NULL;

        if (e && c->staple)
            use(e, g, c, g->identities[i]);
    }
    while (*at) { /* identities of generations before have references of their own to the box */
        struct entry *e = *at;

        if (e->used) {
            at = &e->next;
        } else {
            *at = e->next;
            entry_free(e);
        }
    }
}

/* --- answers --- */

static bool must_staple(const struct entry *e)
{
    return identity_leaf(e->id)->ext & CERT_EXT_MUST_STAPLE;
}

/* A certificate that clients refuse without a response is told of each time, others once. */
static void say_missing(struct entry *e)
{
    if (e->missing_said && !must_staple(e))
        return;
    e->missing_said = true;
    elog(e->all->log, LOG_OPER, must_staple(e) ? "staple.must_missing" : "staple.missing",
         "identity", identity_name(e->id), "from",
         e->file  ? e->file
         : e->url ? e->url
                  : "-",
         "why", e->why, "effect",
         must_staple(e) ? "clients that know TLS features (RFC 7633) refuse this certificate"
                        : "handshakes go on without a response",
         NULL);
}

static void drop(struct entry *e)
{
    staple_put(e->box, SPAN_NONE, 0);
    e->until_s = e->this_s = 0;
    e->len = 0;
}

static void failed(struct entry *e, const char *why)
{
    int64_t now = e->all->now_s;
    uint32_t most = e->until_s ? LAST_TRY_S : URGENT_S;

    snprintf(e->why, sizeof(e->why), "%s", why);
    e->failures++;
    e->next_try_s = now + (e->wait_s < most ? e->wait_s : most);
    e->wait_s = e->wait_s < LAST_TRY_S ? 2 * e->wait_s : LAST_TRY_S;
    if (!e->until_s)
        say_missing(e);
}

static void good(struct entry *e, struct span der, const struct ocsp_answer *a)
{
    int64_t now = e->all->now_s, half = (a->until_s - now) / 2;

    if (der.len > STAPLE_MAX_B) {
        failed(e, "the response is larger than 16 KB");
        return;
    }
    /* An older one does not take the place of a newer one. */
    if (a->this_s >= e->this_s) {
        staple_put(e->box, der, a->until_s);
        e->this_s = a->this_s;
        e->until_s = a->until_s;
        e->len = (uint32_t)der.len;
    }
    e->answers++;
    e->wait_s = FIRST_TRY_S;
    e->next_try_s = now + (half < EARLIEST_S ? EARLIEST_S : half > LATEST_S ? LATEST_S : half);
    if (e->missing_said)
        elog(e->all->log, LOG_INFO, "staple.there", "identity", identity_name(e->id), NULL);
    e->missing_said = false;
    e->why[0] = '\0';
}

static void take(struct entry *e, struct span der, const struct ocsp_answer *a)
{
    char text[96];

    if (a->status == OCSP_GOOD) {
        good(e, der, a);
        return;
    }
    snprintf(text, sizeof(text), "the responder says: %s%s%s", ocsp_status_name(a->status),
             a->status == OCSP_REVOKED ? ", " : "",
             a->status == OCSP_REVOKED ? ocsp_reason_name(a->reason) : "");
    if (a->status == OCSP_REVOKED) {
        drop(e); /* the one from before is not true any more */
        e->missing_said = false;
        elog(e->all->log, LOG_OPER, "staple.revoked", "identity", identity_name(e->id), "reason",
             ocsp_reason_name(a->reason), "next", "replace this certificate", NULL);
    }
    failed(e, text);
}

static void on_said(void *ctx, const struct ocsp_said *s)
{
    struct entry *e = (struct entry *)ctx;

    ocsp_ask_free(e->ask);
    e->ask = NULL;
    e->all->now_s = ctl_wall_s();
    if (s->why)
        failed(e, s->why);
    else
        take(e, s->der, &s->answer);
}

/* --- asking --- */

static void ask(struct entry *e)
{
    const struct ocsp_question q = {.cert = identity_leaf(e->id)->der,
                                    .issuer = e->issuer.der,
                                    .url = e->url,
                                    .timeout_ms = TIMEOUT_MS,
                                    .said = on_said,
                                    .ctx = e};
    const char *why;

    if (!IS_OK(ocsp_ask_begin(e->all->fetch, &q, &e->ask, &why)))
        failed(e, why);
}

static void judge_file(struct entry *e, struct span der)
{
    const struct ocsp_rules rules = {.now_s = e->all->now_s};
    struct ocsp_answer a;
    const char *why;

    if (!IS_OK(ocsp_judge(der, identity_leaf(e->id), &e->issuer, &rules, &a, &why))) {
        failed(e, why);
        return;
    }
    e->this_s = 0; /* what the operator puts there counts, whatever was there before */
    take(e, der, &a);
    e->next_try_s = e->all->now_s + FILE_LOOK_S;
}

/* Read again when it has changed, or when what was read has become too old. */
static void look(struct entry *e)
{
    uint8_t *der = NULL;
    struct stat st;
    ssize_t n;
    int fd = open(e->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    e->next_try_s = e->all->now_s + FILE_LOOK_S;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        failed(e, "the file cannot be read");
    } else if ((st.st_mtim.tv_sec != e->file_at.tv_sec ||
                st.st_mtim.tv_nsec != e->file_at.tv_nsec) &&
               (der = (uint8_t *)malloc(OCSP_RESPONSE_MAX_B + 1))) {
        e->file_at = st.st_mtim;
        n = read(fd, der, OCSP_RESPONSE_MAX_B + 1);
        judge_file(e, span_of(der, n > 0 ? (size_t)n : 0));
    }
    free(der);
    if (fd >= 0)
        close(fd);
}

static void turn(struct entry *e)
{
    int64_t now = e->all->now_s;

    if (e->until_s && now > e->until_s) {
        drop(e);
        if (!e->why[0])
            snprintf(e->why, sizeof(e->why), "the last response is too old");
        say_missing(e);
        e->file_at = (struct timespec){.tv_sec = 0};
        e->next_try_s = 0;
    }
    if (e->ask || now < e->next_try_s)
        return;
    if (!e->issuer.der.len)
        failed(e,
               "its issuer is not known: put the issuer's certificate behind it or into `chain`");
    else if (e->file)
        look(e);
    else if (e->url)
        ask(e);
    else
        failed(e, "the certificate names no OCSP responder: give staple_url or staple_file");
}

void staples_tick(struct staples *s, int64_t now_s)
{
    if (s->now_s == now_s)
        return; /* once a second */
    s->now_s = now_s;
    for (struct entry *e = s->entries; e; e = e->next) {
        if (e->used)
            turn(e);
    }
}

bool staples_next(const struct staples *s, uint32_t *it, struct staple_view *out)
{
    uint32_t n = 0;

    for (const struct entry *e = s->entries; e; e = e->next) {
        if (!e->used || n++ < *it)
            continue;
        (*it)++;
        *out = (struct staple_view){.name = identity_name(e->id),
                                    .url = e->file  ? e->file
                                           : e->url ? e->url
                                                    : "-",
                                    .state = e->until_s ? "good" : "none",
                                    .why = e->why,
                                    .must_staple = must_staple(e),
                                    .this_s = e->this_s,
                                    .until_s = e->until_s,
                                    .next_try_s = e->next_try_s,
                                    .answers = e->answers,
                                    .failures = e->failures,
                                    .len = e->len};
        return true;
    }
    return false;
}
