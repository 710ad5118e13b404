#include "ops/cli/admin_call.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "ops/cli/command.h"

enum {
    ANSWER_BYTES_MAX = 64 * 1024 * 1024,
    CONNECT_MS = 5000,
    TOTAL_MS = 30000,
    URL_BYTES_MAX = 64 * 1024
};

static int last_code = EXIT_REFUSED;

int admin_exit_code(void)
{
    return last_code;
}

/* An act is one request and one transaction: it is done or not, but after Ctrl-C nobody knows. */
static void on_interrupt(int number)
{
    static const char said[] = "\ndocket: interrupted; the act may be done, or not: "
                               "`docket audit list` says it\n";
    ssize_t ignored = write(STDERR_FILENO, said, sizeof(said) - 1);

    (void)ignored;
    _exit(128 + number);
}

static bool is_act(const char *method)
{
    return strcmp(method, "GET") != 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    struct text *answer = data;

    text_add_bytes(answer, bytes, size * count);
    return answer->cut ? 0 : size * count;
}

static void say_next(const json_t *problem, long status)
{
    if (status == 401 || status == 403)
        fprintf(stderr, "Set DOCKET_OPERATOR_KEY to a key with scope operator.\n");
    if (status == 404 && strcmp(text_of(problem, "detail"), "") == 0)
        fprintf(stderr, "Is DOCKET_OPERATOR_URL the operators' listener, and is docket-api as new "
                        "as this command?\n");
    if (status == 503 && strcmp(text_of(problem, "code"), "outcome_unknown") == 0)
        fprintf(stderr, "Look (docket audit list) before you repeat it.\n");
    else if (status == 503)
        fprintf(stderr, "Try again; `curl $DOCKET_OPERATOR_URL/readyz` says what is missing.\n");
}

static void say_problem(const json_t *problem, long status)
{
    size_t index;
    const json_t *item;

    fprintf(stderr, "docket: %s",
            *text_of(problem, "title") ? text_of(problem, "title") : "refused");
    if (*text_of(problem, "detail"))
        fprintf(stderr, ": %s", text_of(problem, "detail"));
    fprintf(stderr, " (%ld %s)\n", status, text_of(problem, "code"));
    json_array_foreach(json_object_get(problem, "errors"), index, item)
        fprintf(stderr, "  %s: %s\n", text_of(item, "pointer"), text_of(item, "detail"));
    say_next(problem, status);
    if (strcmp(text_of(problem, "code"), "outcome_unknown") == 0)
        last_code = EXIT_UNKNOWN;
}

static void prepare(CURL *curl, const char *method, const char *url, struct text *answer)
{
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TOTAL_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
}

static struct curl_slist *headers_of(const struct settings *settings)
{
    struct text line;
    struct curl_slist *headers;

    text_init(&line, 4096);
    text_print(&line, "Authorization: Bearer %s", settings->operator_key);
    headers = curl_slist_append(NULL, line.bytes);
    text_finish(&line);
    headers = curl_slist_append(headers, "Content-Type: application/json");
    return curl_slist_append(headers, "Expect:");
}

/* There was no answer.  Was anything sent?  Then an act may be done. */
static void say_unreached(CURL *curl, CURLcode result, const char *method, const char *url)
{
    curl_off_t connected_us = 0;
    bool is_unknown;

    curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    is_unknown = connected_us > 0 && is_act(method);
    last_code = is_unknown ? EXIT_UNKNOWN : EXIT_UNREACHED;
    fprintf(stderr, "docket: %s: %s\n", url, curl_easy_strerror(result));
    if (is_unknown)
        fprintf(stderr, "It may be done, or not: look (docket audit list) before you repeat it.\n");
    else
        fprintf(stderr, "Is docket-api running, and is DOCKET_OPERATOR_URL its operators' "
                        "listener?\n");
}

/* The answer's status; 0: there was none, and why was said. */
static long perform(const struct settings *settings, const char *method, const char *path,
                    const char *body, struct text *answer)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = headers_of(settings);
    struct text url;
    CURLcode result;
    long status = 0;

    text_init(&url, URL_BYTES_MAX);
    text_print(&url, "%s%s", settings->operator_url, path);
    prepare(curl, method, url.bytes, answer);
    if (settings->operator_ca[0] != '\0')
        curl_easy_setopt(curl, CURLOPT_CAINFO, settings->operator_ca);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    if (is_act(method))
        (void)signal(SIGINT, on_interrupt);
    result = curl_easy_perform(curl);
    (void)signal(SIGINT, SIG_DFL);
    if (result == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    else
        say_unreached(curl, result, method, url.bytes);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    text_finish(&url);
    return status;
}

/* Read once, since its texts live until the process ends.  NULL: said why. */
static const struct settings *settings_of_docket(void)
{
    static struct settings settings;
    static bool is_read;

    is_read = is_read || command_settings(&settings, PROGRAM_DOCKET);
    return is_read ? &settings : NULL;
}

json_t *admin_call(const char *method, const char *path, const json_t *body)
{
    const struct settings *settings = settings_of_docket();
    struct text answer;
    char *sent = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_t *value = NULL;
    long status = 0;

    text_init(&answer, ANSWER_BYTES_MAX);
    if (settings != NULL)
        status = perform(settings, method, path, sent, &answer);
    if (status != 0) {
        value = json_loadb(answer.bytes ? answer.bytes : "", answer.length, 0, NULL);
        if (status >= 400 || value == NULL) {
            say_problem(value, status);
            json_decref(value);
            value = NULL;
        }
    }
    text_finish(&answer);
    free(sent);
    return value;
}

void admin_query(struct text *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    text_print(path, "%c%s=", path->bytes && strchr(path->bytes, '?') ? '&' : '?', name);
    text_add_urlencoded(path, value);
}

void admin_query_number(struct text *path, const char *name, long long value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", value);
    admin_query(path, name, text);
}
