#include "base/http/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/memory.h"

enum { OTHERS = 07 };

/* Of TLS 1.2; those of 1.3 are all good. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

struct http_tls {
    char *certificate_path, *key_path;
    SSL_CTX *context;
};

static int refuse_passphrase(char *buffer, int size, int is_writing, void *data)
{
    (void)is_writing, (void)data;
    if (size > 0)
        buffer[0] = '\0';
    return -1; /* nobody is there to be asked */
}

/* A client that asks for protocols, but not for ours, would not understand us. */
static int on_alpn(SSL *session, const unsigned char **chosen, unsigned char *chosen_length,
                   const unsigned char *asked, unsigned asked_length, void *data)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found;

    (void)session, (void)data;
    if (SSL_select_next_proto(&found, chosen_length, ours, sizeof(ours) - 1, asked, asked_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static void set_options(SSL_CTX *context)
{
    static const unsigned char name[] = "docket";

    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets are the client's */
    SSL_CTX_set_session_id_context(context, name, sizeof(name) - 1);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
}

static bool bad(struct fault *fault, const char *path, const char *what)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;

    return fail(fault, FAULT_REFUSED, "TLS: %s: %s%s%s", path, what, reason ? ": " : "",
                reason ? reason : "");
}

static bool check_mode(const char *path, struct fault *fault)
{
    struct stat found;

    if (stat(path, &found) != 0)
        return fail(fault, FAULT_REFUSED, "TLS: %s cannot be read: %s", path, strerror(errno));
    if (found.st_mode & OTHERS)
        return fail(fault, FAULT_REFUSED, "TLS: everybody may use the key %s: chmod 600 it", path);
    return true;
}

static bool load(SSL_CTX *context, const struct http_tls *tls, struct fault *fault)
{
    ERR_clear_error();
    if (SSL_CTX_set_cipher_list(context, ciphers) != 1)
        return bad(fault, "OpenSSL", "has none of our ciphers");
    if (SSL_CTX_use_certificate_chain_file(context, tls->certificate_path) != 1)
        return bad(fault, tls->certificate_path, "is no certificate in PEM");
    if (!check_mode(tls->key_path, fault))
        return false;
    if (SSL_CTX_use_PrivateKey_file(context, tls->key_path, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return bad(fault, tls->key_path, "is no key in PEM that fits the certificate");
    return true;
}

bool http_tls_reload(struct http_tls *tls, struct fault *fault)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context == NULL)
        return bad(fault, "OpenSSL", "has no memory");
    set_options(context);
    if (!load(context, tls, fault)) {
        ERR_clear_error();
        SSL_CTX_free(context);
        return false;
    }
    SSL_CTX_free(tls->context); /* lives on as long as a connection holds it */
    tls->context = context;
    return true;
}

struct http_tls *http_tls_open(const char *certificate_path, const char *key_path,
                               struct fault *fault)
{
    struct http_tls *tls = xcalloc(1, sizeof(*tls));

    tls->certificate_path = xstrdup(certificate_path);
    tls->key_path = xstrdup(key_path);
    if (http_tls_reload(tls, fault))
        return tls;
    http_tls_destroy(tls);
    return NULL;
}

int64_t http_tls_expires_s(const struct http_tls *tls)
{
    const ASN1_TIME *end = X509_get0_notAfter(SSL_CTX_get0_certificate(tls->context));
    int days = 0, seconds = 0;

    if (ASN1_TIME_diff(&days, &seconds, NULL, end) != 1)
        return 0;
    return (int64_t)days * 86400 + seconds;
}

void http_tls_destroy(struct http_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    free(tls->certificate_path);
    free(tls->key_path);
    free(tls);
}

SSL *http_tls_begin(const struct http_tls *tls)
{
    SSL *session = SSL_new(tls->context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    if (session == NULL || in == NULL || out == NULL)
        abort();                    /* as everywhere: no memory */
    BIO_set_mem_eof_return(in, -1); /* empty is not the end */
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(session, in, out);
    SSL_set_accept_state(session);
    return session;
}

void http_tls_feed(SSL *session, const char *bytes, size_t length)
{
    if (BIO_write(SSL_get_rbio(session), bytes, (int)length) != (int)length)
        abort();
}

enum http_tls_step http_tls_read(SSL *session, char *bytes, size_t size, size_t *length)
{
    ERR_clear_error();
    if (SSL_read_ex(session, bytes, size, length) == 1)
        return HTTP_TLS_READ;
    switch (SSL_get_error(session, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return HTTP_TLS_WAITS;
    case SSL_ERROR_ZERO_RETURN:
        return HTTP_TLS_ENDED;
    default:
        return HTTP_TLS_FAILED;
    }
}

void http_tls_seal(SSL *session, const char *bytes, size_t length, struct text *sealed)
{
    BIO *out = SSL_get_wbio(session);
    const char *pending;
    size_t written;
    long count;

    ERR_clear_error();
    if (length > 0 && SSL_write_ex(session, bytes, length, &written) != 1)
        ERR_clear_error(); /* a session that failed: nobody could read it */
    count = BIO_get_mem_data(out, (void *)&pending);
    if (count > 0) {
        text_add_bytes(sealed, pending, (size_t)count);
        (void)BIO_reset(out);
    }
}

size_t http_tls_unsent(const SSL *session)
{
    return BIO_ctrl_pending(SSL_get_wbio(session));
}

void http_tls_say_end(SSL *session)
{
    ERR_clear_error();
    if (SSL_is_init_finished(session))
        (void)SSL_shutdown(session);
    ERR_clear_error();
}

bool http_tls_was_plain_http(void)
{
    return ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
}
