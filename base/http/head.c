#include "base/http/head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool http_head_refuse(struct http_refusal *refusal, int status, const char *code,
                      const char *detail)
{
    *refusal = (struct http_refusal){status, code, detail};
    return false;
}

static bool malformed(struct http_refusal *refusal, const char *detail)
{
    return http_head_refuse(refusal, 400, "malformed_request", detail);
}

/* RFC 9110 §5.6.2. */
static bool is_token(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c >= 0x80 || (!isalnum(c) && strchr("!#$%&'*+-.^_`|~", c) == NULL) || c == '\0')
            return false;
    }
    return length > 0;
}

static bool check_version(const char *version, size_t length, struct http_message *message,
                          struct http_refusal *refusal)
{
    if (length != strlen("HTTP/1.1") || memcmp(version, "HTTP/", 5) != 0 ||
        !isdigit((unsigned char)version[5]) || version[6] != '.' ||
        !isdigit((unsigned char)version[7]))
        return malformed(refusal, "The request line does not end in an HTTP version.");
    if (version[5] != '1' || version[7] > '1')
        return http_head_refuse(refusal, 505, "version_not_supported",
                                "This server speaks HTTP/1.1 and HTTP/1.0.");
    message->is_http_1_0 = version[7] == '0';
    return true;
}

static bool check_target(const char *target, size_t length, struct http_refusal *refusal)
{
    if (length == 0)
        return malformed(refusal, "The request line has no target.");
    if (length > HTTP_TARGET_BYTES_MAX)
        return http_head_refuse(refusal, 414, "target_too_long",
                                "The request target is longer than 8000 bytes.");
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)target[i];

        if (c <= ' ' || c >= 0x7f || c == '#' || c == '"' || c == '<' || c == '>' || c == '\\')
            return malformed(refusal, "The request target has a character that must be escaped.");
    }
    return true;
}

bool http_head_check_line(const char *line, size_t length, struct http_message *message,
                          size_t *target_at, size_t *target_length, struct http_refusal *refusal)
{
    const char *end = line + length;
    const char *method_end = memchr(line, ' ', length);
    const char *target = method_end ? method_end + 1 : end;
    const char *target_end = memchr(target, ' ', (size_t)(end - target));

    if (method_end == NULL || !is_token(line, (size_t)(method_end - line)))
        return malformed(refusal, "The request line does not begin with a method.");
    if (target_end == NULL)
        return malformed(refusal, "The request line does not end in an HTTP version.");
    *target_at = (size_t)(target - line);
    *target_length = (size_t)(target_end - target);
    return check_target(target, *target_length, refusal) &&
           check_version(target_end + 1, (size_t)(end - target_end - 1), message, refusal);
}

/* uri-host [":" port] (RFC 9112 §3.2), of the characters that RFC 3986 allows in one. */
static bool is_host(const struct http_field *field)
{
    for (size_t i = 0; i < field->value_length; i++) {
        unsigned char c = (unsigned char)field->value[i];

        if (c >= 0x80 || (!isalnum(c) && strchr("-._~:[]%!$&'()*+;=", c) == NULL))
            return false;
    }
    return field->value_length > 0;
}

static bool check_host(const struct http_message *message, struct http_refusal *refusal)
{
    const struct http_field *host = http_message_field(message, "Host");

    if (host == NULL)
        return message->is_http_1_0 || malformed(refusal, "There is no Host field.");
    if (http_message_count(message, "Host") > 1)
        return malformed(refusal, "There is more than one Host field.");
    return is_host(host) || malformed(refusal, "The Host field is not a host.");
}

static bool check_content_length(struct http_message *message, const struct http_field *field,
                                 struct http_refusal *refusal)
{
    uint64_t length = 0;

    if (http_message_count(message, "Content-Length") > 1)
        return malformed(refusal, "There is more than one Content-Length field.");
    if (field->value_length == 0 || field->value_length > 18)
        return malformed(refusal, "Content-Length is not a number that a body can have.");
    for (size_t i = 0; i < field->value_length; i++) {
        if (!isdigit((unsigned char)field->value[i]))
            return malformed(refusal, "Content-Length is not a plain decimal number.");
        length = length * 10 + (uint64_t)(field->value[i] - '0');
    }
    message->content_length = length;
    return true;
}

static bool check_transfer_encoding(struct http_message *message, const struct http_field *field,
                                    struct http_refusal *refusal)
{
    if (message->is_http_1_0)
        return malformed(refusal, "Transfer-Encoding does not exist in HTTP/1.0.");
    if (http_message_count(message, "Transfer-Encoding") > 1 ||
        strcasecmp(field->value, "chunked") != 0)
        return malformed(refusal, "The only transfer coding here is one chunked.");
    message->is_chunked = true;
    return true;
}

/* A body on GET or HEAD has no meaning (RFC 9110 §9.3.1) and is how requests are smuggled. */
static bool check_body_allowed(const struct http_message *message, struct http_refusal *refusal)
{
    bool has_body = message->is_chunked || message->content_length > 0;

    if (has_body && (strcmp(message->method, "GET") == 0 || strcmp(message->method, "HEAD") == 0))
        return malformed(refusal, "GET and HEAD have no body here.");
    return true;
}

static bool check_length(struct http_message *message, struct http_refusal *refusal)
{
    const struct http_field *length = http_message_field(message, "Content-Length");
    const struct http_field *encoding = http_message_field(message, "Transfer-Encoding");

    if (length != NULL && encoding != NULL)
        return malformed(refusal, "Content-Length and Transfer-Encoding exclude each other.");
    if (length != NULL && !check_content_length(message, length, refusal))
        return false;
    if (encoding != NULL && !check_transfer_encoding(message, encoding, refusal))
        return false;
    return check_body_allowed(message, refusal);
}

bool http_head_check_fields(struct http_message *message, struct http_refusal *refusal)
{
    const struct http_field *expect = http_message_field(message, "Expect");

    if (!check_host(message, refusal) || !check_length(message, refusal))
        return false;
    if (expect == NULL || message->is_http_1_0)
        return true;
    if (strcasecmp(expect->value, "100-continue") != 0)
        return http_head_refuse(refusal, 417, "expectation_failed",
                                "The only expectation here is 100-continue.");
    message->expects_continue = true;
    return true;
}
