/* base/http/tls.h - TLS between a socket and its connection, in memory (OpenSSL's BIOs)
 *
 * TLS 1.2 and 1.3, ALPN http/1.1, sessions resumed by tickets; no renegotiation, no compression, no
 * early data (a replay of it would be a second order).  A certificate can be replaced while
 * connections live: each keeps what it began with.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/text.h"

/* The certificate with its key, which a server lends to its connections. */
struct http_tls;

/* PEM files; the first holds the whole chain.  Refused by name: what cannot be read, a key that
 * others may read, one that needs a passphrase or is another certificate's. */
struct http_tls *http_tls_open(const char *certificate_path, const char *key_path,
                               struct fault *fault) __attribute__((warn_unused_result));
/* From the same files, for connections to come.  False: all stays as it was. */
bool http_tls_reload(struct http_tls *tls, struct fault *fault) __attribute__((warn_unused_result));
int64_t http_tls_expires_s(const struct http_tls *tls); /* from now on; below zero: it has */
void http_tls_destroy(struct http_tls *tls);

enum http_tls_step {
    HTTP_TLS_WAITS,  /* for more bytes */
    HTTP_TLS_READ,   /* plain bytes came out */
    HTTP_TLS_ENDED,  /* the peer sends no more (close_notify) */
    HTTP_TLS_FAILED, /* what came is not right; an alert may be in what is sealed next */
};

/* One side of one connection.  Bytes that came are fed, then read until it waits. */
SSL *http_tls_begin(const struct http_tls *tls);
void http_tls_feed(SSL *session, const char *bytes, size_t length);
enum http_tls_step http_tls_read(SSL *session, char *bytes, size_t size, size_t *length);
/* Appends to `sealed` what is to be sent: plain bytes, and what TLS itself has to say. */
void http_tls_seal(SSL *session, const char *bytes, size_t length, struct text *sealed);
size_t http_tls_unsent(const SSL *session); /* bytes that the next seal will append */
void http_tls_say_end(SSL *session);        /* close_notify */
/* After FAILED: the peer spoke HTTP without TLS. */
bool http_tls_was_plain_http(void);
