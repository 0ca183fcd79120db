#include "control/msg.h"
#include "control/sock.h"
#include "lib/site.h"
#include "lib/t.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

struct fix {
    struct site site;
    struct ctl *ctl;
    struct sock *sock;
};

static void begin(struct fix *f, const char *own)
{
    memset(f, 0, sizeof(*f));
    site_begin(&f->site);
    site_write(&f->site, own);
    T_NEED(IS_OK(ctl_open(site_file(&f->site), f->site.report, &f->ctl)));
    T_NEED(IS_OK(sock_open(f->ctl->now->cfg->control, f->site.report, &f->sock)));
    T_NEED(IS_OK(ctl_start(f->ctl, f->site.report)));
}

static void end(struct fix *f)
{
    sock_close(f->sock);
    ctl_close(f->ctl);
    T_OK(site_clean());
    site_end(&f->site);
}

static void turns(struct fix *f, int n)
{
    struct pollfd polls[SOCK_POLLS_MAX];

    for (int i = 0; i < n; i++) {
        nfds_t count = sock_polls(f->sock, polls);

        (void)poll(polls, count, 0);
        sock_turn(f->sock, polls, count, f->ctl);
    }
}

static int dial(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int reach(struct fix *f)
{
    int fd = dial(tmp_path(&f->site.tmp, "c.sock"));

    T_NEED(fd >= 0);
    return fd;
}

/* What is answered to these bytes; to be freed. */
static char *ask(struct fix *f, int fd, const char *text, size_t len)
{
    size_t sent = 0, cap = 1 << 20, got = 0;
    char *answer = (char *)calloc(1, cap);

    for (int i = 0; i < 200; i++) {
        ssize_t n;

        if (sent < len) {
            n = send(fd, text + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            sent += n > 0 ? (size_t)n : 0;
        }
        turns(f, 1);
        n = recv(fd, answer + got, cap - got - 1, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
        if (n == 0)
            break;
    }
    return answer;
}

static char *ask_text(struct fix *f, const char *text)
{
    int fd = reach(f);
    char *answer = ask(f, fd, text, strlen(text));

    close(fd);
    turns(f, 2);
    return answer;
}

static bool answers(struct fix *f, const char *text, const char *part)
{
    char *answer = ask_text(f, text);
    bool found = strstr(answer, part) != NULL;

    if (!found)
        fprintf(stderr, "'%s' is answered with %.2000s\n", text, answer);
    free(answer);
    return found;
}

static void every_command_answers(void)
{
    struct fix f;

    begin(&f, "error_log = { path = \"e.log\"; };\naccess_log = { path = \"a.log\"; };");
    T_OK(answers(&f, "{\"cmd\":\"status\"}\n", "{\"ok\":true,\"state\":\"running\""));
    T_OK(answers(&f, "{\"cmd\":\"status\"}\n", "\"generation\":1,"));
    T_OK(answers(&f, "{\"cmd\":\"status\"}\n", "\"address\":\"10.77.0.1:443\",\"tls\":true"));
    T_OK(answers(&f, "{\"cmd\":\"status\"}\n", "\"port\":\"p0\",\"is\":\"fake port 0\""));
    T_OK(answers(&f, "{\"cmd\":\"stats\"}\n",
                 "{\"counter\":\"resets\",\"value\":11,\"help\":\"resets sent\"}"));
    T_OK(answers(&f, "{\"cmd\":\"stats\",\"block\":\"proxy\",\"core\":0}\n",
                 "{\"ok\":true,\"blocks\":[{\"block\":\"proxy\",\"counters\":[{\"counter\":"
                 "\"requests\",\"value\":100"));
    T_OK(answers(&f, "{\"cmd\":\"stats\",\"block\":\"all\"}\n", "\"block\":\"tcp\""));
    T_OK(answers(&f, "{\"cmd\":\"reload\"}\n",
                 "{\"ok\":true,\"generation\":2,\"adopted_us\":123,"
                 "\"effect_us\":456,\"effect_cores_left\":0}"));
    T_OK(answers(&f, "{\"cmd\":\"check\"}\n", "{\"ok\":true}"));
    T_OK(answers(&f, "{\"cmd\":\"config\"}\n", "\\nhosts = (\\n"));
    T_OK(answers(&f, "{\"cmd\":\"reopen\"}\n", "{\"ok\":true}"));
    T_OK(answers(&f, "{\"cmd\":\"version\",\"verbose\":true}\n",
                 "\"parts\":\"fake 1.0\\nverbose\\n\""));
    T_OK(answers(&f, "{\"cmd\":\"help\"}\n",
                 "{\"command\":\"stats\",\"arguments\":\"[block] [core]\""));
    T_OK(answers(&f, "{\"cmd\":\"stop\",\"deadline\":\"5ms\"}\n",
                 "{\"ok\":true,\"deadline_ms\":5}"));
    T_OK(f.ctl->state != CTL_RUNNING);
    T_OK(answers(&f, "{\"cmd\":\"reload\"}\n", "it is being stopped"));
    end(&f);
}

static void mistakes_come_with_file_and_line(void)
{
    struct fix f;

    begin(&f, "");
    site_write(&f.site, "\ncorse = 1;");
    T_OK(answers(&f, "{\"cmd\":\"reload\"}\n", "{\"ok\":false,\"errors\":[{\"file\":\""));
    T_OK(answers(&f, "{\"cmd\":\"reload\"}\n",
                 "sp.conf\",\"line\":2,\"what\":\"corse: unknown key\",\"hint\":\"did you mean "
                 "\\\"cores\\\"?\"}]}"));
    T_OK(answers(&f, "{\"cmd\":\"check\"}\n", "corse: unknown key"));
    T_OK(answers(&f, "{\"cmd\":\"check\",\"file\":\"/nonexistent\"}\n", "No such file"));
    T_OK(answers(&f, "{\"cmd\":\"stats\",\"block\":\"tpc\"}\n", "did you mean \\\"tcp\\\"?"));
    T_OK(answers(&f, "{\"cmd\":\"stats\",\"block\":\"xyz\"}\n", "there are: tcp proxy"));
    T_OK(answers(&f, "{\"cmd\":\"stats\",\"core\":7}\n", "there are 1 cores"));
    T_EQ(fake_dp.published, 1);
    end(&f);
}

static void hostile_lines_are_answered(void)
{
    struct fix f;
    char *text = (char *)malloc(200000), *answer;
    int fd;

    begin(&f, "");
    T_OK(answers(&f, "\n", "not JSON"));
    T_OK(answers(&f, "GET / HTTP/1.1\r\n\r\n", "not JSON"));
    T_OK(answers(&f, "{\"cmd\":\"reboot\"}\n", "there is no command \\\"reboot\\\""));
    T_OK(answers(&f, "{\"cmd\":\"check\",\"file\":\"/etc/passwd\"}\n", "\"ok\":false"));
    memset(text, 'a', 200000);
    fd = reach(&f);
    answer = ask(&f, fd, text, 200000);
    T_OK(strstr(answer, "a line of more than 64 KB") != NULL);
    T_EQ(recv(fd, text, 1, MSG_DONTWAIT), 0); /* and then it is closed */
    free(answer);
    close(fd);
    turns(&f, 2);
    memset(text, 0, 1000);
    text[1000] = '\n';
    fd = reach(&f);
    answer = ask(&f, fd, text, 1001);
    T_OK(strstr(answer, "not JSON") != NULL);
    free(answer);
    close(fd);
    T_OK(answers(&f, "{\"cmd\":\"status\"}\n", "\"ok\":true")); /* others are served as before */
    free(text);
    end(&f);
}

static void lines_may_come_in_pieces_and_in_heaps(void)
{
    static const char text[] = "{\"cmd\":\"version\"}\n";
    struct fix f;
    char heap[40 * sizeof(text)] = "", *answer;
    size_t n = 0;
    int fd;

    begin(&f, "");
    fd = reach(&f);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        T_EQ(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        turns(&f, 1);
    }
    answer = ask(&f, fd, "", 0);
    T_OK(strstr(answer, "\"ok\":true") != NULL);
    free(answer);
    for (int i = 0; i < 40; i++)
        strcat(heap, text);
    answer = ask(&f, fd, heap, strlen(heap));
    for (const char *p = answer; (p = strstr(p, "\"ok\":true")); p++)
        n++;
    T_EQ(n, 40);
    free(answer);
    close(fd);
    turns(&f, 1);
    end(&f);
}

static void there_is_room_for_so_many_clients(void)
{
    struct fix f;
    int fd[SOCK_CLIENTS_MAX + 1];
    char *answer;

    begin(&f, "");
    for (int i = 0; i <= SOCK_CLIENTS_MAX; i++) {
        fd[i] = reach(&f);
        turns(&f, 2);
    }
    answer = ask(&f, fd[SOCK_CLIENTS_MAX], "", 0);
    T_OK(strstr(answer, "too many clients") != NULL);
    free(answer);
    answer = ask(&f, fd[0], "{\"cmd\":\"version\"}\n", 18);
    T_OK(strstr(answer, "\"ok\":true") != NULL);
    free(answer);
    for (int i = 0; i <= SOCK_CLIENTS_MAX; i++)
        close(fd[i]);
    turns(&f, 3);
    T_OK(answers(&f, "{\"cmd\":\"version\"}\n", "\"ok\":true"));
    end(&f);
}

static void who_goes_away_does_no_harm(void)
{
    struct fix f;

    begin(&f, "");
    for (int i = 0; i < 100; i++) {
        int fd = reach(&f);

        T_OK(send(fd, "{\"cmd\":\"stats\"}\n", i % 16, MSG_NOSIGNAL) >= 0);
        if (i % 2)
            turns(&f, 1);
        close(fd);
        turns(&f, 2);
    }
    T_OK(answers(&f, "{\"cmd\":\"version\"}\n", "\"ok\":true"));
    end(&f);
}

static void mode_and_group_are_set(void)
{
    struct fix f;
    struct stat st;

    begin(&f, "control = { socket = \"c.sock\"; mode = \"0600\"; group = \"0\"; };");
    T_OK(stat(tmp_path(&f.site.tmp, "c.sock"), &st) == 0);
    T_EQ(st.st_mode & 0777, 0600);
    T_EQ(st.st_gid, 0);
    end(&f);
}

static void strangers_are_refused(void)
{
    struct fix f;
    pid_t pid;
    int status = 0;

    if (geteuid() != 0) {
        fprintf(stderr, "SKIPPED: only root can become somebody else\n");
        return;
    }
    begin(&f, "control = { socket = \"c.sock\"; mode = \"0666\"; group = \"12345\"; };");
    T_NEED(chmod(f.site.tmp.dir, 0755) == 0);
    for (int member = 0; member < 2; member++) {
        pid = fork();
        if (pid == 0) { /* the stranger; once a member of the group */
            const gid_t group = 12345;
            char text[256] = "";
            int fd;

            if (setgroups(member, &group) != 0 || setgid(54321) != 0 || setuid(54321) != 0)
                _exit(9);
            fd = dial(tmp_path(&f.site.tmp, "c.sock"));
            if (fd < 0 || fcntl(fd, F_SETFL, 0) != 0)
                _exit(8);
            /* Whoever is refused may find the other end closed already; the answer is there all the same. */
            if (send(fd, "{\"cmd\":\"version\"}\n", 18, MSG_NOSIGNAL) < 0 && errno != EPIPE)
                _exit(7);
            if (recv(fd, text, sizeof(text) - 1, 0) < 0)
                _exit(6);
            _exit(strstr(text, member ? "\"ok\":true" : "you may not use this socket") ? 0 : 1);
        }
        while (waitpid(pid, &status, WNOHANG) == 0)
            turns(&f, 1);
        T_ROW_EQ(member ? "member" : "stranger", (unsigned)status, 0);
    }
    end(&f);
}

static void an_old_socket_is_replaced_and_a_live_one_is_not(void)
{
    struct fix f;
    struct sock *second = NULL;
    struct report *r = report_new();
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd;

    begin(&f, "");
    T_OK(!IS_OK(sock_open(f.ctl->now->cfg->control, r, &second)));
    T_OK(strstr(conf_report(r), "another process listens there") != NULL);
    sock_close(f.sock);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", tmp_path(&f.site.tmp, "c.sock"));
    T_NEED(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0);
    close(fd); /* left behind by somebody who was killed */
    T_OK(IS_OK(sock_open(f.ctl->now->cfg->control, r, &f.sock)));
    sock_close(f.sock);
    f.sock = NULL;
    tmp_write(&f.site.tmp, "c.sock", "a file");
    T_OK(!IS_OK(sock_open(f.ctl->now->cfg->control, r, &second)));
    T_OK(strstr(conf_report(r), "is no socket") != NULL);
    report_free(r);
    end(&f);
}

static void a_group_that_nobody_knows_is_said(void)
{
    struct fix f;
    struct sock *s = NULL;

    memset(&f, 0, sizeof(f));
    site_begin(&f.site);
    site_write(&f.site, "control = { socket = \"c.sock\"; group = \"no-such-group\"; };");
    T_NEED(IS_OK(ctl_open(site_file(&f.site), f.site.report, &f.ctl)));
    T_OK(!IS_OK(sock_open(f.ctl->now->cfg->control, f.site.report, &s)));
    T_OK(strstr(conf_report(f.site.report), "control.group: there is no group \"no-such-group\"") !=
         NULL);
    end(&f);
}

#define TESTS(X)                                                                         \
    X(every_command_answers)                                                             \
    X(mistakes_come_with_file_and_line)                                                  \
    X(hostile_lines_are_answered)                                                        \
    X(lines_may_come_in_pieces_and_in_heaps) X(there_is_room_for_so_many_clients)        \
        X(who_goes_away_does_no_harm) X(mode_and_group_are_set) X(strangers_are_refused) \
            X(an_old_socket_is_replaced_and_a_live_one_is_not)                           \
                X(a_group_that_nobody_knows_is_said)
T_MAIN("sock", TESTS)
