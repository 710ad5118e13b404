/* tests/base/http/transcript.h - what the HTTP parser makes of bytes, as one line of text
 *
 *     "POST /a [body]; GET /b []; refused 400; "
 *
 * A "more" at the end says that it waits for the rest of a message.
 */
#pragma once

#include <stddef.h>

#include "base/http/parser.h"
#include "base/text.h"

/* Feeds the bytes in pieces that end at each of the cuts (ascending) and at the end.  Every piece
 * is a memory block of its own, so that a sanitizer sees a look beyond it. */
void transcript_add(struct text *transcript, const struct http_parser_limits *limits,
                    const char *bytes, size_t length, const size_t *cuts, size_t cut_count);
