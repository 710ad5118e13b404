/* docket man: the manual, a page a command, made of the same tables as --help */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "ops/cli/help.h"

enum { PATH_SIZE = 4096 };

/* Text of ours as roff reads it: dashes and quotes as typed, no line that begins with a request. */
static void print_text(FILE *out, const char *text)
{
    bool is_line_start = true;

    for (; *text; text++) {
        if (is_line_start && (*text == '.' || *text == '\''))
            fprintf(out, "\\&");
        is_line_start = *text == '\n';
        if (*text == '\\')
            fprintf(out, "\\e");
        else if (*text == '-')
            fprintf(out, "\\-");
        else if (*text == '`')
            fprintf(out, "\\(ga");
        else if (*text == '\'')
            fprintf(out, "\\(aq");
        else if (*text == '~')
            fprintf(out, "\\(ti");
        else if (*text == '^')
            fprintf(out, "\\(ha");
        else
            fputc(*text, out);
    }
}

/* Text of help.c's printers, made roff. */
static void print_captured(FILE *out, void (*print)(FILE *out, const struct call *call),
                           const struct call *call)
{
    char *bytes = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&bytes, &length);

    print(memory, call);
    fclose(memory);
    print_text(out, bytes);
    free(bytes);
}

static void print_paragraphs(FILE *out, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        char *line = strndup(text, length);

        fprintf(out, ".PP\n");
        print_text(out, line ? line : "");
        fprintf(out, "\n");
        free(line);
        text += length;
        text += *text == '\n';
    }
}

static void print_options(FILE *out, const struct command *command)
{
    const struct option *option;

    for (int i = 0; (option = call_option(command, i)) != NULL; i++) {
        fprintf(out, ".TP\n\\fB\\-\\-");
        print_text(out, option->name);
        fprintf(out, "\\fR");
        if (option->metavar) {
            fprintf(out, " \\fI");
            print_text(out, option->metavar);
            fprintf(out, "\\fR");
        }
        fprintf(out, "\n");
        print_text(out, option->help);
        fprintf(out, option->is_required ? " Required.\n" : "\n");
    }
}

static void print_examples(FILE *out, const char *examples)
{
    fprintf(out, ".PP\n.nf\n.RS 4\n");
    print_text(out, examples);
    fprintf(out, "\n.RE\n.fi\n");
}

static void print_about(FILE *out, const struct call *call)
{
    const struct command *command = call_command(call);

    fprintf(out, ".PP\n.B ");
    print_captured(out, help_synopsis, call);
    fprintf(out, "\n");
    print_paragraphs(out, command->summary);
    if (command->about)
        print_paragraphs(out, command->about);
    print_options(out, command);
    if (command->examples)
        print_examples(out, command->examples);
}

/* A command without nested ones is described itself; else each of them, as a part. */
static void print_commands(FILE *out, const struct call *call)
{
    const struct command *command = call_command(call);

    if (command->commands == NULL) {
        print_about(out, call);
        return;
    }
    if (command->about)
        print_paragraphs(out, command->about);
    for (int i = 0; command->commands[i]; i++) {
        struct call nested = *call;

        nested.path[nested.depth++] = command->commands[i];
        if (nested.depth < 3 && command->commands[i]->commands == NULL)
            fprintf(out, ".SS %s\n", command->commands[i]->name);
        else if (command->commands[i]->commands == NULL)
            fprintf(out, ".SS %s %s\n", command->name, command->commands[i]->name);
        print_commands(out, &nested);
    }
}

static void print_overview(FILE *out)
{
    print_paragraphs(out, command_docket.about);
    for (int i = 0; command_docket.commands[i]; i++) {
        fprintf(out, ".TP\n\\fBdocket\\-%s\\fR(1)\n", command_docket.commands[i]->name);
        print_text(out, command_docket.commands[i]->summary);
        fprintf(out, "\n");
    }
    print_examples(out, command_docket.examples);
}

static void print_settings(FILE *out)
{
    char *bytes = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&bytes, &length);

    config_print_help(memory, settings_entries, settings_count, PROGRAM_DOCKET | PROGRAM_MIGRATE);
    fclose(memory);
    fprintf(out, ".SH ENVIRONMENT\n.nf\n");
    print_text(out, bytes);
    fprintf(out, ".fi\n");
    free(bytes);
}

/* The page of docket itself (depth 1) or of one command. */
static void print_page(FILE *out, const struct call *call)
{
    const struct command *command = call_command(call);

    fprintf(out, ".TH DOCKET%s%s 1 \"\" Docket \"Docket manual\"\n.SH NAME\ndocket",
            call->depth > 1 ? "\\-" : "", call->depth > 1 ? command->name : "");
    fprintf(out, "%s%s \\- ", call->depth > 1 ? "\\-" : "", call->depth > 1 ? command->name : "");
    print_text(out, command->summary);
    fprintf(out, "\n.SH SYNOPSIS\n.B ");
    print_captured(out, help_synopsis, call);
    fprintf(out, "\n.SH DESCRIPTION\n");
    if (call->depth == 1)
        print_overview(out);
    else
        print_commands(out, call);
    fprintf(out, ".SH \"EXIT STATUS\"\n");
    for (const struct exit_code *code = exit_codes; code->meaning; code++) {
        fprintf(out, ".TP\n%d\n", code->code);
        print_text(out, code->meaning);
        fprintf(out, "\n");
    }
    print_settings(out);
    if (call->depth > 1)
        fprintf(out, ".SH \"SEE ALSO\"\n.BR docket (1)\n");
}

static bool write_page(const char *directory, const struct call *call)
{
    char path[PATH_SIZE], beside[PATH_SIZE + 8];
    FILE *file;

    snprintf(path, sizeof(path), "%s/docket%s%s.1", directory, call->depth > 1 ? "-" : "",
             call->depth > 1 ? call_command(call)->name : "");
    snprintf(beside, sizeof(beside), "%s.new", path);
    if ((file = fopen(beside, "w")) != NULL) {
        print_page(file, call);
        if (fclose(file) == 0 && rename(beside, path) == 0)
            return true;
    }
    refuse(NULL, "%s: %s", path, strerror(errno));
    return false;
}

static int write_all(const char *directory)
{
    struct call call = {.path = {&command_docket}, .depth = 1};

    if (mkdir(directory, 0755) != 0 && errno != EEXIST)
        return refuse(NULL, "%s: %s", directory, strerror(errno));
    if (!write_page(directory, &call))
        return EXIT_REFUSED;
    call.depth = 2;
    for (int i = 0; command_docket.commands[i]; i++) {
        call.path[1] = command_docket.commands[i];
        if (!write_page(directory, &call))
            return EXIT_REFUSED;
    }
    return EXIT_SUCCESS;
}

static int run(const struct call *call)
{
    struct call shown = {.path = {&command_docket}, .depth = 1};
    const char *name = call_operand(call, 0);

    if (call_text(call, "into"))
        return write_all(call_text(call, "into"));
    for (int i = 0; name && command_docket.commands[i]; i++) {
        if (strcmp(command_docket.commands[i]->name, name) == 0)
            shown.path[shown.depth++] = command_docket.commands[i];
    }
    if (name && shown.depth == 1)
        return call_misused(call, "there is no command %s", name);
    print_page(stdout, &shown);
    return EXIT_SUCCESS;
}

static const struct option options[] = {
    {"into", "DIRECTORY", "Write all pages into it, as docket.1, docket-order.1, ….", OPTION_FILE,
     false},
    {.name = NULL},
};

const struct command command_man = {
    .name = "man",
    .summary = "Print the manual page of a command, or write them all.",
    .operands = "[COMMAND]",
    .options = options,
    .examples = "docket man order | man -l -\n"
                "docket man --into /usr/local/share/man/man1",
    .is_plain = true,
    .run = run,
};
