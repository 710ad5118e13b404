/* tests/bench/load/answer.h - one HTTP/1.1 answer, as much of it as a load generator looks at
 *
 * The answers of a server under test are trusted to be framed by Content-Length; test_*.py hold
 * them against schema/openapi.yaml.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answer {
    int status;
    int retry_after_s; /* -1: not said */
    int32_t version;   /* of the ETag; -1: none */
    bool closes;
};

/* How many bytes the answer has; 0: it is not whole yet. */
size_t answer_read(const char *bytes, size_t length, struct answer *answer);
