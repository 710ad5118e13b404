/* base/http/guard.h - the raw look at framing bytes, before and beside the parser
 *
 * Every byte of a request that is not body data goes through the guard: the head, and of a chunked
 * body the chunk-size lines and the trailer.  It is a second opinion on where lines end, because
 * llhttp 8.1 (CVE-2023-30589, CVE-2024-27982) has none of its own on some of these:
 *
 *     CR without LF · LF without CR · NUL and other controls · a line that begins with a space, a
 * tab (obs-fold, RFC 9112 §5.2) or a colon (an empty field name) · a space or tab before a colon ·
 *     a line over the limit
 *
 * Its verdict does not depend on how the bytes were cut into reads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct http_guard {
    size_t line_bytes; /* of the line so far, without its CR */
    size_t line_bytes_max;
    int lines; /* whole lines that were not empty */
    bool after_cr;
    bool after_blank; /* within a line's first word: the last byte was a space or tab */
    bool in_name;     /* no colon was seen in this line yet */
};

enum http_guard_verdict { HTTP_GUARD_MORE, HTTP_GUARD_EMPTY_LINE, HTTP_GUARD_BAD };

void http_guard_init(struct http_guard *guard);

/* Looks at bytes up to the end of an empty line, or all.  *used: how many were looked at; of BAD,
 * *detail says what is wrong. */
enum http_guard_verdict http_guard_scan(struct http_guard *guard, const char *bytes, size_t length,
                                        size_t *used, const char **detail);
