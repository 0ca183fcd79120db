/* Target: msg_parse, one line of the control socket. */
#include "control/msg.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report *r = report_new();
    static struct msg m;

    FUZZ_MUST(r);
    if (!IS_OK(msg_parse(span_of(data, size), r, &m))) {
        FUZZ_MUST(r->errors > 0);
    } else {
        FUZZ_MUST(r->errors == 0 && m.cmd < MSG_COUNT);
        for (int i = 0; i < MSG_ARGS; i++)
            FUZZ_MUST(!m.args[i].given || msg_descs[m.cmd].args[i].name);
    }
    report_free(r);
    return 0;
}
