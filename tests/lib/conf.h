/**
 * conf: a small good configuration for tests, of which single keys can be replaced.
 */
#ifndef SALLYPORT_TESTS_CONF_H
#define SALLYPORT_TESTS_CONF_H

#include "config/cfg.h"

#include <stdio.h>
#include <string.h>

/*
 * libconfig 1.5 loses the text that it has just read when a syntax error follows it. Theirs, bounded by
 * one text per refused file; the leak checker need not tell us again.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

static const struct {
    const char *key, *text;
} conf_base[] = {
    {"ports", "ports = ( { name = \"p0\"; device = \"tap:t0\"; addresses = [ \"10.77.0.1/24\" ]; "
              "gateway = \"10.77.0.254\"; } );\n"},
    {"trust", "trust = ( { name = \"staff\"; anchors = [ \"ca.pem\" ]; },\n"
              "  { name = \"backends\"; anchors = [ \"be.pem\" ]; } );\n"},
    {"identities", "identities = ( { name = \"gw\"; cert = \"gw.pem\"; key = \"gw.key\"; },\n"
                   "  { name = \"gw-client\"; cert = \"c.pem\"; key = \"c.key\"; } );\n"},
    {"listeners", "listeners = ( { address = \"10.77.0.1:443\"; } );\n"},
    {"hosts", "hosts = ( { name = \"gw.example\"; identities = [ \"gw\" ];\n"
              "  client_cert = { mode = \"optional\"; trust = [ \"staff\" ]; };\n"
              "  locations = ( { path = \"/\"; upstream = \"web\"; } ); } );\n"},
    {"upstreams", "upstreams = ( { name = \"web\";\n"
                  "  tls = { identity = \"gw-client\"; trust = [ \"backends\" ]; };\n"
                  "  members = ( { address = \"10.77.0.11:443\"; } ); } );\n"},
};

/* `own` first, then what it does not give itself. */
static inline void conf_text(char *out, size_t cap, const char *own)
{
    size_t len = (size_t)snprintf(out, cap, "%s\n", own);

    for (size_t i = 0; i < sizeof(conf_base) / sizeof(conf_base[0]); i++) {
        char first[32], later[32];

        snprintf(first, sizeof(first), "%s = ", conf_base[i].key);
        snprintf(later, sizeof(later), "\n%s = ", conf_base[i].key);
        if (strncmp(own, first, strlen(first)) != 0 && !strstr(own, later) && len < cap)
            len += (size_t)snprintf(out + len, cap - len, "%s", conf_base[i].text);
    }
}

static inline res conf_parse(const char *own, struct report *r, struct cfg **out)
{
    static char text[65536];
    struct cfg_input in = {.file = "/etc/sp/test.conf", .no_files = true};

    conf_text(text, sizeof(text), own);
    in.text = span_str(text);
    return cfg_parse(&in, r, out);
}

/* All mistakes of a report in one text, for messages of tests. */
static inline const char *conf_report(const struct report *r)
{
    static char text[16384];
    struct sb s = sb_of(text, sizeof(text));

    for (uint32_t i = 0; i < r->count; i++) {
        char line[2048];

        report_line(&r->entries[i], line, sizeof(line));
        sb_fmt(&s, "%s\n", line);
    }
    return text;
}

#endif
