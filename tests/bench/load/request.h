/* tests/bench/load/request.h - the bytes of a request */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tests/bench/load/options.h"

enum { REQUEST_BYTES_MAX = 16384 };

struct request_text {
    const struct load_options *options;
    char head[1024];      /* the fields that all requests have */
    char *before, *after; /* @@N@@ of the body */
    char bytes[REQUEST_BYTES_MAX];
};

void request_init(struct request_text *text, const struct load_options *options);
/* known: the version that a poll has seen; 0: none.  Valid until the next. */
size_t request_write(struct request_text *text, uint64_t number, int32_t known);
