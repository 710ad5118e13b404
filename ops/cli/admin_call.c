#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "ops/cli/command.h"

enum { ANSWER_BYTES_MAX = 64 * 1024 * 1024, CONNECT_MS = 5000, TOTAL_MS = 30000 };

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    struct text *answer = data;

    text_add_bytes(answer, bytes, size * count);
    return answer->cut ? 0 : size * count;
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
    if (status == 401)
        fprintf(stderr, "Set DOCKET_OPERATOR_KEY to a key with scope operator.\n");
    if (status == 503)
        fprintf(stderr, "Try again; `curl $DOCKET_OPERATOR_URL/readyz` says what is missing.\n");
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

/* The answer's status; 0: there was none, and why was said. */
static long perform(const struct settings *settings, const char *method, const char *path,
                    const char *body, struct text *answer)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = headers_of(settings);
    struct text url;
    CURLcode result;
    long status = 0;

    text_init(&url, 4096);
    text_print(&url, "%s%s", settings->operator_url, path);
    prepare(curl, method, url.bytes, answer);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    result = curl_easy_perform(curl);
    if (result == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    else
        fprintf(stderr,
                "docket: %s: %s\nIs docket-api running, and is DOCKET_OPERATOR_URL its operators' "
                "listener?\n",
                url.bytes, curl_easy_strerror(result));
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    text_finish(&url);
    return status;
}

json_t *admin_call(const char *method, const char *path, const json_t *body)
{
    static struct settings settings; /* its texts live until the process ends */
    struct text answer;
    char *sent = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_t *value = NULL;
    long status = 0;

    text_init(&answer, ANSWER_BYTES_MAX);
    if (command_settings(&settings, PROGRAM_DOCKET))
        status = perform(&settings, method, path, sent, &answer);
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
