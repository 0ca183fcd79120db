/* capture-begin, capture-read, capture-end: packets for `sallyctl capture`, which writes the file. */
#include "control/cmd.h"

#include <stdlib.h>

#define READ_MAX_B (1u << 20) /* of frames in one answer */

static bool refuse(struct report *r, const char *word)
{
    report_add(r, REPORT_ERROR, NULL, 0,
               "write host=ADDRESS[/BITS], tcp=PORT, port=INDEX or snap=BYTES, with commas",
               "not a filter of packets: \"%s\"", word);
    return false;
}

static bool number(const char *text, long lo, long hi, long *out)
{
    char *end;

    *out = strtol(text, &end, 10);
    return *text && *end == 0 && *out >= lo && *out <= hi;
}

static bool one_word(struct capture_filter *f, char *word, struct report *r)
{
    char *value = strchr(word, '=');
    long n;

    if (!value)
        return refuse(r, word);
    *value++ = 0;
    if (strcmp(word, "host") == 0) {
        f->by_host = true;
        return IS_OK(ip_prefix_parse(span_str(value), &f->host)) || refuse(r, value);
    }
    if (strcmp(word, "tcp") == 0 && number(value, 1, 65535, &n))
        f->tcp_port = (uint16_t)n;
    else if (strcmp(word, "port") == 0 && number(value, 0, DP_PORTS_MAX - 1, &n))
        f->port = (int16_t)n;
    else if (strcmp(word, "snap") == 0 && number(value, 14, CAPTURE_SNAP, &n))
        f->snap = (uint16_t)n;
    else
        return refuse(r, word);
    return true;
}

json_t *cmd_capture_begin(struct ctl *c, const struct msg *m, struct report *r)
{
    struct capture_filter f = {.port = -1, .snap = CAPTURE_SNAP};
    char text[MSG_TEXT_B], *save = NULL;

    snprintf(text, sizeof(text), "%s", m->args[0].given ? m->args[0].text : "");
    for (char *w = strtok_r(text, ", ", &save); w; w = strtok_r(NULL, ", ", &save)) {
        if (!one_word(&f, w, r))
            return NULL;
    }
    if (c->capturing) {
        report_add(r, REPORT_ERROR, NULL, 0,
                   "one at a time: it ends five seconds after its reader went away",
                   "a capture is running");
        return NULL;
    }
    c->capture_full = 0;
    for (unsigned i = 0; i < dp_cores(c->dp); i++) {
        c->capture_full += ring_full(&dp_capture(c->dp, i)->ring);
        capture_begin(dp_capture(c->dp, i), &f);
    }
    c->capturing = true;
    c->capture_read_ns = ctl_mono_ns();
    return json_pack("{s:b,s:I}", "ok", 1, "ports", (json_int_t)c->dp_cfg.port_count);
}

static json_t *frame(struct ctl *c, unsigned core, struct span record)
{
    static const char digits[] = "0123456789abcdef";
    struct capture_head h;
    size_t n = record.len - sizeof(h);
    char *hex = (char *)malloc(2 * n + 1);
    json_t *o;

    if (!hex)
        return NULL;
    memcpy(&h, record.p, sizeof(h));
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[record.p[sizeof(h) + i] >> 4];
        hex[2 * i + 1] = digits[record.p[sizeof(h) + i] & 15];
    }
    o = json_pack("{s:i,s:i,s:b,s:I,s:I,s:s#}", "core", (int)core, "port", (int)h.port, "out",
                  (int)h.out, "ns", (json_int_t)(h.ts_ns + dp_wall_offset_ns(c->dp)), "len",
                  (json_int_t)h.len, "data", hex, (int)(2 * n));
    free(hex);
    return o;
}

json_t *cmd_capture_read(struct ctl *c, struct report *r)
{
    json_t *list;
    uint64_t full = 0;
    size_t bytes = 0;

    if (!c->capturing) {
        report_add(r, REPORT_ERROR, NULL, 0, "sallyctl capture FILE begins one",
                   "no capture is running");
        return NULL;
    }
    list = json_array();
    c->capture_read_ns = ctl_mono_ns();
    for (unsigned i = 0; i < dp_cores(c->dp); i++) {
        struct ring *ring = &dp_capture(c->dp, i)->ring;
        struct span record;
        uint16_t kind;

        full += ring_full(ring);
        while (bytes < READ_MAX_B && ring_peek(ring, &kind, &record)) {
            json_array_append_new(list, frame(c, i, record));
            bytes += record.len;
            ring_next(ring);
        }
    }
    return json_pack("{s:b,s:I,s:o}", "ok", 1, "lost", (json_int_t)(full - c->capture_full),
                     "packets", list);
}
