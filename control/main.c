/* sallyport: the command line. */
#include "control/ctl.h"
#include "control/daemon.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: sallyport -c FILE            run until SIGTERM\n"
    "       sallyport -c FILE --check    say everything that is wrong with FILE\n"
    "       sallyport --version [--verbose]\n"
    "       sallyport --help | --help-config\n"
    "\n"
    "SIGHUP reads FILE again. SIGTERM and SIGINT finish requests in progress and end; a second one "
    "ends at\n"
    "once. Exit codes: 0 ended as asked, or FILE is good; 1 FILE has mistakes; 2 unknown options; "
    "3 could not\n"
    "be started; 4 ended by a second signal.\n";

static int check(const char *file)
{
    struct report *r = report_new();
    res good = r ? ctl_check(file, r) : ERR(NOMEM);

    for (uint32_t i = 0; r && i < r->count; i++) {
        char line[2048];

        report_line(&r->entries[i], line, sizeof(line));
        fprintf(stderr, "%s\n", line);
    }
    if (r && r->lost)
        fprintf(stderr, "... and %u more\n", r->lost);
    if (IS_OK(good))
        printf("configuration ok\n");
    else
        fprintf(stderr, "%u mistake%s\n", r ? r->errors : 0, r && r->errors == 1 ? "" : "s");
    report_free(r);
    return IS_OK(good) ? EXIT_ENDED : EXIT_CONFIG;
}

static int version(bool verbose)
{
    char text[4096];
    struct sb s = sb_of(text, sizeof(text));

    dp_version_text(&s, verbose);
    printf("sallyport %s\n%s%s", SALLYPORT_VERSION, text,
           s.len && text[s.len - 1] == '\n' ? "" : "\n");
    return EXIT_ENDED;
}

int main(int argc, char **argv)
{
    enum { OPT_CHECK = 256, OPT_VERSION, OPT_VERBOSE, OPT_HELP_CONFIG };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, OPT_CHECK},
        {"version", no_argument, NULL, OPT_VERSION},
        {"verbose", no_argument, NULL, OPT_VERBOSE},
        {"help", no_argument, NULL, 'h'},
        {"help-config", no_argument, NULL, OPT_HELP_CONFIG},
        {NULL, 0, NULL, 0},
    };
    const char *file = NULL;
    bool checking = false, versions = false, verbose = false;
    int o;

    while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (o) {
        case 'c':
            file = optarg;
            break;
        case OPT_CHECK:
            checking = true;
            break;
        case OPT_VERSION:
            versions = true;
            break;
        case OPT_VERBOSE:
            verbose = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_ENDED;
        case OPT_HELP_CONFIG:
            cfg_help(stdout);
            return EXIT_ENDED;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (versions && !file && optind == argc)
        return version(verbose);
    if (!file || optind != argc || versions || verbose) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return checking ? check(file) : daemon_run(file);
}
