/* What the library has no public call for: its sessions, seen from inside. */
#include "base/must.h"
#include "crypto/tls_ctx.h"

#include <wolfssl/internal.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

void tls_session_forget_status(struct WOLFSSL *ssl)
{
    TLSX_Remove(&ssl->extensions, TLSX_STATUS_REQUEST, ssl->heap);
}

void tls_session_alert(struct WOLFSSL *ssl, uint8_t alert)
{
    (void)SendAlert(ssl, alert_fatal, alert);
}

struct span tls_session_id(struct WOLFSSL *ssl)
{
    return span_of(ssl->session->sessionID, ssl->session->sessionIDSz);
}

struct span tls_session_clear(struct WOLFSSL *ssl)
{
    return span_of(ssl->buffers.clearOutputBuffer.buffer, ssl->buffers.clearOutputBuffer.length);
}

/**
 * wolfSSL_read would copy what we have read in place. The library's own read ends in the same way: it
 * moves the pointer and, when nothing is left, wipes and gives back the record's buffer. While the next
 * record is already there the buffer is kept for it.
 */
void tls_session_take(struct WOLFSSL *ssl, uint32_t n, bool more_coming)
{
    MUST_HOT(n <= ssl->buffers.clearOutputBuffer.length);
    ssl->buffers.clearOutputBuffer.buffer += n;
    ssl->buffers.clearOutputBuffer.length -= n;
    if (ssl->buffers.clearOutputBuffer.length == 0 && ssl->buffers.inputBuffer.dynamicFlag &&
        !more_coming)
        ShrinkInputBuffer(ssl, NO_FORCED_FREE);
}

/* --- certificates that are asked for after the handshake --- */

void tls_session_ask_late(struct WOLFSSL *ssl)
{
    ssl->options.verifyPostHandshake = 1;
}

bool tls_session_ask(struct WOLFSSL *ssl)
{
    /* The library keeps handshake messages back until its next write. */
    return wolfSSL_request_certificate(ssl) == WOLFSSL_SUCCESS && SendBuffered(ssl) == 0;
}

enum tls_answer tls_session_answer(const struct WOLFSSL *ssl)
{
    if (!ssl->msgsReceived.got_finished || ssl->options.handShakeState != HANDSHAKE_DONE)
        return TLS_ANSWER_NONE_YET;
    if (!ssl->msgsReceived.got_certificate)
        return TLS_ANSWER_UNPROVEN;
    if (!ssl->options.havePeerCert)
        return TLS_ANSWER_NO_CERT;
    return ssl->msgsReceived.got_certificate_verify && ssl->options.havePeerVerify
               ? TLS_ANSWER_CERT
               : TLS_ANSWER_UNPROVEN;
}

void tls_session_ask_no_more(struct WOLFSSL *ssl)
{
    ssl->options.verifyPostHandshake = 0;
    FreeHandshakeResources(ssl);
}
