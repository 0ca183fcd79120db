#include "control/sink.h"
#include "lib/t.h"
#include "lib/tmp.h"

#include <errno.h>
#include <fcntl.h>

static void lines_come_out_in_order(void)
{
    struct tmp t;
    struct sink s;
    struct report *r = report_new();
    char *text;

    tmp_begin(&t);
    T_NEED(IS_OK(sink_open(&s, tmp_path(&t, "a.log"), r)));
    sink_line(&s, SPAN_LIT("one"));
    sink_line(&s, SPAN_NONE);
    sink_line(&s, SPAN_LIT("two"));
    sink_flush(&s);
    text = tmp_read(tmp_path(&t, "a.log"));
    T_STR(text, "one\n\ntwo\n");
    T_EQ(s.lines, 3);
    free(text);
    sink_close(&s);
    sink_line(&s, SPAN_LIT("nowhere"));
    report_free(r);
    tmp_end(&t);
}

static void a_file_is_appended_to_and_opened_again_by_name(void)
{
    struct tmp t;
    struct sink s;
    struct report *r = report_new();
    char *text;

    tmp_begin(&t);
    tmp_write(&t, "a.log", "old\n");
    T_NEED(IS_OK(sink_open(&s, tmp_path(&t, "a.log"), r)));
    sink_line(&s, SPAN_LIT("1"));
    T_NEED(rename(tmp_path(&t, "a.log"), tmp_path(&t, "a.log.1")) == 0);
    T_OK(IS_OK(sink_reopen(&s, r)));
    sink_line(&s, SPAN_LIT("2"));
    sink_close(&s);
    text = tmp_read(tmp_path(&t, "a.log.1"));
    T_STR(text, "old\n1\n");
    free(text);
    text = tmp_read(tmp_path(&t, "a.log"));
    T_STR(text, "2\n");
    free(text);
    report_free(r);
    tmp_end(&t);
}

static void what_cannot_be_opened_is_said(void)
{
    struct tmp t;
    struct sink s;
    struct report *r = report_new();

    tmp_begin(&t);
    T_OK(!IS_OK(sink_open(&s, tmp_path(&t, "no/a.log"), r)));
    T_OK(s.path == NULL);
    T_EQ(r->errors, 1);
    T_NEED(mkfifo(tmp_path(&t, "fifo"), 0600) == 0);
    T_OK(!IS_OK(sink_open(&s, tmp_path(&t, "fifo"), r))); /* nobody reads: no waiting */
    sink_line(&s, SPAN_LIT("x"));
    sink_close(&s);
    report_free(r);
    tmp_end(&t);
}

static void a_failed_reopen_keeps_the_old_file(void)
{
    struct tmp t;
    struct sink s;
    struct report *r = report_new();
    char *text;

    tmp_begin(&t);
    T_NEED(mkdir(tmp_path(&t, "d"), 0755) == 0);
    T_NEED(IS_OK(sink_open(&s, tmp_path(&t, "d/a.log"), r)));
    T_NEED(rename(tmp_path(&t, "d"), tmp_path(&t, "e")) == 0);
    T_OK(!IS_OK(sink_reopen(&s, r)));
    sink_line(&s, SPAN_LIT("still"));
    sink_close(&s);
    text = tmp_read(tmp_path(&t, "e/a.log"));
    T_STR(text, "still\n");
    free(text);
    unlink(tmp_path(&t, "e/a.log"));
    report_free(r);
    tmp_end(&t);
}

static void a_full_disk_is_counted_and_not_waited_for(void)
{
    struct sink s;
    struct report *r = report_new();
    static char line[1000];

    memset(line, 'x', sizeof(line));
    if (access("/dev/full", W_OK) != 0) {
        report_free(r);
        return;
    }
    T_NEED(IS_OK(sink_open(&s, "/dev/full", r)));
    for (int i = 0; i < 1000; i++)
        sink_line(&s, span_of(line, sizeof(line)));
    sink_flush(&s);
    T_EQ(s.error, ENOSPC);
    T_EQ(s.lines, SINK_BUF_B / 1001);
    T_EQ(s.lost, 1000 - SINK_BUF_B / 1001);
    sink_close(&s);
    report_free(r);
}

static void a_stalled_pipe_is_not_waited_for(void)
{
    struct tmp t;
    struct sink s;
    struct report *r = report_new();
    static char line[1000], got[1 << 20];
    size_t total = 0;
    ssize_t n;
    int fd;

    tmp_begin(&t);
    memset(line, 'x', sizeof(line));
    T_NEED(mkfifo(tmp_path(&t, "fifo"), 0600) == 0);
    fd = open(tmp_path(&t, "fifo"), O_RDONLY | O_NONBLOCK);
    T_NEED(IS_OK(sink_open(&s, tmp_path(&t, "fifo"), r)));
    for (int i = 0; i < 1000; i++)
        sink_line(&s, span_of(line, sizeof(line)));
    sink_flush(&s);
    T_OK(s.lost > 0);
    T_EQ(s.lines + s.lost, 1000);
    for (int i = 0; i < 1000 && s.len; i++) { /* somebody reads: what was kept comes whole */
        while ((n = read(fd, got, sizeof(got))) > 0)
            total += (size_t)n;
        sink_flush(&s);
    }
    while ((n = read(fd, got, sizeof(got))) > 0)
        total += (size_t)n;
    T_EQ(total, s.lines * 1001);
    sink_close(&s);
    close(fd);
    report_free(r);
    tmp_end(&t);
}

static void a_line_larger_than_the_buffer_is_lost(void)
{
    struct tmp t;
    struct sink s;
    struct report *r = report_new();
    char *line = (char *)calloc(1, SINK_BUF_B);

    tmp_begin(&t);
    T_NEED(IS_OK(sink_open(&s, tmp_path(&t, "a.log"), r)));
    sink_line(&s, span_of(line, SINK_BUF_B));
    T_EQ(s.lost, 1);
    sink_line(&s, span_of(line, SINK_BUF_B - 1));
    T_EQ(s.lines, 1);
    sink_close(&s);
    free(line);
    report_free(r);
    tmp_end(&t);
}

#define TESTS(X)                                                                           \
    X(lines_come_out_in_order)                                                             \
    X(a_file_is_appended_to_and_opened_again_by_name) X(what_cannot_be_opened_is_said)     \
        X(a_failed_reopen_keeps_the_old_file) X(a_full_disk_is_counted_and_not_waited_for) \
            X(a_stalled_pipe_is_not_waited_for) X(a_line_larger_than_the_buffer_is_lost)
T_MAIN("sink", TESTS)
