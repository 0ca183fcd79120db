#include "control/cert_cli.h"

#include "config/cfg.h"
#include "control/cert_ocsp.h"
#include "control/cert_text.h"
#include "control/gen_parts.h"
#include "crypto/pem.h"
#include "crypto/wolf.h"

#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define CERTS_MAX 64

enum { GOOD = 0, REFUSED = 1, USAGE = 2 };

void cert_cli_usage(FILE *f)
{
    fputs(
        "\n  cert inspect FILE         what stands in its certificates\n"
        "  cert verify --config FILE --host NAME [--path PATH] [--ocsp FILE]... [--at TIME] CHAIN\n"
        "                            what a client with this chain would get\n"
        "  cert verify --anchors FILE [--intermediates FILE] [--purpose client|server] [--name "
        "NAME]\n"
        "              [--crl FILE] [--crl-check leaf|chain] [--ocsp FILE]... [--ocsp-check "
        "leaf|chain]\n"
        "              [--max-depth N] [--partial-chain] [--at TIME] CHAIN\n"
        "                            the verdict alone. TIME: seconds since 1970, or "
        "2026-11-21T12:00:00Z;\n"
        "                            --ocsp: a response, DER, as if the responder had given it\n",
        f);
}

static void print_report(const struct report *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        char line[2048];

        report_line(&r->entries[i], line, sizeof(line));
        fprintf(stderr, "%s\n", line);
    }
}

/* --- reading --- */

struct chain {
    struct arena arena;
    struct cert certs[CERTS_MAX];
    uint32_t n;
};

static bool chain_load(struct chain *c, const char *file, uint32_t max, struct report *r)
{
    struct pem_block *blocks;
    size_t n;

    arena_init(&c->arena);
    c->n = 0;
    if (!IS_OK(pem_load(&c->arena, file, r, &blocks, &n)))
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *why;

        if (blocks[i].label.len && !span_eq(blocks[i].label, SPAN_LIT("CERTIFICATE")))
            continue;
        if (c->n == max) {
            report_add(r, REPORT_ERROR, file, blocks[i].line,
                       max < CERTS_MAX ? "no more can be sent; put CAs into --intermediates" : NULL,
                       "more than %u certificates", max);
            return false;
        }
        if (!IS_OK(cert_parse(blocks[i].der, &c->certs[c->n++], &why))) {
            report_add(r, REPORT_ERROR, file, blocks[i].line, NULL, "not a certificate: %s", why);
            return false;
        }
    }
    if (c->n == 0)
        report_add(r, REPORT_ERROR, file, 0, NULL, "there is no certificate in it");
    return c->n > 0;
}

/* --- inspect --- */

static void print_value(const json_t *v)
{
    const json_t *e;
    size_t i;

    if (json_is_array(v)) {
        json_array_foreach(v, i, e) printf("%s%s", i ? ", " : "", json_string_value(e));
    } else if (json_is_integer(v)) {
        printf("%lld", (long long)json_integer_value(v));
    } else {
        printf("%s", json_is_string(v) ? json_string_value(v) : json_is_true(v) ? "yes" : "no");
    }
    putchar('\n');
}

/* One line for each member; a list of objects as blocks. What may be in a text was made printable before. */
static void print_object(json_t *o)
{
    const char *key;
    json_t *v, *e;
    size_t i;

    json_object_foreach(o, key, v)
    {
        if (json_is_array(v) && json_is_object(json_array_get(v, 0))) {
            json_array_foreach(v, i, e)
            {
                if (i)
                    putchar('\n');
                print_object(e);
            }
        } else {
            printf("%-20s ", key);
            print_value(v);
        }
    }
}

static int print_answer(json_t *o, bool json)
{
    int code = json_is_true(json_object_get(o, "ok")) ? GOOD : REFUSED;

    if (json) {
        json_dumpf(o, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        json_object_del(o, "ok");
        print_object(o);
    }
    json_decref(o);
    return code;
}

static int inspect(const char *file, bool json, struct report *r)
{
    static struct chain c;
    json_t *list;

    if (!chain_load(&c, file, CERTS_MAX, r)) {
        arena_fini(&c.arena);
        return USAGE;
    }
    list = json_array();
    for (uint32_t i = 0; i < c.n; i++)
        json_array_append_new(list, cert_describe(&c.certs[i]));
    arena_fini(&c.arena);
    return print_answer(json_pack("{s:b,s:o}", "ok", 1, "certificates", list), json);
}

/* --- verify --- */

struct verify {
    const char *config, *host, *path, *anchors, *intermediates, *name, *chain, *crl;
    bool server, partial, leaf_only, ocsp_chain;
    struct cert_ocsp ocsp;
    int max_depth;
    int64_t at_s;
    /* of a configuration */
    struct cfg *cfg;
    const struct cfg_client_cert *rules;
    struct trust *trust;
};

static bool host_named(const struct cfg_host *h, const char *name)
{
    if (strcasecmp(h->name, name) == 0)
        return true;
    for (uint32_t i = 0; i < h->aliases.n; i++) {
        const char *alias = h->aliases.v[i], *dot = strchr(name, '.');

        if (strcasecmp(alias, name) == 0 ||
            (alias[0] == '*' && dot && dot != name && strcasecmp(alias + 1, dot) == 0))
            return true;
    }
    return false;
}

/* As snap_location_for: the exact path, then the longest prefix of whole segments. */
static const struct cfg_location *location_for(const struct cfg_host *h, const char *path)
{
    const struct cfg_location *best = NULL;
    size_t best_len = 0;

    for (uint32_t i = 0; i < h->locations.n; i++) {
        const struct cfg_location *l = &h->locations.v[i];
        size_t n = strlen(l->path);
        bool same = strcmp(l->path, path) == 0;

        if (l->exact && same)
            return l;
        if (!l->exact && strncmp(l->path, path, n) == 0 && n >= best_len &&
            (same || path[n] == '/' || l->path[n - 1] == '/')) {
            best = l;
            best_len = n;
        }
    }
    return best;
}

static bool by_config(struct verify *v, struct report *r)
{
    const struct cfg_host *host = NULL;
    const struct cfg_location *l;

    if (!IS_OK(cfg_load(v->config, r, &v->cfg)))
        return false;
    for (uint32_t i = 0; i < v->cfg->hosts.n && !host; i++) {
        if (host_named(&v->cfg->hosts.v[i], v->host))
            host = &v->cfg->hosts.v[i];
    }
    if (!host) {
        report_add(r, REPORT_ERROR, v->config, 0, NULL, "there is no host \"%s\"", v->host);
        return false;
    }
    l = v->path ? location_for(host, v->path) : NULL;
    if (v->path && !l) {
        report_add(r, REPORT_ERROR, v->config, 0, NULL, "host \"%s\" has no location for \"%s\"",
                   v->host, v->path);
        return false;
    }
    v->rules = l && l->client_cert ? l->client_cert : host->client_cert;
    if (!v->rules || v->rules->trust.n == 0) {
        report_add(r, REPORT_ERROR, v->config, 0, NULL,
                   "no certificate is asked for there: client_cert has no trust");
        return false;
    }
    v->max_depth = v->rules->max_depth;
    return IS_OK(gen_load_trust(v->cfg, &v->rules->trust, "trust", r, &v->trust));
}

static bool by_files(struct verify *v, struct report *r)
{
    struct trust_source src = {
        .name = "anchors",
        .anchor_files = &v->anchors,
        .anchor_count = 1,
        .intermediate_files = &v->intermediates,
        .intermediate_count = v->intermediates != NULL,
        .partial_chain = v->partial,
        .anchor_expiry = true,
        .crl_files = &v->crl,
        .crl_count = v->crl != NULL,
        .ocsp = {.check = v->ocsp.n == 0  ? OCSP_CHECK_OFF
                          : v->ocsp_chain ? OCSP_CHECK_CHAIN
                                          : OCSP_CHECK_LEAF},
        .crl_rules = {v->leaf_only ? CRL_CHECK_LEAF : CRL_CHECK_CHAIN, false, false}};

    return IS_OK(trust_load(&src, r, &v->trust));
}

/* What a client with this verdict gets, by the rules of a configuration. */
static const char *treatment(const struct verify *v, enum verdict_code code)
{
    static const char *const bad[] = {"403", "alert", "as without a certificate"};

    if (code == VERDICT_OK)
        return "accepted";
    if (v->rules->mode == CFG_CERT_REQUEST)
        return "taken without trust";
    return bad[v->rules->on_bad];
}

/* NULL: it cannot be judged. */
static json_t *judge(struct verify *v, const struct chain *c, struct report *r)
{
    struct verdict_input in = {.chain = c->certs,
                               .chain_len = c->n,
                               .trust = v->trust,
                               .now_s = v->at_s,
                               .purpose = v->server ? VERDICT_FOR_SERVER : VERDICT_FOR_CLIENT,
                               .max_depth = v->max_depth,
                               .ocsp_none = true, /* only what runs knows answers */
                               .min_rsa_bits = v->cfg ? (uint16_t)v->cfg->min_rsa_bits : 0};
    char text[4096];
    struct sb s = sb_of(text, sizeof(text));
    struct verdict out;
    json_t *o;

    verdict_judge(&in, &out);
    if (v->ocsp.n && !cert_ocsp_judge(&v->ocsp, &in, &out, r))
        return NULL;
    if (out.code == VERDICT_OK && v->name &&
        !verdict_name_matches(&c->certs[0], span_str(v->name))) {
        out.code = VERDICT_NAME_MISMATCH;
        out.depth = 0;
    }
    verdict_explain(&s, &out, &in);
    o = json_pack("{s:b,s:s,s:o,s:i,s:i,s:i,s:i}", "ok", out.code == VERDICT_OK, "verdict",
                  verdict_name(out.code), "text", cert_json(&s), "depth", out.depth, "chain_length",
                  out.chain_len, "tls_alert", verdict_alert(out.code), "signature_checks",
                  out.work);
    if (out.anchor >= 0 && trust_entry_at(v->trust, (uint32_t)out.anchor))
        cert_put_text(o, "anchor", cert_name_text,
                      trust_entry_at(v->trust, (uint32_t)out.anchor)->cert.subject);
    if (v->ocsp.said)
        json_object_set(o, "ocsp", v->ocsp.said);
    else if (v->trust && trust_ocsp(v->trust)->check != OCSP_CHECK_OFF)
        json_object_set_new(o, "ocsp", json_string("not asked here"));
    if (out.revocation_s)
        json_object_set_new(o, "revocation_list_of", cert_day(out.revocation_s));
    if (out.code == VERDICT_OK)
        json_object_set_new(o, "good_until", cert_day(out.expires_s));
    if (v->rules)
        json_object_set_new(o, "client_gets", json_string(treatment(v, out.code)));
    return o;
}

static bool read_time(const char *text, int64_t *out)
{
    struct tm tm = {0};
    char *end;

    *out = strtoll(text, &end, 10);
    if (*text && !*end)
        return true;
    end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    *out = (int64_t)timegm(&tm);
    return end && !*end;
}

/* One of two words; *first: it is the first one. */
static bool either(const char *text, const char *one, const char *other, bool *first)
{
    *first = strcmp(text, one) == 0;
    return *first || strcmp(text, other) == 0;
}

static bool read_options(int argc, char **argv, struct verify *v)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"host", required_argument, NULL, 'h'},
                                            {"path", required_argument, NULL, 'p'},
                                            {"anchors", required_argument, NULL, 'a'},
                                            {"intermediates", required_argument, NULL, 'i'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"purpose", required_argument, NULL, 'u'},
                                            {"max-depth", required_argument, NULL, 'd'},
                                            {"partial-chain", no_argument, NULL, 'r'},
                                            {"crl", required_argument, NULL, 'l'},
                                            {"crl-check", required_argument, NULL, 'k'},
                                            {"ocsp", required_argument, NULL, 'o'},
                                            {"ocsp-check", required_argument, NULL, 's'},
                                            {"at", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    const char **const texts[256] = {
        ['c'] = &v->config, ['h'] = &v->host, ['p'] = &v->path,         ['a'] = &v->anchors,
        ['n'] = &v->name,   ['l'] = &v->crl,  ['i'] = &v->intermediates};
    bool good = true;
    int o;

    optind = 1;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 'u') {
            good &= either(optarg, "server", "client", &v->server);
        } else if (o == 'k') {
            good &= either(optarg, "leaf", "chain", &v->leaf_only);
        } else if (o == 's') {
            good &= either(optarg, "chain", "leaf", &v->ocsp_chain);
        } else if (o == 'o') {
            good &= v->ocsp.n < CERT_OCSP_MAX;
            v->ocsp.files[v->ocsp.n++ % CERT_OCSP_MAX] = optarg;
        } else if (o == 'd') {
            v->max_depth = atoi(optarg);
        } else if (o == 'r') {
            v->partial = true;
        } else if (o == 't') {
            good &= read_time(optarg, &v->at_s);
        } else if (o < 256 && texts[o]) {
            *texts[o] = optarg;
        } else {
            good = false;
        }
    }
    v->chain = optind + 1 == argc ? argv[optind] : NULL;
    return good && v->chain && !v->config != !v->anchors && !v->config == !v->host;
}

static int verify(int argc, char **argv, bool json, struct report *r)
{
    struct verify v = {.max_depth = -1, .at_s = (int64_t)time(NULL)};
    static struct chain c;
    json_t *answer = NULL;
    int code = USAGE;

    if (!read_options(argc, argv, &v)) {
        cert_cli_usage(stderr);
        return USAGE;
    }
    if (IS_OK(wolf_init()) && (v.config ? by_config(&v, r) : by_files(&v, r)) &&
        chain_load(&c, v.chain, CERT_CHAIN_MAX, r))
        answer = judge(&v, &c, r);
    if (answer)
        code = print_answer(answer, json);
    cert_ocsp_fini(&v.ocsp);
    trust_unref(v.trust);
    cfg_free(v.cfg);
    arena_fini(&c.arena);
    return code;
}

int cert_cli(int argc, char **argv, bool json)
{
    struct report *r = report_new();
    int code = USAGE;

    if (r && argc == 2 && strcmp(argv[0], "inspect") == 0)
        code = inspect(argv[1], json, r);
    else if (r && argc > 1 && strcmp(argv[0], "verify") == 0)
        code = verify(argc, argv, json, r);
    else
        cert_cli_usage(stderr);
    if (r)
        print_report(r);
    report_free(r);
    return code;
}
