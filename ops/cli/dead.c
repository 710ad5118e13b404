/* docket dead: what gave up, and letting it go on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/command.h"

static void print_letters(const json_t *letters)
{
    size_t index;
    const json_t *letter;

    printf("%-6s %-31s %-11s %-10s %-28s %s\n", "id", "order", "stage", "state", "fault",
           "at risk");
    json_array_foreach(letters, index, letter) printf(
        "%-6lld %-31s %-11s %-10s %-28s %lld %s\n", number_of(letter, "id"),
        text_of(letter, "order"), text_of(letter, "stage"), text_of(letter, "state"),
        text_of(letter, "fault_code"), number_of(letter, "amount"), text_of(letter, "currency"));
}

static int list(int argc, char **argv)
{
    const char *state = "open";
    bool as_json = false;
    const struct option_wanted options[] = {
        {"--state", &state, NULL}, {"--json", NULL, &as_json}, {NULL, NULL, NULL}};
    char path[128];
    json_t *answer;

    if (!command_options(argc, argv, options, NULL, 0) ||
        strspn(state, "abcdefghijklmnopqrstuvwxyz") != strlen(state) || strlen(state) > 20)
        return command_usage(&command_dead);
    snprintf(path, sizeof(path), "/admin/dead?filter=state:%s&limit=500", state);
    if ((answer = admin_call("GET", path, NULL)) == NULL)
        return EXIT_REFUSED;
    if (as_json)
        print_json(answer);
    else
        print_letters(json_object_get(answer, "dead_letters"));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static void print_letter(const json_t *letter)
{
    printf("dead letter %lld, %s\n", number_of(letter, "id"), text_of(letter, "state"));
    printf("order    %s (docket order show %s)\n", text_of(letter, "order"),
           text_of(letter, "order"));
    printf("stage    %s, after %lld attempts and %lld crashes\n", text_of(letter, "stage"),
           number_of(letter, "attempts"), number_of(letter, "crashes"));
    printf("fault    %s %s: %s\n", text_of(letter, "fault_kind"), text_of(letter, "fault_code"),
           text_of(letter, "fault_text"));
    printf("at risk  %lld %s\n", number_of(letter, "amount"), text_of(letter, "currency"));
    printf("since    %s\nhistory  ", text_of(letter, "created_at"));
    print_json(json_object_get(letter, "history"));
}

static bool is_number(const char *text)
{
    return *text && strlen(text) < 20 && strspn(text, "0123456789") == strlen(text);
}

static int show(int argc, char **argv)
{
    bool as_json = false;
    const struct option_wanted options[] = {{"--json", NULL, &as_json}, {NULL, NULL, NULL}};
    char path[64];
    const char *id;
    json_t *letter;

    if (!command_options(argc, argv, options, &id, 1) || !is_number(id))
        return command_usage(&command_dead);
    snprintf(path, sizeof(path), "/admin/dead/%s", id);
    if ((letter = admin_call("GET", path, NULL)) == NULL)
        return EXIT_REFUSED;
    if (as_json)
        print_json(letter);
    else
        print_letter(letter);
    json_decref(letter);
    return EXIT_SUCCESS;
}

static int replay(int argc, char **argv)
{
    const char *reason = NULL, *id;
    bool as_json = false;
    const struct option_wanted options[] = {
        {"--reason", &reason, NULL}, {"--json", NULL, &as_json}, {NULL, NULL, NULL}};
    char path[64];
    json_t *wish, *answer;

    if (!command_options(argc, argv, options, &id, 1) || !is_number(id) || reason == NULL)
        return command_usage(&command_dead);
    snprintf(path, sizeof(path), "/admin/dead/%s/replay", id);
    wish = json_pack("{s:s}", "reason", reason);
    answer = admin_call("POST", path, wish);
    json_decref(wish);
    if (answer == NULL)
        return EXIT_REFUSED;
    if (as_json)
        print_json(answer);
    else
        printf("Order %s goes on with its %s (docket order show %s).\n", text_of(answer, "order"),
               text_of(answer, "stage"), text_of(answer, "order"));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static int run(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return list(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "show") == 0)
        return show(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "replay") == 0)
        return replay(argc - 2, argv + 2);
    return command_usage(&command_dead);
}

const struct command command_dead = {
    .name = "dead",
    .summary = "list, show and replay dead letters",
    .help = "usage: docket dead list [--state open|replaying|resolved|discarded|all] [--json]\n"
            "       docket dead show ID [--json]\n"
            "       docket dead replay ID --reason TEXT [--json]\n\n"
            "A replayed order goes on where it stopped; what is paid is not paid again.  Every\n"
            "replay is written down, with who and why.\n\n"
            "  docket dead list\n"
            "  docket dead replay 7 --reason \"the carrier is back\"\n",
    .run = run,
};
