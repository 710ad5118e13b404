#include "tests/bench/load/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { NUMBER_DIGITS = 12 };

static void split_body(struct request_text *text, const char *body)
{
    char *copy = xstrdup(body), *mark = strstr(copy, "@@N@@");

    text->before = copy;
    text->after = copy + strlen(copy);
    if (mark == NULL)
        return;
    *mark = '\0';
    text->after = mark + strlen("@@N@@");
}

void request_init(struct request_text *text, const struct load_options *options)
{
    int length = 0;

    text->options = options;
    length +=
        snprintf(text->head + length, sizeof(text->head) - (size_t)length, "Host: 127.0.0.1\r\n");
    if (options->authorization)
        length += snprintf(text->head + length, sizeof(text->head) - (size_t)length,
                           "Authorization: Bearer %s\r\n", options->authorization);
    if (options->timeout_ms > 0)
        snprintf(text->head + length, sizeof(text->head) - (size_t)length,
                 "Request-Timeout-Ms: %llu\r\n", (unsigned long long)options->timeout_ms);
    if (options->kind == LOAD_ORDERS)
        split_body(text, options->body);
}

/* splitmix64: neighbours lie far apart, and no two of them together. */
static uint64_t scatter(uint64_t number)
{
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

static int write_order(struct request_text *text, uint64_t number)
{
    char first[24] = "";
    bool is_marked = text->after > text->before + strlen(text->before);
    size_t body = strlen(text->before) + (is_marked ? NUMBER_DIGITS : 0) + strlen(text->after);
    char digits[24] = "";

    if (is_marked)
        snprintf(digits, sizeof(digits), "%0*llu", NUMBER_DIGITS, (unsigned long long)number);
    if (text->options->is_random)
        snprintf(first, sizeof(first), "%016llx", (unsigned long long)scatter(number));
    return snprintf(text->bytes, sizeof(text->bytes),
                    "POST /v1/orders HTTP/1.1\r\n%sContent-Type: application/json\r\n"
                    "Idempotency-Key: %s%s%0*llu\r\nContent-Length: %zu\r\n\r\n%s%s%s",
                    text->head, first, text->options->prefix, NUMBER_DIGITS,
                    (unsigned long long)number, body, text->before, digits, text->after);
}

static int write_poll(struct request_text *text, uint64_t number, int32_t known)
{
    char condition[64] = "";

    if (known > 0)
        snprintf(condition, sizeof(condition), "If-None-Match: \"%d\"\r\n", known);
    return snprintf(text->bytes, sizeof(text->bytes), "GET /v1/orders/%s HTTP/1.1\r\n%s%s\r\n",
                    text->options->ids[number], text->head, condition);
}

size_t request_write(struct request_text *text, uint64_t number, int32_t known)
{
    int length = 0;

    switch (text->options->kind) {
    case LOAD_ORDERS:
        length = write_order(text, number);
        break;
    case LOAD_POLLS:
        length = write_poll(text, number, known);
        break;
    case LOAD_GET:
        length = snprintf(text->bytes, sizeof(text->bytes), "GET %s HTTP/1.1\r\n%s\r\n",
                          text->options->path, text->head);
        break;
    }
    if (length < 0 || length >= (int)sizeof(text->bytes))
        abort();
    return (size_t)length;
}
