/**
 * ctl: the control side as one object: the present generation and those that are still read, the slots, the
 * logs, the data plane. One thread.
 *
 *     ctl_open      read and check the file, build generation 1, open the logs
 *     ctl_start     start the data plane and publish
 *     ctl_tick      every few milliseconds: logs out of the rings, old generations freed
 *     ctl_reload    another file, or the same one again
 *     ctl_stop      begin to drain; ctl_tick answers CTL_STOPPED when the cores have ended
 *     ctl_close
 */
#ifndef SALLYPORT_CONTROL_CTL_H
#define SALLYPORT_CONTROL_CTL_H

#include "control/access_text.h"
#include "control/elog.h"
#include "control/fetch.h"
#include "control/gen.h"
#include "control/ocsp_cache.h"
#include "control/staples.h"
#include "dp.h"

#include <pthread.h>

#define CTL_PUBLISH_MS 2000  /* a core that takes longer to adopt a generation is told of */
#define CTL_START_MS   30000 /* and one that takes longer for its first has not started */
#define CTL_FETCHES    32    /* requests elsewhere, at once */

enum ctl_state { CTL_READY, CTL_RUNNING, CTL_DRAINING, CTL_STOPPED };

struct ctl_stop {
    pthread_t thread;
    uint32_t deadline_ms;
    bool begun;
    int done;    /* atomic; set by the thread */
    bool forced; /* connections were aborted at the deadline */
};

struct ctl {
    enum ctl_state state;
    char *file; /* of the present configuration, as it was named */
    struct dp_config dp_cfg;
    struct arena boot; /* texts of dp_cfg */
    struct dp *dp;
    struct gen *now, *retired;
    const struct gen *coming; /* cores are adopting it */
    bool capturing;           /* packets, for a client that comes back for them */
    uint64_t capture_read_ns, capture_full;
    struct slots *slots;
    struct captures captures;
    struct sink access;
    struct elog elog;
    struct crls *crls;   /* lists that are fetched */
    struct fetch *fetch; /* of everything that asks elsewhere; daemon.c gives it its turns */
    struct staples *staples;
    struct ocsp_table *ocsp_table; /* cores read it */
    struct ocsp_cache *ocsp;
    bool late;           /* a core has not taken the present generation yet */
    bool may_hold;       /* a trust set in force has requests wait for OCSP */
    char *line;          /* ACCESS_TEXT_MAX_B */
    uint64_t started_ns; /* CLOCK_MONOTONIC */
    int64_t loaded_s;    /* wall clock of the last publication */
    struct ticket_set
        pushed;          /* Secret. Ticket keys that came over the socket; they outlive reloads */
    uint64_t adopted_ns; /* how long all cores took for it */
    uint64_t effect_us;  /* until it had reached the open connections, on the slowest core */
    uint32_t effect_cores_left; /* that had not yet when the answer was given */
    uint64_t last_gen;          /* numbers are never used twice */
    uint64_t reloads_good, reloads_bad;
    uint64_t records_bad; /* in a ring, not whole */
    uint64_t lost_said[SNAP_CORES_MAX];
    uint64_t lost_said_ns;
    int access_error_said, error_error_said; /* errno that was told of */
    struct ctl_stop stop;
};

MUST_CHECK res ctl_open(const char *file, struct report *report, struct ctl **out);
MUST_CHECK res ctl_start(struct ctl *c, struct report *report);
void ctl_close(struct ctl *c);

/* What `sallyport --check` and the command `check` do: everything but using it. */
/**
 * Ticket keys from a file or a text instead of the configuration's, in force with the next generation, which
 * is made at once; both NULL: those of the configuration again.
 */
MUST_CHECK res ctl_tickets(struct ctl *c, const char *file, const char *keys,
                           struct report *report);
MUST_CHECK res ctl_check(const char *file, struct report *report);

/**
 * `file` may be NULL: the present one again. Log files are opened again in any case.
 * Returns  FAIL: nothing has changed, the report says why, and so does the error log
 */
MUST_CHECK res ctl_reload(struct ctl *c, const char *file, struct report *report);
MUST_CHECK res ctl_reopen_logs(struct ctl *c, struct report *report);

/* True: there was something to do, so call again soon. */
bool ctl_tick(struct ctl *c);

/* No more copies of packets; ctl_tick does it when nobody has come for them in a while. */
void ctl_capture_end(struct ctl *c);

/* Begin to drain. Nothing happens when it has begun already. */
void ctl_stop(struct ctl *c, uint32_t deadline_ms);

uint32_t ctl_retired_count(const struct ctl *c);
uint64_t ctl_mono_ns(void);
int64_t ctl_wall_s(void);

/* ctl_logs.c: records out of the rings. True: there were some. */
bool ctl_drain(struct ctl *c);
void ctl_logs_flush(struct ctl *c);
/* Open what a configuration names; on failure neither is open. Then put them in the place of the present ones. */
MUST_CHECK res ctl_logs_open(const struct cfg *cfg, struct report *report, struct sink *access,
                             struct sink *error);
void ctl_logs_use(struct ctl *c, const struct cfg *cfg, const struct sink *access,
                  const struct sink *error);

/* ctl_crls.c: lists that come within control.crl_wait are in the first generation; those that come later make one. */
void ctl_first_lists(struct ctl *c, struct report *report);
void ctl_renew(struct ctl *c);

/* ctl_fetch.c: is what `fetch` names there; use it for all requests from now on. */
MUST_CHECK res ctl_fetch_check(const struct cfg *cfg, struct report *report);
MUST_CHECK res ctl_fetch_use(struct ctl *c, const struct cfg *cfg);

/* Inside of ctl*.c: the steps of a reload. *cfg is taken on success; that of the present generation renews it. */
MUST_CHECK res ctl_build(struct ctl *c, struct cfg **cfg, struct report *report, struct gen **out);
/* From here on `next`, of the last ctl_build, is in force: on all cores, or on the late ones as soon as they run. */
MUST_CHECK res ctl_publish(struct ctl *c, struct gen *next, uint32_t ms, struct report *report);
MUST_CHECK res ctl_put_in_force(struct ctl *c, struct gen *next, struct report *report);
/* Frees what no core and no request uses any more. */
void ctl_reap(struct ctl *c);

#endif
