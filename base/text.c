#include "base/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void text_init(struct text *text, size_t length_max)
{
    *text = (struct text){.length_max = length_max};
}

void text_finish(struct text *text)
{
    free(text->bytes);
    text->bytes = NULL;
    text->length = text->room = 0;
}

void text_clear(struct text *text)
{
    text->length = 0;
    text->cut = false;
    if (text->bytes)
        text->bytes[0] = '\0';
}

char *text_take(struct text *text, size_t *length)
{
    char *bytes = text->bytes ? text->bytes : xcalloc(1, 1);

    if (length)
        *length = text->length;
    text->bytes = NULL;
    text->length = text->room = 0;
    return bytes;
}

/* True if `more` bytes and a NUL fit now. */
static bool make_room(struct text *text, size_t more)
{
    size_t room = text->room ? text->room : 256;

    if (more > text->length_max - text->length) {
        text->cut = true;
        return false;
    }
    while (room < text->length + more + 1)
        room *= 2;
    if (room != text->room) {
        text->bytes = xrealloc(text->bytes, room);
        text->room = room;
    }
    return true;
}

void text_add_bytes(struct text *text, const void *bytes, size_t length)
{
    if (!make_room(text, length))
        return;
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

/* Most of what is printed fits into the room that is there, and is formatted once. */
void text_print(struct text *text, const char *format, ...)
{
    size_t room = text->bytes ? text->room - text->length : 0;
    va_list args, again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(room ? text->bytes + text->length : NULL, room, format, args);
    va_end(args);
    if (length >= 0 && make_room(text, (size_t)length)) {
        if ((size_t)length >= room)
            vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    } else if (room) {
        text->bytes[text->length] = '\0';
    }
    va_end(again);
}

/* What needs no escape goes in one piece. */
void text_add_json(struct text *text, const char *string)
{
    const unsigned char *from = (const unsigned char *)string, *c;

    text_add_bytes(text, "\"", 1);
    for (c = from; *c; c++) {
        if (*c >= 0x20 && *c != '"' && *c != '\\')
            continue;
        text_add_bytes(text, from, (size_t)(c - from));
        from = c + 1;
        if (*c < 0x20)
            text_print(text, "\\u%04x", *c);
        else
            text_print(text, "\\%c", *c);
    }
    text_add_bytes(text, from, (size_t)(c - from));
    text_add_bytes(text, "\"", 1);
}

void text_add_hex(struct text *text, const void *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *b = bytes;

    for (size_t i = 0; i < length; i++) {
        const char pair[2] = {digits[b[i] >> 4], digits[b[i] & 15]};

        text_add_bytes(text, pair, sizeof(pair));
    }
}

void text_add_urlencoded(struct text *text, const char *string)
{
    for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
        if (isalnum(*c) || strchr("-._~", *c) != NULL)
            text_add_bytes(text, c, 1);
        else
            text_print(text, "%%%02X", *c);
    }
}
