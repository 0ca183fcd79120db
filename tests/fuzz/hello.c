/* Target: hello_parse, the first bytes of a TLS connection, whole and cut. */
#include "tls/hello.h"
#include "fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t scratch[HELLO_MAX_B];
    static struct hello h;
    enum hello_result whole, part;

    if (size > 2 * HELLO_MAX_B)
        return 0;
    for (size_t n = 1; n < size; n += 1 + n / 16) {
        part = hello_parse(span_of(data, n), scratch, &h);
        whole = hello_parse(span_of(data, size), scratch, &h);
        FUZZ_MUST(part == HELLO_MORE || part == whole || whole == HELLO_PLAIN);
    }
    if (hello_parse(span_of(data, size), scratch, &h) == HELLO_DONE) {
        FUZZ_MUST(strlen(h.name) <= HELLO_NAME_B && (h.has_name || !h.name[0]));
        FUZZ_MUST(h.suites.len % 2 == 0 && h.sigalgs.len % 2 == 0 && h.groups.len % 2 == 0);
        (void)hello_offers_alpn(&h, SPAN_LIT("http/1.1"));
        (void)hello_takes_rsa(&h);
        (void)hello_takes_ecdsa(&h, 23);
        (void)hello_takes_ed25519(&h);
    }
    return 0;
}
