/* Target: cfg_parse. A good configuration, shown and read again, is the same configuration. */
#include "fuzz/fuzz.h"
#include "lib/conf.h"

static char *shown(const struct cfg *c)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    FUZZ_MUST(f);
    cfg_show(c, f);
    fclose(f);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cfg_input in = {.file = "fuzz.conf", .text = span_of(data, size), .no_files = true};
    struct report *r = report_new();
    struct cfg *c = NULL, *again = NULL;

    FUZZ_MUST(r);
    if (size > 65536) {
        report_free(r);
        return 0;
    }
    if (IS_OK(cfg_parse(&in, r, &c))) {
        char *text = shown(c), *text2;

        FUZZ_MUST(r->errors == 0);
        in.text = span_str(text);
        if (!IS_OK(cfg_parse(&in, r, &again))) {
            fprintf(stderr, "%s\n%s", conf_report(r), text);
            abort();
        }
        text2 = shown(again);
        FUZZ_MUST(strcmp(text, text2) == 0);
        FUZZ_MUST(cfg_fixed_same(c, again, r));
        free(text);
        free(text2);
    } else {
        FUZZ_MUST(r->errors > 0);
    }
    cfg_free(c);
    cfg_free(again);
    report_free(r);
    return 0;
}
