/* Runs a fuzz target over its seed corpus: every file of the folders named, and every file cut short. */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <string.h>

#define FILE_MAX (1u << 20)

static unsigned run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = (uint8_t *)malloc(FILE_MAX);
    size_t n = f && data ? fread(data, 1, FILE_MAX, f) : 0;
    size_t step = n / 64 + 1;

    if (!f || !data) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    fclose(f);
    for (size_t len = 0; len < n; len += step) {
        uint8_t *cut = (uint8_t *)malloc(len ? len : 1); /* so that a read behind it is seen */

        memcpy(cut, data, len);
        (void)LLVMFuzzerTestOneInput(cut, len);
        free(cut);
    }
    (void)LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    unsigned files = 0;

    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        struct dirent *e;
        char path[4096];

        while (d && (e = readdir(d))) {
            snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
            if (e->d_name[0] != '.')
                files += run_file(path);
        }
        if (d)
            closedir(d);
    }
    printf("%u files\n", files);
    return files ? 0 : 1;
}
