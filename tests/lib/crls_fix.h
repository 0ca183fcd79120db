/**
 * crls_fix: a control side with trust sets whose lists are fetched from a server of ours, with fake certificates.
 */
#ifndef SALLYPORT_TESTS_CRLS_FIX_H
#define SALLYPORT_TESTS_CRLS_FIX_H

#include "control/cmd.h"
#include "control/crls_parts.h"
#include "lib/httpd.h"
#include "lib/site.h"
#include "lib/t.h"

#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n"

struct fix {
    struct site site;
    struct ctl *ctl;
    struct httpd h;
    struct httpd_answer answers[4];
    char text[4][1024];
    char own[2048];
    const char *control; /* keys; NULL: a start waits for no list */
};

/* What the server says from now on for /0, /1, ... */
static inline void serve(struct fix *f, int i, const char *fields, const char *body)
{
    char text[1024];

    snprintf(text, sizeof(text), HEAD "%sContent-Length: %zu\r\n\r\n%s", fields, strlen(body),
             body);
    pthread_mutex_lock(&f->h.lock);
    strcpy(f->text[i], text);
    f->answers[i].text = f->text[i];
    pthread_mutex_unlock(&f->h.lock);
}

static inline void serve_raw(struct fix *f, int i, const char *text)
{
    pthread_mutex_lock(&f->h.lock);
    if (text)
        strcpy(f->text[i], text);
    f->answers[i].text = text ? f->text[i] : NULL;
    pthread_mutex_unlock(&f->h.lock);
}

static inline void open_server(struct fix *f)
{
    static const char *const paths[] = {"/0", "/1", "/2", "/3"};

    memset(f, 0, sizeof(*f));
    site_begin(&f->site);
    for (int i = 0; i < 4; i++)
        f->answers[i] = (struct httpd_answer){paths[i], f->text[i], 0};
    httpd_begin(&f->h, f->answers, 4);
}

static inline const char *conf(struct fix *f, const char *keys, const char *more)
{
    snprintf(f->own, sizeof(f->own),
             "error_log = { path = \"e.log\"; };\n"
             "control = { socket = \"c.sock\"; %s };\n"
             "trust = ( { name = \"staff\"; anchors = \"ca.pem\"; %s }, { name = \"backends\"; "
             "anchors = \"be.pem\"; } );\n%s",
             f->control ? f->control : "crl_wait = 0;", keys, more);
    return f->own;
}

/* One URL: /0 */
static inline const char *one_url(struct fix *f, const char *more)
{
    char keys[512];

    snprintf(keys, sizeof(keys), "crl_url = \"%s\"; crl_max = \"1k\"; %s", httpd_url(&f->h, "/0"),
             more);
    return conf(f, keys, "");
}

static inline void start(struct fix *f, const char *own)
{
    site_write(&f->site, own);
    report_clear(f->site.report);
    if (!IS_OK(ctl_open(site_file(&f->site), f->site.report, &f->ctl)))
        t_fail(__FILE__, __LINE__, "%s", conf_report(f->site.report));
    T_NEED(f->ctl != NULL);
    T_NEED(IS_OK(ctl_start(f->ctl, f->site.report)));
}

static inline void end(struct fix *f)
{
    ctl_close(f->ctl);
    T_OK(site_clean());
    httpd_end(&f->h);
    site_end(&f->site);
}

static inline void turn(struct fix *f)
{
    struct pollfd p = {.fd = fetch_fd(f->ctl->fetch), .events = POLLIN};

    (void)poll(&p, 1, 2);
    fetch_turn(f->ctl->fetch);
    (void)ctl_tick(f->ctl);
}

/* Until no request is under way and all that came is used. */
static inline void settle(struct fix *f)
{
    for (int i = 0; i < 30000; i++) {
        turn(f);
        if (i > 5 && fetch_count(f->ctl->fetch) == 0 && !f->ctl->crls->dirty)
            return;
    }
    t_fail(__FILE__, __LINE__, "it does not settle");
}

static inline void ask(struct fix *f)
{
    crls_ask_all(f->ctl->crls);
    f->ctl->crls->look_ms = 0;
    settle(f);
}

static inline uint32_t lists(const struct fix *f)
{
    return fake_trust_lists(f->ctl->now->snap.trusts[0].trust);
}

static inline struct crls_view view(const struct fix *f)
{
    struct crls_view v;

    T_NEED(crls_look(f->ctl->crls, 0, crls_mono_ms(), &v));
    return v;
}

static inline bool log_has(struct fix *f, const char *part)
{
    char *text;
    bool found;

    (void)ctl_tick(f->ctl);
    text = tmp_read(tmp_path(&f->site.tmp, "e.log"));
    found = strstr(text, part) != NULL;
    if (!found)
        fprintf(stderr, "the log has no '%s' but:\n%s", part, text);
    free(text);
    return found;
}

static const char first_list[] = "crl A 5 1000 4000000000 3";

#endif
