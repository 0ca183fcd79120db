/**
 * tmp: a folder for one test, with files in it; gone at the end.
 */
#ifndef SALLYPORT_TESTS_TMP_H
#define SALLYPORT_TESTS_TMP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tmp {
    char dir[64];
    char *paths[256]; /* names asked for, until the end */
    unsigned count;
};

static inline void tmp_begin(struct tmp *t)
{
    *t = (struct tmp){.dir = "/tmp/sallyport-test-XXXXXX"};
    if (!mkdtemp(t->dir))
        abort();
}

/* The name of a file in the folder, good until the end. */
static inline const char *tmp_path(struct tmp *t, const char *name)
{
    char *p = NULL;

    if (t->count == 256 || asprintf(&p, "%s/%s", t->dir, name) < 0)
        abort();
    t->paths[t->count++] = p;
    return p;
}

static inline const char *tmp_write(struct tmp *t, const char *name, const char *text)
{
    const char *path = tmp_path(t, name);
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
    return path;
}

/* The whole file, ends in NUL; to be freed. */
static inline char *tmp_read(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = (char *)calloc(1, 1 << 20);

    if (!f || !text)
        abort();
    text[fread(text, 1, (1 << 20) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static inline void tmp_end(struct tmp *t)
{
    DIR *d = opendir(t->dir);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        const char *path = tmp_path(t, e->d_name);

        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlink(path) != 0)
            rmdir(path);
    }
    if (d)
        closedir(d);
    rmdir(t->dir);
    while (t->count)
        free(t->paths[--t->count]);
}

#endif
