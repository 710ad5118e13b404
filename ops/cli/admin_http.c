#include "ops/cli/admin_http.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    ANSWER_BYTES_MAX = 64 * 1024 * 1024,
    CONNECT_MS = 5000,
    URL_BYTES_MAX = 64 * 1024,
    LINE_BYTES_MAX = 4096
};

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    struct text *answer = data;

    text_add_bytes(answer, bytes, size * count);
    return answer->cut ? 0 : size * count;
}

static size_t on_field(char *bytes, size_t size, size_t count, void *data)
{
    struct admin_answer *answer = data;
    char line[200];

    snprintf(line, sizeof(line), "%.*s", (int)(size * count), bytes);
    if (strncasecmp(line, "Date:", strlen("Date:")) == 0)
        answer->date_s = curl_getdate(line + strlen("Date:"), NULL);
    return size * count;
}

static void prepare(CURL *curl, const char *method, long timeout_ms, struct admin_answer *answer)
{
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_URL, answer->url.bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_field);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
    curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
}

static struct curl_slist *fields_of(const struct settings *settings)
{
    struct text line;
    struct curl_slist *fields;

    text_init(&line, LINE_BYTES_MAX);
    text_print(&line, "Authorization: Bearer %s", settings->operator_key);
    fields = curl_slist_append(NULL, line.bytes);
    text_finish(&line);
    fields = curl_slist_append(fields, "Content-Type: application/json");
    return curl_slist_append(fields, "Expect:");
}

/* Of the server's own certificate, the first of the chain. */
static void note_certificate(CURL *curl, struct admin_answer *answer)
{
    static const char name[] = "Expire date:";
    struct curl_certinfo *chain = NULL;

    if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL ||
        chain->num_of_certs == 0)
        return;
    for (const struct curl_slist *one = chain->certinfo[0]; one; one = one->next) {
        struct tm tm = {0};

        if (strncmp(one->data, name, strlen(name)) == 0 &&
            strptime(one->data + strlen(name), "%b %d %H:%M:%S %Y", &tm))
            answer->certificate_s = timegm(&tm);
    }
}

static void note_result(CURL *curl, CURLcode result, struct admin_answer *answer)
{
    curl_off_t connected_us = 0;

    curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    answer->was_sent = connected_us > 0;
    note_certificate(curl, answer);
    if (result == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    else
        snprintf(answer->why, sizeof(answer->why), "%s", curl_easy_strerror(result));
}

void admin_http(const struct settings *settings, const char *method, const char *path,
                const char *body, long timeout_ms, struct admin_answer *answer)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *fields = fields_of(settings);

    *answer = (struct admin_answer){.date_s = -1, .certificate_s = -1};
    text_init(&answer->body, ANSWER_BYTES_MAX);
    text_init(&answer->url, URL_BYTES_MAX);
    text_print(&answer->url, "%s%s", settings->operator_url, path);
    prepare(curl, method, timeout_ms, answer);
    if (settings->operator_ca[0] != '\0')
        curl_easy_setopt(curl, CURLOPT_CAINFO, settings->operator_ca);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    note_result(curl, curl_easy_perform(curl), answer);
    curl_slist_free_all(fields);
    curl_easy_cleanup(curl);
}

void admin_answer_finish(struct admin_answer *answer)
{
    text_finish(&answer->body);
    text_finish(&answer->url);
}
