/* tests/fuzz/http_framing_fuzz.c - what is read does not depend on how it was cut into reads
 *
 *     clang: meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
 *     build-fuzz/tests/fuzz/http_framing_fuzz tests/fuzz/http_framing_seeds
 *
 * The first byte of the input says where it is cut (0: everywhere; else by a generator that it
 * seeds), the rest are the bytes of a connection.  The messages (method, target, fields, body), and
 * whether and where it is refused, must be the same as when the bytes are read whole.  (Of two
 * things that are wrong with one body, either may be named.)
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/base/http/transcript.h"

enum { CUTS_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_parser_limits limits = {
    .head_bytes_max = 512, .body_bytes_max = 128, .fields_max = 8};

static size_t cut(uint8_t seed, size_t length, size_t *cuts)
{
    uint32_t random = seed;
    size_t count = 0, at = 0;

    while (count < CUTS_MAX) {
        random = random * 1664525u + 1013904223u;
        at += seed == 0 ? 1 : 1 + (random >> 24) % (seed % 32 + 1);
        if (at >= length)
            break;
        cuts[count++] = at;
    }
    return count;
}

static void forget_reason(struct text *transcript)
{
    static const char refused[] = "refused 400; ";
    size_t length = strlen(refused);

    if (transcript->length >= length &&
        memcmp(transcript->bytes + transcript->length - length, refused, strlen("refused ")) == 0)
        transcript->length -= strlen("400; ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cuts[CUTS_MAX];
    struct text whole, pieces;
    const char *bytes = (const char *)data + 1;

    if (size < 2)
        return 0;
    text_init(&whole, 1 << 24);
    text_init(&pieces, 1 << 24);
    transcript_add(&whole, &limits, bytes, size - 1, NULL, 0);
    transcript_add(&pieces, &limits, bytes, size - 1, cuts, cut(data[0], size - 1, cuts));
    forget_reason(&whole);
    forget_reason(&pieces);
    if (whole.length != pieces.length ||
        (whole.length > 0 && memcmp(whole.bytes, pieces.bytes, whole.length) != 0)) {
        fprintf(stderr, "whole:  %s\npieces: %s\n", whole.bytes, pieces.bytes);
        abort();
    }
    text_finish(&whole);
    text_finish(&pieces);
    return 0;
}
