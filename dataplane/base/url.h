/**
 * url: is this a URL that may be asked for something (RFC 3986)? Strict, and no more than that: what takes it
 * apart is the library that fetches.
 */
#ifndef SALLYPORT_BASE_URL_H
#define SALLYPORT_BASE_URL_H

#include "base/span.h"

#define URL_MAX_B 2048

enum url_scheme { URL_NONE, URL_HTTP, URL_HTTPS, URL_FILE };

/* URL_NONE: it may not, and *why, a literal, says why not. No user's name, no password: URLs stand in logs. */
enum url_scheme url_scheme(const char *url, const char **why);

#endif
