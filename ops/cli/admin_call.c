#include "ops/cli/admin_call.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/cli/admin_http.h"
#include "ops/cli/command.h"

enum { TOTAL_MS = 30000 };

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

/* Not a row that is missing: the listener has no such thing at all, or is none of Docket's. */
static bool is_no_path(const json_t *problem)
{
    const char *detail = text_of(problem, "detail");

    return *detail == '\0' || strcmp(detail, "There is nothing at this path.") == 0;
}

static void say_next(const json_t *problem, long status)
{
    if (status == 401 || status == 403)
        fprintf(stderr, "Set DOCKET_OPERATOR_KEY to a key with scope operator.\n");
    if (strcmp(text_of(problem, "code"), "order_not_found") == 0)
        fprintf(stderr,
                "docket order list, and docket order show --key or --email, find orders.\n");
    else if (status == 404 && is_no_path(problem))
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

/* There was no answer.  Was anything sent?  Then an act may be done. */
static void say_unreached(const struct admin_answer *answer, const char *method)
{
    bool is_unknown = answer->was_sent && is_act(method);

    last_code = is_unknown ? EXIT_UNKNOWN : EXIT_UNREACHED;
    fprintf(stderr, "docket: %s: %s\n", answer->url.bytes, answer->why);
    if (is_unknown)
        fprintf(stderr, "It may be done, or not: look (docket audit list) before you repeat it.\n");
    else
        fprintf(stderr, "Is docket-api running, and is DOCKET_OPERATOR_URL its operators' "
                        "listener?\n");
}

static void perform(const struct settings *settings, const char *method, const char *path,
                    const char *body, struct admin_answer *answer)
{
    void (*before)(int) = is_act(method) ? signal(SIGINT, on_interrupt) : SIG_ERR;

    admin_http(settings, method, path, body, TOTAL_MS, answer);
    if (before != SIG_ERR)
        (void)signal(SIGINT, before);
    if (answer->status == 0)
        say_unreached(answer, method);
}

/* What would be sent somewhere else, or cut a request in two.  False: said why. */
static bool check_door(const struct settings *settings)
{
    const char *url = settings->operator_url, *host = strstr(url, "://");
    bool is_http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;

    if (!is_http || strchr("/?#", host[3]) || strpbrk(host + 3, "/?# \t\r\n"))
        refuse("Write http://HOST:PORT or https://HOST:PORT, and nothing after it.",
               "DOCKET_OPERATOR_URL \"%s\" is no listener of Docket", url);
    else if (strpbrk(settings->operator_key, " \t\r\n"))
        refuse("Is there a line end in it?", "DOCKET_OPERATOR_KEY is no key: it has blanks in it");
    else
        return true;
    return false;
}

/* Read once, since its texts live until the process ends.  NULL: said why. */
static const struct settings *settings_of_docket(void)
{
    static struct settings settings;
    static bool is_read;

    is_read = is_read || (command_settings(&settings, PROGRAM_DOCKET) && check_door(&settings));
    return is_read ? &settings : NULL;
}

static json_t *read_answer(const struct admin_answer *answer)
{
    json_t *value =
        json_loadb(answer->body.bytes ? answer->body.bytes : "", answer->body.length, 0, NULL);

    if (answer->status < 400 && value != NULL)
        return value;
    say_problem(value, answer->status);
    json_decref(value);
    return NULL;
}

json_t *admin_call(const char *method, const char *path, const json_t *body)
{
    const struct settings *settings = settings_of_docket();
    struct admin_answer answer;
    char *sent;
    json_t *value = NULL;

    if (settings == NULL)
        return NULL;
    sent = body ? json_dumps(body, JSON_COMPACT) : NULL;
    perform(settings, method, path, sent, &answer);
    if (answer.status != 0)
        value = read_answer(&answer);
    admin_answer_finish(&answer);
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
