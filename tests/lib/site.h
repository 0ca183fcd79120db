/**
 * site: a folder with a good configuration and the files that it names (certificates as the fake crypto reads
 * them), for tests of control/.
 */
#ifndef SALLYPORT_TESTS_SITE_H
#define SALLYPORT_TESTS_SITE_H

#include "lib/conf.h"
#include "lib/fake_crypto.h"
#include "lib/fake_dp.h"
#include "lib/tmp.h"

struct site {
    struct tmp tmp;
    struct report *report;
};

static inline const char *site_file(struct site *s)
{
    return tmp_path(&s->tmp, "sp.conf");
}

/* The configuration: `own`, and what it does not say itself. The socket is in the folder. */
static inline void site_write(struct site *s, const char *own)
{
    char text[65536];
    size_t len;

    conf_text(text, sizeof(text), own);
    len = strlen(text);
    snprintf(text + len, sizeof(text) - len, "%s%s", strstr(own, "cores = ") ? "" : "cores = 1;\n",
             strstr(own, "control = ") ? "" : "control = { socket = \"c.sock\"; };\n");
    tmp_write(&s->tmp, "sp.conf", text);
}

static inline void site_begin(struct site *s)
{
    static const char *const files[] = {"ca.pem", "be.pem", "gw.pem", "gw.key", "c.pem", "c.key"};

    fake_dp_reset();
    memset(&fake_crypto, 0, sizeof(fake_crypto));
    tmp_begin(&s->tmp);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        tmp_write(&s->tmp, files[i], files[i]);
    s->report = report_new();
    site_write(s, "");
}

static inline void site_end(struct site *s)
{
    report_free(s->report);
    tmp_end(&s->tmp);
}

/* Nothing of the crypto is left behind. */
static inline bool site_clean(void)
{
    return fake_crypto.trusts == 0 && fake_crypto.identities == 0 && fake_crypto.profiles == 0 &&
           fake_crypto.crls == 0;
}

#endif
