/* sallyctl: one command to the control socket, its answer for people or as it came. */
#include "control/capture_cli.h"
#include "control/cert_cli.h"
#include "control/msg.h"
#include "control/show.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/sallyport/control.sock"
#define ANSWER_MAX_B   (65u * 1024 * 1024)

enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

static void usage(FILE *f)
{
    fprintf(f, "usage: sallyctl [-s SOCKET] [--json] COMMAND [ARGUMENT...]\n\n");
    for (size_t i = 0; i < MSG_COUNT; i++) {
        const struct msg_desc *d = &msg_descs[i];
        int n = fprintf(f, "  %s", d->name);

        for (size_t k = 0; k < MSG_ARGS && d->args[k].name; k++)
            n += fprintf(f, " [%s]", d->args[k].name);
        fprintf(f, "%*s%s\n", n < 26 ? 26 - n : 1, "", d->help);
    }
    capture_cli_usage(f);
    cert_cli_usage(f);
    fprintf(f, "\nThe socket is " DEFAULT_SOCKET ", or $SALLYPORT_SOCKET.\n"
               "Exit codes: 0 done; 1 refused; 2 unknown command or option; 3 nobody answers.\n");
}

/* --- the message --- */

static json_t *absolute(const char *path)
{
    char folder[4096], whole[8300];

    if (path[0] == '/' || !getcwd(folder, sizeof(folder)))
        return json_string(path);
    snprintf(whole, sizeof(whole), "%s/%.4096s", folder, path);
    return json_string(whole);
}

static bool all_digits(const char *text)
{
    return *text && strlen(text) < 16 && strspn(text, "0123456789") == strlen(text);
}

static json_t *argument(enum msg_type type, const char *name, const char *text)
{
    if (type == MSG_T_FILE)
        return absolute(text);
    if (type == MSG_T_FLAG && (strcmp(text, name) == 0 || strcmp(text, "true") == 0))
        return json_true();
    if ((type == MSG_T_NUMBER || type == MSG_T_DURATION) && all_digits(text))
        return json_integer(strtoll(text, NULL, 10));
    return json_string(text); /* whatever is wrong with it, the other side says */
}

/* NULL: it was said what is wrong. */
static char *message(int argc, char **argv)
{
    const struct msg_desc *d = argc ? msg_find(argv[0]) : NULL;
    json_t *o = json_object();
    char *text;

    if (!d) {
        if (argc)
            fprintf(stderr, "sallyctl: there is no command \"%s\"\n\n", argv[0]);
        usage(stderr);
        json_decref(o);
        return NULL;
    }
    json_object_set_new(o, "cmd", json_string(argv[0]));
    for (int i = 1; i < argc; i++) {
        json_t *v = NULL;

        if (i <= MSG_ARGS && d->args[i - 1].name)
            v = argument(d->args[i - 1].type, d->args[i - 1].name, argv[i]);
        else
            fprintf(stderr, "sallyctl: \"%s\" is one argument too many\n", argv[i]);
        if (!v || json_object_set_new(o, d->args[i - 1].name, v) != 0) {
            fprintf(stderr, "sallyctl: argument %d cannot be sent\n", i);
            json_decref(o);
            return NULL;
        }
    }
    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

/* --- the socket --- */

static int reach(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(addr.sun_path)) {
        fprintf(stderr, "sallyctl: %s: this path is too long for a socket\n", path);
    } else {
        memcpy(addr.sun_path, path, strlen(path));
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
            return fd;
        fprintf(stderr, "sallyctl: %s: %s\n", path, strerror(errno));
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Whoever may not use the socket finds it closed already, with the answer in it: that is for receive() to see. */
static bool send_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EPIPE)
            return true;
        if (n <= 0 && errno != EINTR)
            return false;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* One line without its end; NULL: the other side went away before it was whole. */
static char *receive(int fd)
{
    size_t cap = 65536, len = 0;
    char *text = (char *)malloc(cap);

    while (text) {
        ssize_t n = recv(fd, text + len, cap - len - 1, 0);
        char *end;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || cap > ANSWER_MAX_B)
            break;
        end = (char *)memchr(text + len, '\n', (size_t)n);
        len += (size_t)n;
        if (end) {
            *end = '\0';
            return text;
        }
        if (len + 1 == cap) {
            char *more = (char *)realloc(text, cap *= 2);

            if (!more)
                break;
            text = more;
        }
    }
    free(text);
    return NULL;
}

/* After `stop`: the socket is closed when the process ends. */
static void wait_for_end(int fd)
{
    char rest[256];

    while (recv(fd, rest, sizeof(rest), 0) > 0)
        ;
}

static int show(const char *text, bool json)
{
    json_t *o = json_loads(text, 0, NULL);
    bool ok = json_is_true(json_object_get(o, "ok"));

    if (!json_is_object(o)) {
        fprintf(stderr, "sallyctl: this is no answer of sallyport\n");
        json_decref(o);
        return EXIT_UNREACHABLE;
    }
    if (json)
        printf("%s\n", text);
    else
        show_answer(o, stdout, stderr);
    json_decref(o);
    return ok ? EXIT_OK : EXIT_REFUSED;
}

static int talk(const char *path, const char *text, bool stop, bool json)
{
    int fd = reach(path), code = EXIT_UNREACHABLE;
    char *answer = NULL;

    if (fd < 0)
        return EXIT_UNREACHABLE;
    if (send_all(fd, text, strlen(text)) && send_all(fd, "\n", 1))
        answer = receive(fd);
    if (answer)
        code = show(answer, json);
    else
        fprintf(stderr, "sallyctl: %s: no answer\n", path);
    if (stop && code == EXIT_OK)
        wait_for_end(fd);
    free(answer);
    close(fd);
    return code;
}

static char *ask(int fd, const char *line)
{
    return send_all(fd, line, strlen(line)) && send_all(fd, "\n", 1) ? receive(fd) : NULL;
}

static int capture(const char *path, int argc, char **argv)
{
    int fd, code;

    if (argc < 1 || argc > 3) {
        usage(stderr);
        return EXIT_USAGE;
    }
    fd = reach(path);
    if (fd < 0)
        return EXIT_UNREACHABLE;
    code = capture_cli(argc, argv, fd, ask);
    close(fd);
    return code;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"socket", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *path = getenv("SALLYPORT_SOCKET");
    bool json = false;
    char *text;
    int o, code;

    while ((o = getopt_long(argc, argv, "+s:h", options, NULL)) != -1) {
        if (o == 's') {
            path = optarg;
        } else if (o == 'j') {
            json = true;
        } else {
            usage(o == 'h' ? stdout : stderr);
            return o == 'h' ? EXIT_OK : EXIT_USAGE;
        }
    }
    if (optind < argc && strcmp(argv[optind], "cert") == 0)
        return cert_cli(argc - optind - 1, argv + optind + 1, json);
    if (optind < argc && strcmp(argv[optind], "capture") == 0)
        return capture(path ? path : DEFAULT_SOCKET, argc - optind - 1, argv + optind + 1);
    text = message(argc - optind, argv + optind);
    if (!text)
        return EXIT_USAGE;
    code = talk(path ? path : DEFAULT_SOCKET, text, strcmp(argv[optind], "stop") == 0, json);
    free(text);
    return code;
}
