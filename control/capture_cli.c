#include "control/capture_cli.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_NS 50000000 /* between two questions when nothing was there */

static volatile sig_atomic_t ended;

static void end(int signal)
{
    (void)signal;
    ended = 1;
}

void capture_cli_usage(FILE *f)
{
    fprintf(f, "  capture FILE [filter] [count]  packets into a pcapng file; filter: "
               "host=10.0.0.0/8,tcp=443,port=0,snap=128\n");
}

/* --- pcapng: blocks of type, length, body, length; in the byte order of this machine --- */

static void block(FILE *f, uint32_t type, const void *body, uint32_t len)
{
    uint32_t total = 12 + ((len + 3) & ~3u), zero = 0;

    fwrite(&type, 4, 1, f);
    fwrite(&total, 4, 1, f);
    fwrite(body, 1, len, f);
    fwrite(&zero, 1, total - 12 - len, f);
    fwrite(&total, 4, 1, f);
}

static void headers(FILE *f, uint32_t ports)
{
    static const uint32_t section[] = {0x1a2b3c4d, 1, UINT32_MAX, UINT32_MAX};
    struct {
        uint16_t link, reserved;
        uint32_t snap;
        uint16_t code, len;
        uint8_t resolution, pad[3]; /* if_tsresol: 10^-9 s */
        uint16_t name_code, name_len;
        char name[8];
        uint32_t end;
    } port = {.link = 1, .code = 9, .len = 1, .resolution = 9, .name_code = 2, .name_len = 5};

    block(f, 0x0a0d0d0a, section, sizeof(section));
    for (uint32_t i = 0; i < ports; i++) {
        snprintf(port.name, sizeof(port.name), "port%c", (char)('0' + i % 10));
        block(f, 1, &port, sizeof(port));
    }
}

static bool packet(FILE *f, const json_t *p)
{
    const char *hex = json_string_value(json_object_get(p, "data"));
    size_t n = json_string_length(json_object_get(p, "data")) / 2, at = 20;
    uint64_t ns = (uint64_t)json_integer_value(json_object_get(p, "ns"));
    uint32_t head[5] = {(uint32_t)json_integer_value(json_object_get(p, "port")),
                        (uint32_t)(ns >> 32), (uint32_t)ns, (uint32_t)n,
                        (uint32_t)json_integer_value(json_object_get(p, "len"))};
    /* epb_flags: 1 in, 2 out */
    uint32_t options[3] = {4u << 16 | 2, json_is_true(json_object_get(p, "out")) ? 2 : 1, 0};
    uint8_t *body = hex ? (uint8_t *)calloc(1, 20 + n + 3 + sizeof(options)) : NULL;

    if (!body)
        return false;
    memcpy(body, head, sizeof(head));
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};

        body[at++] = (uint8_t)strtoul(two, NULL, 16);
    }
    at = (at + 3) & ~(size_t)3;
    memcpy(body + at, options, sizeof(options));
    block(f, 6, body, (uint32_t)(at + sizeof(options)));
    free(body);
    return true;
}

/* --- talking --- */

static json_t *question(int fd, capture_ask *ask, const char *line)
{
    char *text = ask(fd, line);
    json_t *o = text ? json_loads(text, 0, NULL) : NULL;

    free(text);
    return o;
}

static int refused(const json_t *o)
{
    const json_t *e = json_array_get(json_object_get(o, "errors"), 0);

    if (!o) {
        fprintf(stderr, "sallyctl: no answer\n");
        return 3;
    }
    fprintf(stderr, "%s (%s)\n", json_string_value(json_object_get(e, "what")),
            json_string_value(json_object_get(e, "hint")));
    return 1;
}

static json_t *begin(int fd, capture_ask *ask, const char *filter)
{
    json_t *o = json_pack("{s:s}", "cmd", "capture-begin");
    char *line;
    json_t *answer;

    if (filter)
        json_object_set_new(o, "filter", json_string(filter));
    line = json_dumps(o, JSON_COMPACT);
    answer = line ? question(fd, ask, line) : NULL;
    free(line);
    json_decref(o);
    return answer;
}

static int copy(FILE *f, int fd, capture_ask *ask, uint64_t count)
{
    static const struct timespec nap = {0, POLL_NS};
    uint64_t done = 0, lost = 0;

    while (!ended && done < count) {
        json_t *o = question(fd, ask, "{\"cmd\":\"capture-read\"}"),
               *list = json_object_get(o, "packets"), *p;
        size_t i;

        if (!json_is_true(json_object_get(o, "ok"))) {
            json_decref(o);
            break;
        }
        json_array_foreach(list, i, p)
        {
            if (done < count && packet(f, p))
                done++;
        }
        lost = (uint64_t)json_integer_value(json_object_get(o, "lost"));
        if (json_array_size(list) == 0) {
            fflush(f);
            nanosleep(&nap, NULL);
        }
        json_decref(o);
    }
    fprintf(stderr, "%llu packets, %llu lost for want of room\n", (unsigned long long)done,
            (unsigned long long)lost);
    json_decref(question(fd, ask, "{\"cmd\":\"capture-end\"}"));
    return ferror(f) ? 1 : 0;
}

int capture_cli(int argc, char **argv, int fd, capture_ask *ask)
{
    uint64_t count = UINT64_MAX;
    const char *filter = NULL;
    struct sigaction on_end = {.sa_handler = end};
    json_t *o;
    FILE *f;
    int code;

    for (int i = 1; i < argc; i++) {
        if (strspn(argv[i], "0123456789") == strlen(argv[i]))
            count = strtoull(argv[i], NULL, 10);
        else
            filter = argv[i];
    }
    f = fopen(argv[0], "wbe");
    if (!f) {
        fprintf(stderr, "sallyctl: %s: %s\n", argv[0], strerror(errno));
        return 2;
    }
    sigaction(SIGINT, &on_end, NULL);
    sigaction(SIGTERM, &on_end, NULL);
    o = begin(fd, ask, filter);
    if (json_is_true(json_object_get(o, "ok"))) {
        headers(f, (uint32_t)json_integer_value(json_object_get(o, "ports")));
        code = copy(f, fd, ask, count);
    } else {
        code = refused(o);
    }
    json_decref(o);
    return fclose(f) == 0 ? code : 1;
}
