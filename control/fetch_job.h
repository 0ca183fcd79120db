/**
 * fetch_job: one request of control/fetch.h from its set-up to its answer. Inside of fetch only.
 */
#ifndef SALLYPORT_CONTROL_FETCH_JOB_H
#define SALLYPORT_CONTROL_FETCH_JOB_H

#include "control/fetch.h"

#include <curl/curl.h>

struct way {
    char *ca_file, *proxy, *direct; /* as fetch_use has them */
};

struct job {
    struct job *next;
    CURLM *multi;
    uint64_t id;
    CURL *easy; /* NULL: waits for its turn */
    struct curl_slist *fields;
    char *url, *etag, *changed, *accept, *body_type;
    uint8_t *body;
    size_t body_b;
    size_t max_b;
    uint32_t timeout_ms;
    bool file, over_head, over_body;
    bool head_ended; /* with its empty line: libcurl takes one without */
    fetch_done_fn done;
    void *ctx;
    uint8_t *got;
    size_t got_b, room_b, head_b;
    char error[CURL_ERROR_SIZE];
};

/* Copies what the request points to; NULL: no memory. */
struct job *job_new(CURLM *multi, const struct fetch_request *r);
MUST_CHECK bool job_start(struct job *j, const struct way *way);
/* Tells whoever asked. */
void job_answer(struct job *j, CURLcode code);
void job_free(struct job *j);

#endif
