/* The last good lists on disk. What is read back is judged like any answer: who can write there can do no more than
 * whoever answers. */
#include "control/crls_parts.h"

#include "base/siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_B 4224

static bool path_of(const struct source *s, const char *end, char *out)
{
    static const struct sip_key keys[] = {{0x63726c2063616368, 0x65206f6e65206f66},
                                          {0x63726c2063616368, 0x652074776f206f66}};
    unsigned long long a = siphash24(&keys[0], s->url, strlen(s->url));
    unsigned long long b = siphash24(&keys[1], s->url, strlen(s->url));
    int n = snprintf(out, PATH_B, "%s/%016llx%016llx.crl%s", s->k->cache, a, b, end);

    return n > 0 && n < PATH_B;
}

static void tell(const struct source *s, const char *path, const char *why)
{
    elog(s->k->elog, LOG_OPER, "crl.cache_failed", "file", path, "url", s->url, "why", why, NULL);
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

void crls_cache_load(struct source *s, const struct trust *t)
{
    char path[PATH_B], text[512];
    struct sb why = sb_of(text, sizeof(text));
    uint8_t *p;
    size_t len;
    bool news;
    int fd;

    if (!path_of(s, "", path))
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return; /* most often there is none yet */
    p = read_whole(fd, s->planned_pace.max_b, &len);
    close(fd);
    if (!p)
        tell(s, path, "it cannot be read, or is larger than trust.crl_max");
    else if (!crls_take(s, &t, 1, span_of(p, len), &news, &why))
        tell(s, path, text);
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

void crls_cache_save(const struct source *s, struct span text)
{
    char path[PATH_B], temp[PATH_B];
    bool ok;
    int fd;

    if (!s->k->cache || s->file || !path_of(s, "", path) || !path_of(s, ".new", temp))
        return;
    (void)unlink(temp);
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    ok = fd >= 0 && write_whole(fd, text);
    ok = fd >= 0 && close(fd) == 0 && ok;
    if (ok && rename(temp, path) == 0)
        return;
    tell(s, path, strerror(errno));
    (void)unlink(temp);
}
