#include "lib/t.h"
#include "base/report.c" /* white box */

static void entries_read_as_one_line(void)
{
    struct report *r = report_new();
    char line[200];

    report_add(r, REPORT_ERROR, "edge.conf", 41, "nearest: rto_min", "rto_mim: unknown key");
    report_add(r, REPORT_WARN, "edge.conf", 0, NULL, "no CRL");
    report_add(r, REPORT_NOTE, NULL, 0, NULL, "generation %d", 7);
    report_line(&r->entries[0], line, sizeof(line));
    T_STR(line, "edge.conf:41: rto_mim: unknown key (nearest: rto_min)");
    report_line(&r->entries[1], line, sizeof(line));
    T_STR(line, "edge.conf: warning: no CRL");
    report_line(&r->entries[2], line, sizeof(line));
    T_STR(line, "note: generation 7");
    T_EQ(r->errors, 1);
    T_EQ(r->warnings, 1);
    report_free(r);
}

static void a_full_report_counts_on(void)
{
    struct report *r = report_new();

    for (int i = 0; i < REPORT_MAX + 5; i++)
        report_add(r, REPORT_ERROR, "f", i, NULL, "mistake");
    T_EQ(r->count, REPORT_MAX);
    T_EQ(r->lost, 5);
    T_EQ(r->errors, REPORT_MAX + 5);
    report_free(r);
}

#define TESTS(X) X(entries_read_as_one_line) X(a_full_report_counts_on)
T_MAIN("report", TESTS)
