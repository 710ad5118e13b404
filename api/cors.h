/* api/cors.h - which pages in browsers may call the public listener (Fetch standard, CORS)
 *
 * `origins` is the setting: "" (none), "*" (all), or exact origins, "https://shop.example,…".  No
 * credentials of the browser are involved: a key is sent by the page or not at all.
 */
#pragma once

#include "base/fault.h"
#include "base/http/server.h"

enum { CORS_ORIGINS_MAX = 64, CORS_ORIGIN_LENGTH_MAX = 255 };

/* False: one of them is none that a browser would send; says which and why. */
bool cors_check(const char *origins, struct fault *fault) __attribute__((warn_unused_result));
/* Access-Control-Allow-Origin for who comes from `origin` (NULL: it did not say); NULL: none. */
const char *cors_allowed(const char *origins, const char *origin);

/* For the public listener: what an answer says to browsers, preflights included. */
void cors_on_answering(struct http_request *request);
