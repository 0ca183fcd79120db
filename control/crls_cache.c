/* The last good lists on disk, and where chains have taught that they are. What is read back is judged like any
 * answer, and any chain: who can write there can do no more than whoever answers, or shows it. */
#include "control/crls_parts.h"

#include "base/siphash.h"
#include "base/url.h"
#include "crypto/der.h"
#include "crypto/verdict.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_B    4224
#define NAME_B    48 /* 32 hex digits, an ending */
#define LEARNT_B  (4096 + VERDICT_PATH_MAX * CERT_DER_MAX)
#define LEARNT_V1 "sallyport: learnt, 1"

static void name_of(const struct source *s, char out[NAME_B])
{
    static const struct sip_key keys[] = {{0x63726c2063616368, 0x65206f6e65206f66},
                                          {0x63726c2063616368, 0x652074776f206f66}};
    unsigned long long a = siphash24(&keys[0], s->url, strlen(s->url));
    unsigned long long b = siphash24(&keys[1], s->url, strlen(s->url));

    snprintf(out, NAME_B, "%016llx%016llx.crl", a, b);
}

static void learnt_name(const struct learnt *l, char out[NAME_B])
{
    struct sb s = sb_of(out, NAME_B);

    sb_hex(&s, span_of(l->id, 16));
    sb_str(&s, ".learnt");
}

static bool path_of(const struct crls *k, const char *name, const char *end, char *out)
{
    int n = snprintf(out, PATH_B, "%s/%s%s", k->cache, name, end);

    return n > 0 && n < PATH_B;
}

static void tell(const struct crls *k, const char *url, const char *path, const char *why)
{
    elog(k->elog, LOG_OPER, "crl.cache_failed", "file", path, "url", url, "why", why, NULL);
}

static uint8_t *read_whole(int fd, size_t max, size_t *len)
{
    struct stat st;
    uint8_t *p;
    ssize_t got;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
        return NULL;
    p = (uint8_t *)malloc((size_t)st.st_size + 1);
    *len = 0;
    while (p && *len < (size_t)st.st_size &&
           (got = read(fd, p + *len, (size_t)st.st_size - *len)) > 0)
        *len += (size_t)got;
    return p;
}

/* NULL: *there says whether there was a file at all. */
static uint8_t *read_file(const char *path, size_t max, size_t *len, bool *there)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    uint8_t *p;

    *there = fd >= 0;
    if (fd < 0)
        return NULL;
    p = read_whole(fd, max, len);
    close(fd);
    return p;
}

void crls_cache_load(struct source *s, const struct trust *t)
{
    char name[NAME_B], path[PATH_B], text[512];
    struct sb why = sb_of(text, sizeof(text));
    bool news, there;
    uint8_t *p;
    size_t len;

    name_of(s, name);
    if (!path_of(s->k, name, "", path))
        return;
    p = read_file(path, s->planned_pace.max_b, &len, &there);
    if (!there)
        return; /* most often there is none yet */
    if (!p)
        tell(s->k, s->url, path, "it cannot be read, or is larger than trust.crl_max");
    else if (!crls_take(s, &t, 1, span_of(p, len), &news, &why))
        tell(s->k, s->url, path, text);
    free(p);
}

static bool write_whole(int fd, struct span text)
{
    while (text.len) {
        ssize_t n = write(fd, text.p, text.len);

        if (n <= 0)
            return false;
        text = span_from(text, (size_t)n);
    }
    return true;
}

static bool save(const struct crls *k, const char *url, const char *name, const struct span *parts,
                 size_t count)
{
    char path[PATH_B], temp[PATH_B];
    bool ok;
    int fd;

    if (!path_of(k, name, "", path) || !path_of(k, name, ".new", temp))
        return false;
    (void)unlink(temp);
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    ok = fd >= 0;
    for (size_t i = 0; ok && i < count; i++)
        ok = write_whole(fd, parts[i]);
    ok = fd >= 0 && close(fd) == 0 && ok;
    if (ok && rename(temp, path) == 0)
        return true;
    tell(k, url, path, strerror(errno));
    (void)unlink(temp);
    return false;
}

/* Lines that say which set and which URL, and then the certificates, DER. */
static bool save_learnt(const struct crls *k, const struct learnt *l)
{
    struct span parts[1 + VERDICT_PATH_MAX];
    char name[NAME_B], head[2 * URL_MAX_B];
    struct sb s = sb_of(head, sizeof(head));

    sb_fmt(&s, "%s\n%s\n%s\n", LEARNT_V1, l->trust, l->url);
    parts[0] = sb_span(&s);
    for (uint32_t i = 0; i < l->n; i++)
        parts[1 + i] = l->path[i].der;
    learnt_name(l, name);
    return !s.cut && save(k, l->url, name, parts, 1 + l->n);
}

void crls_cache_save(const struct source *s, struct span text)
{
    char name[NAME_B];

    if (!s->k->cache || s->file)
        return;
    name_of(s, name);
    (void)save(s->k, s->url, name, &text, 1);
    for (struct learnt *l = s->k->learnt; l; l = l->next) {
        if (!l->saved && strcmp(l->url, s->url) == 0)
            l->saved = save_learnt(s->k, l);
    }
}

/* --- what was learnt --- */

static bool take_line(struct span *in, char *out, size_t room)
{
    size_t len = span_find(*in, '\n');

    if (len == in->len || len >= room || memchr(in->p, 0, len))
        return false;
    memcpy(out, in->p, len);
    out[len] = '\0';
    *in = span_from(*in, len + 1);
    return true;
}

static bool take_path(struct span in, struct cert *path, uint32_t *n)
{
    const char *why;
    struct der e;

    for (*n = 0; in.len; ++*n) {
        if (*n == VERDICT_PATH_MAX || !der_next(&in, &e) ||
            !IS_OK(cert_parse(e.whole, &path[*n], &why)))
            return false;
    }
    return *n > 0;
}

static bool take_learnt(struct crls *k, struct span text, const char *name)
{
    struct cert path[VERDICT_PATH_MAX];
    char version[64], trust[256], line[URL_MAX_B + 1], url[URL_MAX_B + 1], own[NAME_B];
    struct learnt *l;
    uint32_t n;

    if (!take_line(&text, version, sizeof(version)) || strcmp(version, LEARNT_V1) != 0 ||
        !take_line(&text, trust, sizeof(trust)) || !take_line(&text, line, sizeof(line)) ||
        !crls_point_url(span_str(line), url) || !take_path(text, path, &n))
        return false;
    if (k->learnt_count == CRLS_LEARNT_ALL || crls_learnt_of(k, trust) == CRLS_LEARNT_MAX)
        return true; /* no room: it is learnt again, or not */
    l = crls_learnt_add(k, trust, url, path, n);
    if (!l)
        return true;
    learnt_name(l, own);
    l->saved = strcmp(own, name) == 0;
    return true;
}

/* 32 hex digits and this ending? */
static bool is_ours(const char *name, const char *end)
{
    return strspn(name, "0123456789abcdef") == 32 && strcmp(name + 32, end) == 0;
}

void crls_cache_learnt(struct crls *k)
{
    DIR *d = opendir(k->cache);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char path[PATH_B];
        uint8_t *p;
        size_t len;
        bool there;

        if (!is_ours(e->d_name, ".learnt") || !path_of(k, e->d_name, "", path))
            continue;
        p = read_file(path, LEARNT_B, &len, &there);
        if (there && (!p || !take_learnt(k, span_of(p, len), e->d_name)))
            tell(k, "-", path, "it is not as it was written");
        free(p);
    }
    if (d)
        closedir(d);
}

/* --- files that nobody needs --- */

static bool is_needed(const struct crls *k, const char *name)
{
    char own[NAME_B];

    for (const struct source *s = k->sources; s; s = s->next) {
        name_of(s, own);
        if (strcmp(own, name) == 0)
            return true;
    }
    for (const struct learnt *l = k->learnt; l; l = l->next) {
        learnt_name(l, own);
        if (strcmp(own, name) == 0)
            return true;
    }
    return false;
}

void crls_cache_sweep(struct crls *k)
{
    DIR *d = opendir(k->cache);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        bool ours = is_ours(e->d_name, ".crl") || is_ours(e->d_name, ".learnt") ||
                    is_ours(e->d_name, ".crl.new") || is_ours(e->d_name, ".learnt.new");

        if (ours && !is_needed(k, e->d_name) && unlinkat(dirfd(d), e->d_name, 0) == 0)
            elog(k->elog, LOG_INFO, "crl.cache_removed", "file", e->d_name, NULL);
    }
    if (d)
        closedir(d);
}
