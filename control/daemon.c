#include "control/daemon.h"

#include "control/notify.h"
#include "control/sock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BUSY_MS 2
#define HELD_MS 5 /* requests may be held for an answer that a core asks us for */
#define IDLE_MS 50

struct daemon {
    struct ctl *ctl;
    struct sock *sock;
    int signals;
    bool stopping_said;
};

static void print_report(const struct report *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        char line[2048];

        report_line(&r->entries[i], line, sizeof(line));
        fprintf(stderr, "%s\n", line);
    }
    if (r->lost)
        fprintf(stderr, "... and %u more\n", r->lost);
}

/* Before any thread is made, so that all of them leave the signals to this one. */
static int take_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void reload(struct daemon *d)
{
    struct report *r = report_new();
    char state[64];

    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)(ctl_mono_ns() / 1000));
    (void)notify(state);
    /* What is wrong stands in the error log. */
    if (r && !IS_OK(ctl_reload(d->ctl, NULL, r)))
        (void)notify("STATUS=reload refused, see the error log");
    (void)notify("READY=1");
    report_free(r);
}

/* False: the second request to end; do not wait any longer. */
static bool on_signal(struct daemon *d)
{
    struct signalfd_siginfo info;

    while (read(d->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            reload(d);
        } else if (d->ctl->state == CTL_RUNNING) {
            ctl_stop(d->ctl, d->ctl->now->cfg->timeouts->drain_ms);
        } else {
            elog(&d->ctl->elog, LOG_OPER, "stop.forced", "why", "a second signal", NULL);
            ctl_logs_flush(d->ctl);
            return false;
        }
    }
    return true;
}

static int wait_ms(const struct daemon *d, bool busy)
{
    int most = busy               ? BUSY_MS
               : d->ctl->may_hold ? HELD_MS
                                  : IDLE_MS,
        fetch = fetch_wait_ms(d->ctl->fetch);

    return fetch >= 0 && fetch < most ? fetch : most;
}

static bool turn(struct daemon *d, bool busy)
{
    struct pollfd polls[2 + SOCK_POLLS_MAX] = {{.fd = d->signals, .events = POLLIN},
                                               {.fd = fetch_fd(d->ctl->fetch), .events = POLLIN}};
    nfds_t n = 2 + sock_polls(d->sock, polls + 2);

    if (poll(polls, n, wait_ms(d, busy)) < 0 && errno != EINTR)
        return false;
    if (polls[0].revents && !on_signal(d))
        return false;
    sock_turn(d->sock, polls + 2, n - 2, d->ctl);
    fetch_turn(d->ctl->fetch);
    if (d->ctl->state == CTL_DRAINING && !d->stopping_said)
        d->stopping_said = notify("STOPPING=1") || true;
    return true;
}

static void say_ready(const struct ctl *c)
{
    const struct snap *s = &c->now->snap;

    printf("sallyport: ready, %u core%s, listening on", dp_cores(c->dp),
           dp_cores(c->dp) == 1 ? "" : "s");
    for (uint32_t i = 0; i < s->listener_count; i++) {
        char text[EP_TEXT_MAX];
        struct sb b = sb_of(text, sizeof(text));

        endpoint_text(&b, &s->listeners[i].local);
        printf("%s %s%s", i ? "," : "", text, s->listeners[i].tls ? "" : " (no TLS)");
    }
    printf("\n");
    fflush(stdout);
    (void)notify("READY=1");
}

static int run(struct daemon *d)
{
    bool busy = false;

    say_ready(d->ctl);
    while (d->ctl->state != CTL_STOPPED) {
        if (!turn(d, busy)) {
            sock_close(d->sock);
            _exit(EXIT_FORCED); /* cores are still at work: nothing can be given back in order */
        }
        busy = ctl_tick(d->ctl);
    }
    return EXIT_ENDED;
}

/* *code tells what went wrong when this fails. */
static res start(struct daemon *d, const char *file, struct report *r, int *code)
{
    *code = EXIT_START;
    d->signals = take_signals();
    if (d->signals < 0) {
        report_add(r, REPORT_ERROR, NULL, 0, NULL, "signals: %s", strerror(errno));
        return ERR(IO);
    }
    *code = EXIT_CONFIG;
    TRY(ctl_open(file, r, &d->ctl));
    *code = EXIT_START;
    TRY(sock_open(d->ctl->now->cfg->control, r, &d->sock));
    return ctl_start(d->ctl, r);
}

int daemon_run(const char *file)
{
    struct daemon d = {.signals = -1};
    struct report *r = report_new();
    int code = EXIT_START;
    res started = r ? start(&d, file, r, &code) : ERR(NOMEM);

    if (r)
        print_report(r);
    if (!IS_OK(started) && (!r || !r->errors))
        fprintf(stderr, "sallyport: could not be started\n");
    report_free(r);
    if (IS_OK(started))
        code = run(&d);
    sock_close(d.sock);
    ctl_close(d.ctl);
    if (d.signals >= 0)
        close(d.signals);
    return code;
}
