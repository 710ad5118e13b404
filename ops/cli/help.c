/* docket help, and --help of every command */
#include "ops/cli/help.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/cli/screen.h"

enum { OPTION_COLUMN = 28, TEXT_WIDTH = 92 };

const struct exit_code exit_codes[] = {
    {0, "done"},
    {EXIT_REFUSED, "refused or failed: stderr says why, and what to do"},
    {EXIT_USAGE, "the command line was wrong: nothing was done"},
    {EXIT_UNREACHED, "the API could not be reached: nothing was done"},
    {EXIT_UNKNOWN, "it may be done, or become so yet: look before you repeat it"},
    {130, "interrupted; an act is done whole or not at all"},
    {0, NULL},
};

static void print_name(FILE *out, const struct call *call)
{
    for (int i = 0; i < call->depth; i++)
        fprintf(out, "%s%s", i ? " " : "", call->path[i]->name);
}

void help_synopsis(FILE *out, const struct call *call)
{
    const struct command *command = call_command(call);

    print_name(out, call);
    if (command->commands) {
        fprintf(out, " COMMAND");
        return;
    }
    if (command->operands)
        fprintf(out, " %s", command->operands);
    for (const struct option *option = command->options; option && option->name; option++) {
        if (option->is_required)
            fprintf(out, " --%s %s", option->name, option->metavar);
    }
    fprintf(out, " [OPTION]…");
}

static void list_names(FILE *out, const struct command *command)
{
    for (int i = 0; command->commands[i]; i++)
        fprintf(out, "%s%s", i ? ", " : "", command->commands[i]->name);
    fprintf(out, "\n");
}

void help_usage(FILE *out, const struct call *call)
{
    fprintf(out, "usage: ");
    help_synopsis(out, call);
    fprintf(out, "\n");
    if (call_command(call)->commands) {
        fprintf(out, "commands: ");
        list_names(out, call_command(call));
    }
    fprintf(out, "`");
    print_name(out, call);
    fprintf(out, " --help` says more.\n");
}

/* Breaks at words; `column` is where the text begins, and goes on in the lines below. */
static void print_wrapped(FILE *out, const char *text, int column)
{
    int at = column;

    while (*text) {
        size_t bytes = strcspn(text, " ");
        char word[256];
        int cells;

        snprintf(word, sizeof(word), "%.*s", (int)bytes, text);
        cells = cells_of(word);
        if (at > column && at + 1 + cells > TEXT_WIDTH) {
            fprintf(out, "\n%*s", column, "");
            at = column;
        }
        fprintf(out, "%s%s", at > column ? " " : "", word);
        at += cells + (at > column);
        text += bytes;
        text += *text == ' ';
    }
    fprintf(out, "\n");
}

static void print_paragraphs(FILE *out, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        char *line = strndup(text, length);

        print_wrapped(out, line ? line : "", 0);
        free(line);
        text += length;
        text += *text == '\n';
    }
}

static void print_entry(FILE *out, const char *left, const char *right)
{
    int cells = cells_of(left);

    fprintf(out, "  %s", left);
    if (cells + 4 > OPTION_COLUMN)
        fprintf(out, "\n%*s", OPTION_COLUMN, "");
    else
        fprintf(out, "%*s", OPTION_COLUMN - 2 - cells, "");
    print_wrapped(out, right, OPTION_COLUMN);
}

static void print_option(FILE *out, const struct option *option)
{
    char left[128], right[512];

    snprintf(left, sizeof(left), "--%s%s%s", option->name, option->metavar ? " " : "",
             option->metavar ? option->metavar : "");
    snprintf(right, sizeof(right), "%s%s", option->help, option->is_required ? " (required)" : "");
    print_entry(out, left, right);
}

static void print_options(FILE *out, const struct command *command)
{
    const struct option *option;

    fprintf(out, "\noptions:\n");
    for (int i = 0; (option = call_option(command, i)) != NULL; i++)
        print_option(out, option);
}

static void print_commands(FILE *out, const struct command *command)
{
    fprintf(out, "\ncommands:\n");
    for (int i = 0; command->commands[i]; i++)
        print_entry(out, command->commands[i]->name, command->commands[i]->summary);
}

static void print_examples(FILE *out, const char *examples)
{
    fprintf(out, "\nexamples:\n");
    while (*examples) {
        size_t length = strcspn(examples, "\n");

        fprintf(out, "  %.*s\n", (int)length, examples);
        examples += length;
        examples += *examples == '\n';
    }
}

static void print_exit_codes(FILE *out)
{
    fprintf(out, "\nexit codes:\n");
    for (const struct exit_code *code = exit_codes; code->meaning; code++)
        fprintf(out, "  %-4d%s\n", code->code, code->meaning);
}

void help_print(FILE *out, const struct call *call)
{
    const struct command *command = call_command(call);

    fprintf(out, "usage: ");
    help_synopsis(out, call);
    fprintf(out, "\n\n");
    print_paragraphs(out, command->summary);
    if (command->about) {
        fprintf(out, "\n");
        print_paragraphs(out, command->about);
    }
    if (command->commands)
        print_commands(out, command);
    else
        print_options(out, command);
    if (command->examples)
        print_examples(out, command->examples);
    print_exit_codes(out);
    if (call->depth == 1) {
        fprintf(out, "\nsettings (environment):\n");
        config_print_help(out, settings_entries, settings_count, PROGRAM_DOCKET | PROGRAM_MIGRATE);
    }
}

static int run(const struct call *call)
{
    struct call shown = {.depth = 0};
    char *words[OPERANDS_MAX + 1];
    char help[] = "--help";
    int code = EXIT_USAGE;

    for (int i = 0; i < call->operand_count; i++)
        words[i] = xstrdup(call->operands[i]);
    words[call->operand_count] = help;
    if (call_read(&shown, call->operand_count + 1, words)) {
        help_print(stdout, &shown);
        code = EXIT_SUCCESS;
    }
    for (int i = 0; i < call->operand_count; i++)
        free(words[i]);
    return code;
}

const struct command command_help = {
    .name = "help",
    .summary = "Say what a command does, with its options and examples.",
    .operands = "[COMMAND…]",
    .examples = "docket help order show",
    .is_plain = true,
    .run = run,
};
