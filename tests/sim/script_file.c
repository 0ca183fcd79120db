/* A file of scenarios, cut into lines. */
#include "sim/script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool header(const char *line, struct script *s)
{
    const char *colon = strstr(line, ": ");

    memset(s, 0, sizeof(*s));
    s->only_v4 = strstr(line, " v4 ") != NULL;
    s->only_v6 = strstr(line, " v6 ") != NULL;
    return colon && sscanf(line, "== %15s", s->id) == 1 &&
           snprintf(s->title, sizeof(s->title), "%s", colon + 2) > 0;
}

int script_load(const char *path, struct script *to, int max, char error[SCRIPT_ERROR_B])
{
    FILE *f = fopen(path, "r");
    char line[600];
    unsigned number = 0;
    int n = 0;

    if (!f) {
        snprintf(error, SCRIPT_ERROR_B, "%s: cannot be read", path);
        return -1;
    }
    while (fgets(line, sizeof(line), f)) {
        char *at = line;

        number++;
        line[strcspn(line, "\n")] = 0;
        while (isspace((unsigned char)*at))
            at++;
        if (strncmp(at, "== ", 3) == 0) {
            if (n == max || !header(at, &to[n++])) {
                snprintf(error, SCRIPT_ERROR_B, "%s:%u: not a headline, or too many", path, number);
                fclose(f);
                return -1;
            }
        } else if (*at && *at != '#' && n && to[n - 1].count < SCRIPT_LINES) {
            to[n - 1].numbers[to[n - 1].count] = number;
            to[n - 1].lines[to[n - 1].count++] = strdup(at);
        }
    }
    fclose(f);
    return n;
}

void script_free(struct script *s, int n)
{
    for (int i = 0; i < n; i++) {
        for (unsigned k = 0; k < s[i].count; k++)
            free(s[i].lines[k]);
    }
}
