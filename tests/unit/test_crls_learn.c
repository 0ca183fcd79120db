/* Sources that chains have taught. */
#include "crypto/crl_learn.h"
#include "lib/crls_fix.h"
#include "lib/learn_pki.h"

#include <dirent.h>

#define LEARNS "crl_learn = true; crl_max = \"1k\";"

/* As a core that misses the list of L's issuer; `urls`: what the certificate names. */
static bool teach(struct fix *f, const char *url)
{
    struct cert c[3];
    const struct cert *path[] = {&c[0], &c[1], &c[2]};
    struct span der[] = {LEARN_DER(leaf), LEARN_DER(mid), LEARN_DER(root)};
    union {
        struct crl_rec rec;
        uint8_t bytes[4096];
    } u;
    const char *why;

    for (int i = 0; i < 3; i++)
        T_NEED(IS_OK(cert_parse(der[i], &c[i], &why)));
    fake_crypto.points[0] = url;
    crl_rec_put(&u.rec, trust_id(f->ctl->now->snap.trusts[0].trust), path, 3);
    return crls_record(f->ctl->crls, span_of(u.bytes, crl_rec_b(path, 3)), f->ctl->now,
                       f->ctl->retired);
}

static uint64_t counted(const struct fix *f, enum crls_ctr what)
{
    return crls_counters(f->ctl->crls)[what];
}

static void what_is_taught_is_fetched(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first_list);
    start(&f, conf(&f, LEARNS, ""));
    settle(&f);
    T_EQ(f.ctl->crls->count, 0);
    T_EQ(lists(&f), 0); /* wanted, and missing */
    T_OK(teach(&f, httpd_url(&f.h, "/0")));
    settle(&f);
    T_EQ(f.ctl->crls->count, 1);
    T_EQ(lists(&f), 1);
    T_EQ(fake_crypto.cas, 1); /* M may sign it */
    T_STR(view(&f).learnt, "CN=M");
    T_EQ(counted(&f, CRLS_LEARNT), 1);
    T_OK(log_has(&f, "INFO crl.learnt url=http://127.0.0.1:"));
    T_OK(log_has(&f, "/0 trust=staff issuer=\"CN=M\""));
    T_OK(teach(&f, httpd_url(&f.h, "/0"))); /* known */
    T_EQ(counted(&f, CRLS_LEARNT), 1);
    T_OK(!f.ctl->crls->learnt_news);
    end(&f);
}

static void what_is_not_good_teaches_nothing(void)
{
    static const char *const urls[] = {"ldap://a/b",  "file:///etc/passwd", "http://user:pw@a/b",
                                       "http://a b/", "gopher://a/",        ""};
    struct fix f;
    uint8_t rubbish[200];

    open_server(&f);
    start(&f, conf(&f, LEARNS, ""));
    fake_crypto.path_bad = true;
    T_OK(teach(&f, httpd_url(&f.h, "/0")));
    T_EQ(f.ctl->crls->learnt_count, 0);
    fake_crypto.path_bad = false;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        T_OK(teach(&f, urls[i]));
        T_EQ(f.ctl->crls->learnt_count, 0);
    }
    memset(rubbish, 0xff, sizeof(rubbish));
    T_OK(!crls_record(f.ctl->crls, span_of(rubbish, sizeof(rubbish)), f.ctl->now, NULL));
    settle(&f);
    T_EQ(httpd_seen(&f.h), 0);
    ctl_close(f.ctl);

    start(&f, conf(&f, "crl_from_cdp = true;", "")); /* nobody has asked for it */
    T_OK(teach(&f, httpd_url(&f.h, "/0")));
    T_EQ(f.ctl->crls->learnt_count, 0);
    end(&f);
}

static void there_is_room_for_so_many(void)
{
    struct fix f;
    char url[64];
    struct source *s;

    open_server(&f);
    start(&f, conf(&f, LEARNS, ""));
    for (int i = 0; i < CRLS_LEARNT_MAX + 3; i++) {
        snprintf(url, sizeof(url), "http://127.0.0.1:9/%d", i);
        T_OK(teach(&f, url));
    }
    T_EQ(f.ctl->crls->learnt_count, CRLS_LEARNT_MAX);
    T_EQ(counted(&f, CRLS_LEARN_FULL), 3);
    T_OK(log_has(&f, "OPER crl.learn_full url=http://127.0.0.1:9/64 trust=staff issuer=\"CN=M\""));
    for (int i = 0; i < 2000 && f.ctl->crls->count < CRLS_LEARNT_MAX; i++)
        turn(&f);
    s = f.ctl->crls->sources;
    T_NEED(s != NULL);
    s->failures = 2;
    for (struct source *o = s->next; o; o = o->next)
        o->failures = 0;
    T_OK(teach(&f, "http://127.0.0.1:9/new"));
    T_EQ(counted(&f, CRLS_LEARN_FULL), 4);
    s->failures = 3; /* and never a list */
    T_OK(teach(&f, "http://127.0.0.1:9/new"));
    T_EQ(counted(&f, CRLS_LEARN_FULL), 4);
    T_EQ(f.ctl->crls->learnt_count, CRLS_LEARNT_MAX);
    end(&f);
}

static void a_reload_keeps_them_while_they_are_wanted(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first_list);
    start(&f, conf(&f, LEARNS, ""));
    T_OK(teach(&f, httpd_url(&f.h, "/0")));
    settle(&f);
    T_EQ(lists(&f), 1);
    T_NEED(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(lists(&f), 1);
    T_EQ(httpd_seen(&f.h), 1);

    /* One that is refused changes nothing, also not who may sign. */
    site_write(&f.site, conf(&f, LEARNS, "tls = { ciphers12 = \"NOPE\"; };"));
    T_OK(!IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    report_clear(f.site.report);
    serve(&f, 0, "", "crl A 6 1001 4000000000 4");
    ask(&f);
    T_EQ(view(&f).serials, 4);
    T_EQ(fake_crypto.cas, 1);

    /* A set that would not trust the CA any more. */
    site_write(&f.site, conf(&f, LEARNS, ""));
    fake_crypto.path_bad = true;
    T_NEED(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(f.ctl->crls->count + f.ctl->crls->learnt_count, 0);
    fake_crypto.path_bad = false;

    T_OK(teach(&f, httpd_url(&f.h, "/0")));
    settle(&f);
    T_EQ(lists(&f), 1);
    site_write(&f.site, conf(&f, "crl_from_cdp = true;", ""));
    T_NEED(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(f.ctl->crls->count + f.ctl->crls->learnt_count, 0);
    end(&f);
}

/* A generation was being built when it came. */
static void what_comes_while_a_plan_is_made_is_not_lost(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first_list);
    start(&f, conf(&f, LEARNS, ""));
    crls_plan(f.ctl->crls);
    T_OK(teach(&f, httpd_url(&f.h, "/0")));
    crls_commit(f.ctl->crls, &f.ctl->now->snap);
    T_EQ(f.ctl->crls->learnt_count, 1);
    T_OK(f.ctl->crls->learnt_news);
    settle(&f);
    T_EQ(lists(&f), 1);
    end(&f);
}

static void without_a_good_answer_they_are_forgotten(void)
{
    struct fix f;

    open_server(&f);
    serve(&f, 0, "", first_list);
    start(&f, conf(&f, LEARNS, ""));
    T_OK(teach(&f, httpd_url(&f.h, "/0")));
    settle(&f);
    f.ctl->crls->learnt->since_s -= 31 * 86400;
    T_NEED(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(lists(&f), 1);
    f.ctl->crls->sources->good_s -= 31 * 86400;
    T_NEED(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(f.ctl->crls->count + f.ctl->crls->learnt_count, 0);
    end(&f);
}

/* --- the cache --- */

static uint32_t files(const char *folder, const char *end, bool remove)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    uint32_t n = 0;

    T_NEED(d != NULL);
    while ((e = readdir(d))) {
        size_t len = strlen(e->d_name), e_len = strlen(end);

        if (e->d_name[0] == '.' || len < e_len || strcmp(e->d_name + len - e_len, end) != 0)
            continue;
        n++;
        if (remove)
            T_OK(unlinkat(dirfd(d), e->d_name, 0) == 0);
    }
    closedir(d);
    return n;
}

static void a_restart_has_them(void)
{
    struct fix f;
    char own[2048], folder[128];

    open_server(&f);
    T_NEED(mkdir(tmp_path(&f.site.tmp, "cache"), 0700) == 0);
    strcpy(folder, tmp_path(&f.site.tmp, "cache"));
    serve(&f, 0, "", first_list);
    f.control = "crl_wait = 0; crl_cache = \"cache\";";
    snprintf(own, sizeof(own), "%s", conf(&f, LEARNS, ""));
    start(&f, own);
    T_OK(teach(&f, "http://127.0.0.1:9/dead"));
    T_OK(teach(&f, httpd_url(&f.h, "/0")));
    settle(&f);
    T_EQ(files(folder, ".crl", false), 1);
    T_EQ(files(folder, ".learnt", false), 1); /* what had a list */
    ctl_close(f.ctl);
    serve_raw(&f, 0, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    start(&f, own);
    T_EQ(fake_dp.now->gen, 1);
    T_EQ(lists(&f), 1);
    T_STR(view(&f).learnt, "CN=M");
    T_EQ(files(folder, "", false), 2);
    ctl_close(f.ctl);
    fake_crypto.path_bad = true; /* the set has changed meanwhile */
    start(&f, own);
    T_EQ(f.ctl->crls->count, 0);
    T_EQ(files(folder, "", false), 0);
    end(&f);
}

static char *learnt_file(const char *folder)
{
    static char path[512];
    DIR *d = opendir(folder);
    struct dirent *e;

    T_NEED(d != NULL);
    path[0] = '\0';
    while ((e = readdir(d))) {
        if (strstr(e->d_name, ".learnt"))
            snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
    }
    closedir(d);
    T_NEED(path[0] != '\0');
    return path;
}

static void write_bytes(const char *path, const char *p, size_t len)
{
    FILE *out = fopen(path, "wb");

    T_NEED(out && fwrite(p, 1, len, out) == len && fclose(out) == 0);
}

/* Whole or not at all; at every byte. */
static void what_is_cut_in_the_cache_is_nothing(void)
{
    struct fix f;
    char folder[128], all[4096], *path;
    size_t len;
    FILE *in;

    open_server(&f);
    T_NEED(mkdir(tmp_path(&f.site.tmp, "cache"), 0700) == 0);
    strcpy(folder, tmp_path(&f.site.tmp, "cache"));
    serve(&f, 0, "", first_list);
    f.control = "crl_wait = 0; crl_cache = \"cache\";";
    start(&f, conf(&f, LEARNS, ""));
    T_OK(teach(&f, httpd_url(&f.h, "/0")));
    settle(&f);
    path = learnt_file(folder);
    in = fopen(path, "rb");
    T_NEED(in != NULL);
    len = fread(all, 1, sizeof(all), in);
    fclose(in);
    for (size_t cut = 0; cut <= len; cut++) {
        struct elog quiet = {.level = LOG_BUG, .sink = {.fd = -1}};
        struct crls *k;

        write_bytes(path, all, cut);
        T_NEED(IS_OK(crls_new(NULL, &quiet, folder, &k)));
        /* It may end behind M, from which R is found in the set. */
        T_EQ(k->learnt_count, cut == len || cut == len - sizeof(learn_root));
        T_OK(!k->learnt || !k->learnt->planned);
        crls_free(k);
    }
    (void)files(folder, "", true);
    end(&f);
}

static void only_what_we_have_named_is_removed(void)
{
    static const char *const ours[] = {"0123456789abcdef0123456789abcdef.crl",
                                       "0123456789abcdef0123456789abcdef.crl.new",
                                       "0123456789abcdef0123456789abcdef.learnt"};
    static const char *const others[] = {
        "0123456789abcdef0123456789abcde.crl",   "0123456789ABCDEF0123456789abcdef.crl",
        "x123456789abcdef0123456789abcdef.crl",  "0123456789abcdef0123456789abcdef.crl.old",
        "0123456789abcdef0123456789abcdef0.crl", "notes.txt",
        "0123456789abcdef0123456789abcdef",
    };
    struct fix f;
    char folder[128], path[512];

    open_server(&f);
    T_NEED(mkdir(tmp_path(&f.site.tmp, "cache"), 0700) == 0);
    strcpy(folder, tmp_path(&f.site.tmp, "cache"));
    for (size_t i = 0; i < ARRAY_LEN(ours) + ARRAY_LEN(others); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder,
                 i < ARRAY_LEN(ours) ? ours[i] : others[i - ARRAY_LEN(ours)]);
        write_bytes(path, "x", 1);
    }
    serve(&f, 0, "", first_list);
    f.control = "crl_wait = 0; crl_cache = \"cache\";";
    start(&f, one_url(&f, ""));
    settle(&f);
    T_EQ(files(folder, "", false), ARRAY_LEN(others) + 1);
    T_OK(log_has(&f, "INFO crl.cache_removed file=0123456789abcdef0123456789abcdef.crl"));
    site_write(&f.site, conf(&f, "", ""));
    T_NEED(IS_OK(ctl_reload(f.ctl, NULL, f.site.report)));
    T_EQ(files(folder, "", true), ARRAY_LEN(others));
    end(&f);
}

#define TESTS(X)                                                                               \
    X(what_is_taught_is_fetched)                                                               \
    X(what_is_not_good_teaches_nothing)                                                        \
    X(there_is_room_for_so_many)                                                               \
    X(a_reload_keeps_them_while_they_are_wanted)                                               \
    X(what_comes_while_a_plan_is_made_is_not_lost) X(without_a_good_answer_they_are_forgotten) \
        X(a_restart_has_them) X(what_is_cut_in_the_cache_is_nothing)                           \
            X(only_what_we_have_named_is_removed)
T_MAIN("crls_learn", TESTS)
