#include "control/fetch_job.h"

#include "base/url.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD_MAX_B   (32u * 1024) /* of all heads of an answer */
#define FIRST_ROOM_B 4096u

/* --- what libcurl calls --- */

static bool make_room(struct job *j, size_t more)
{
    size_t room = j->room_b ? j->room_b : FIRST_ROOM_B;
    uint8_t *p;

    while (room < j->got_b + more)
        room *= 2;
    if (room == j->room_b)
        return true;
    p = (uint8_t *)realloc(j->got, room);
    if (!p)
        return false;
    j->got = p;
    j->room_b = room;
    return true;
}

static size_t on_body(char *p, size_t one, size_t n, void *ctx)
{
    struct job *j = (struct job *)ctx;

    (void)one; /* always 1 */
    if (n > j->max_b - j->got_b) {
        j->over_body = true;
        return 0;
    }
    if (!make_room(j, n))
        return 0;
    if (n)
        memcpy(j->got + j->got_b, p, n);
    j->got_b += n;
    return n;
}

static size_t on_head(char *p, size_t one, size_t n, void *ctx)
{
    struct job *j = (struct job *)ctx;

    (void)one;
    if (n > HEAD_MAX_B - j->head_b) {
        j->over_head = true;
        return 0;
    }
    j->head_b += n;
    if (n >= 5 && memcmp(p, "HTTP/", 5) == 0)
        j->head_ended = false; /* the next one, behind a redirection; a trailer changes nothing */
    else if (n <= 2 && (p[0] == '\r' || p[0] == '\n'))
        j->head_ended = true;
    return n;
}

/* --- jobs --- */

void job_free(struct job *j)
{
    if (j->easy) {
        curl_multi_remove_handle(j->multi, j->easy);
        curl_easy_cleanup(j->easy);
    }
    curl_slist_free_all(j->fields);
    free(j->url);
    free(j->etag);
    free(j->changed);
    free(j->accept);
    free(j->body_type);
    free(j->body);
    free(j->got);
    free(j);
}

static bool copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

/* A value from an earlier answer goes into a field: nothing in it may end the line. */
static bool field_ok(const char *v)
{
    for (; v && *v; v++) {
        if ((uint8_t)*v < ' ' || *v == 0x7f)
            return false;
    }
    return true;
}

struct job *job_new(CURLM *multi, const struct fetch_request *r)
{
    struct job *j = (struct job *)calloc(1, sizeof(*j));
    const char *etag = r->etag && field_ok(r->etag) ? r->etag : NULL;
    const char *changed = r->changed && field_ok(r->changed) ? r->changed : NULL;

    if (!j)
        return NULL;
    j->multi = multi;
    j->max_b = r->max_b;
    j->timeout_ms = r->timeout_ms;
    j->done = r->done;
    j->ctx = r->ctx;
    j->body_b = r->body.len;
    j->body = r->body_type ? (uint8_t *)malloc(r->body.len ? r->body.len : 1) : NULL;
    if (!copy_text(&j->url, r->url) || !copy_text(&j->etag, etag) ||
        !copy_text(&j->changed, changed) || !copy_text(&j->accept, r->accept) ||
        !copy_text(&j->body_type, r->body_type) || (r->body_type && !j->body)) {
        job_free(j);
        return NULL;
    }
    if (r->body_type && r->body.len)
        memcpy(j->body, r->body.p, r->body.len);
    return j;
}

static bool add_field(struct job *j, const char *name, const char *value)
{
    char line[FETCH_TAG_MAX_B + 64];
    struct curl_slist *more;

    if (!value)
        return true;
    if ((size_t)snprintf(line, sizeof(line), "%s: %s", name, value) >= sizeof(line))
        return true; /* too long to be sent: it is asked without */
    more = curl_slist_append(j->fields, line);
    if (more)
        j->fields = more;
    return more != NULL;
}

static bool set_request(struct job *j)
{
    CURL *e = j->easy;

    /* libcurl's own "Expect: 100-continue" would cost a second with servers that do not know it. */
    if (!add_field(j, "If-None-Match", j->etag) || !add_field(j, "If-Modified-Since", j->changed) ||
        !add_field(j, "Accept", j->accept) || !add_field(j, "Content-Type", j->body_type) ||
        (j->body && !(j->fields = curl_slist_append(j->fields, "Expect:"))))
        return false;
    if (j->body) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)j->body_b);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, (char *)j->body);
    }
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, j->body ? 0L : 1L);
    return curl_easy_setopt(e, CURLOPT_HTTPHEADER, j->fields) == CURLE_OK;
}

static bool set_way(CURL *e, const struct way *way)
{
    if (way->ca_file) { /* this one, and not the system's besides */
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(e, CURLOPT_CAINFO, way->ca_file);
    }
    /* Both are given in any case: else libcurl looks into the environment. */
    curl_easy_setopt(e, CURLOPT_NOPROXY, way->direct ? way->direct : "");
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return curl_easy_setopt(e, CURLOPT_PROXY, way->proxy ? way->proxy : "") == CURLE_OK;
}

/* Redirections stay within the scheme: https never becomes http, and nobody out there names a file of ours. */
static bool set_bounds(struct job *j)
{
    static const char *const schemes[] = {
        [URL_NONE] = "", [URL_HTTP] = "http", [URL_HTTPS] = "https", [URL_FILE] = "file"};
    const char *why, *scheme = schemes[url_scheme(j->url, &why)];
    CURL *e = j->easy;

    curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)FETCH_REDIRECTS_MAX);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)j->timeout_ms);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)j->timeout_ms);
    curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)j->max_b);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* does not wait for the thread that resolves */
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    return curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, scheme) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, scheme) == CURLE_OK;
}

bool job_start(struct job *j, const struct way *way)
{
    CURL *e = j->easy = curl_easy_init();

    if (!e)
        return false;
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, j->error);
    curl_easy_setopt(e, CURLOPT_PRIVATE, j);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, j);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, j);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "sallyport");
    return curl_easy_setopt(e, CURLOPT_URL, j->url) == CURLE_OK && set_bounds(j) &&
           set_way(e, way) && set_request(j) && curl_multi_add_handle(j->multi, e) == CURLM_OK;
}

/* --- answers --- */

static const char *field(const struct job *j, const char *name)
{
    struct curl_header *h;

    /* Of the last answer, that is behind all redirections; not of its trailer. */
    if (curl_easy_header(j->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    return *h->value && strlen(h->value) <= FETCH_TAG_MAX_B && field_ok(h->value) ? h->value : NULL;
}

/* False: not a number. Too large a one is as large as there are. */
static bool seconds(struct span s, int64_t *out)
{
    *out = 0;
    if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
        s = span_of(s.p + 1, s.len - 2);
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_digit(s.p[i]))
            return false;
        if (*out < INT32_MAX)
            *out = *out * 10 + (s.p[i] - '0');
    }
    return true;
}

/* Cache-Control of RFC 9111 5.2.2, as far as it says how long an answer is fresh. */
static int64_t max_age(const char *control, const char *age)
{
    struct span rest = span_str(control);
    int64_t found = -1, one, old = 0;

    while (rest.len) {
        struct span word = span_trim(span_first(rest, span_find(rest, ',')));

        rest = span_from(rest, span_find(rest, ',') + 1);
        if (span_ieq(word, SPAN_LIT("no-store")) || span_ieq(word, SPAN_LIT("no-cache")))
            return 0;
        if (word.len > 8 && span_ieq(span_first(word, 8), SPAN_LIT("max-age=")) &&
            seconds(span_from(word, 8), &one) && (found < 0 || one < found))
            found = one;
    }
    if (found > 0 && age && seconds(span_str(age), &old))
        found = old < found ? found - old : 0;
    return found;
}

static void judge(struct job *j, CURLcode code, struct fetch_answer *a)
{
    if (j->over_body || code == CURLE_FILESIZE_EXCEEDED) {
        a->end = FETCH_TOO_LARGE;
        a->why = "the answer is larger than it may be";
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        a->end = FETCH_TIMEOUT;
        a->why = "no whole answer in time";
    } else if (j->over_head) {
        a->why = "the head of the answer is larger than it may be";
    } else if (code == CURLE_UNSUPPORTED_PROTOCOL && a->status / 100 == 3) {
        a->why = "a redirection to another scheme, which is not followed";
    } else if (code != CURLE_OK) {
        a->why = j->error[0] ? j->error : curl_easy_strerror(code);
    } else if (!j->file && !j->head_ended) {
        a->why = "the answer ends within its head";
    } else if (a->status == 304) {
        a->end = FETCH_NOT_MODIFIED;
        a->why = NULL;
    } else if (j->file || (a->status >= 200 && a->status < 300)) {
        a->end = FETCH_OK;
        a->why = NULL;
        a->body = span_of(j->got, j->got_b);
    } else {
        a->end = FETCH_REFUSED;
        snprintf(j->error, sizeof(j->error), "the server answers %d", a->status);
        a->why = j->error;
    }
}

void job_answer(struct job *j, CURLcode code)
{
    struct fetch_answer a = {.end = FETCH_FAILED, .max_age_s = -1};
    long status = 0;

    if (j->easy) {
        curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &status);
        a.status = (int)status;
        a.etag = field(j, "ETag");
        a.changed = field(j, "Last-Modified");
        a.type = field(j, "Content-Type");
        a.max_age_s = max_age(field(j, "Cache-Control"), field(j, "Age"));
    }
    judge(j, code, &a);
    j->done(j->ctx, &a);
}
