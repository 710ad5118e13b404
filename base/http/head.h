/* base/http/head.h - what a head must say to be framed without doubt (RFC 9112 §3, §5, §6) */
#pragma once

#include "base/http/parser.h"

enum { HTTP_TARGET_BYTES_MAX = 8000 };

/* The request line, raw: method SP target SP HTTP/1.x CRLF, nothing else.  Finds the target. */
bool http_head_check_line(const char *line, size_t length, struct http_message *message,
                          size_t *target_at, size_t *target_length, struct http_refusal *refusal);

/* The fields, when all are known: Host, Content-Length, Transfer-Encoding, Expect. */
bool http_head_check_fields(struct http_message *message, struct http_refusal *refusal);

/* Returns false. */
bool http_head_refuse(struct http_refusal *refusal, int status, const char *code,
                      const char *detail);
