/* base/text.h - text that is built piece by piece, and never silently cut
 *
 * A text grows up to its limit.  What does not fit is dropped whole, and `cut` says so: who builds
 * one looks at `cut` before using it.  bytes is always NUL-terminated once anything was added.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *bytes;
    size_t length, room, length_max;
    bool cut;
};

void text_init(struct text *text, size_t length_max);
void text_finish(struct text *text); /* frees; harmless on a zeroed text */
void text_clear(struct text *text);  /* length 0, memory kept */
/* Hands the bytes over to the caller, who frees them; the text is empty afterwards. */
char *text_take(struct text *text, size_t *length);

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *bytes, size_t length);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_json(struct text *text, const char *string); /* quoted and escaped (RFC 8259 §7) */
void text_add_hex(struct text *text, const void *bytes, size_t length);
/* application/x-www-form-urlencoded: unreserved characters as they are, the rest as %XX. */
void text_add_urlencoded(struct text *text, const char *string);
