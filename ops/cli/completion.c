/* docket completion: scripts for the shells, which ask `docket completion words` what fits here */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/help.h"

static const char bash_script[] =
    "# bash: . <(docket completion bash)\n"
    "_docket() {\n"
    "    local line word=${COMP_WORDS[COMP_CWORD]}\n"
    "    COMPREPLY=()\n"
    "    while IFS=$'\\t' read -r line _; do\n"
    "        [ \"$line\" = ':files' ] && { compopt -o filenames 2>/dev/null\n"
    "            while read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -f -- \"$word\")\n"
    "            continue; }\n"
    "        [[ $line == \"$word\"* ]] && COMPREPLY+=(\"$line\")\n"
    "    done < <(\"${COMP_WORDS[0]}\" completion words -- \"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
    "    return 0\n"
    "}\n"
    "complete -F _docket docket\n";

static const char zsh_script[] =
    "#compdef docket\n"
    "# zsh: docket completion zsh > ~/.zfunc/_docket, with ~/.zfunc in fpath before compinit\n"
    "_docket() {\n"
    "    local -a found\n"
    "    local line\n"
    "    for line in \"${(@f)$(${words[1]} completion words -- \"${(@)words[2,CURRENT]}\")}\"; do\n"
    "        if [[ $line == ':files'* ]]; then _files; return; fi\n"
    "        found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
    "    done\n"
    "    _describe docket found\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _docket ]; then _docket \"$@\"; else compdef _docket docket; fi\n";

static const char fish_script[] =
    "# fish: docket completion fish > ~/.config/fish/completions/docket.fish\n"
    "function __docket_words\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    for line in ($words[1] completion words -- $words[2..-1])\n"
    "        if string match -q ':files*' -- $line\n"
    "            __fish_complete_path (commandline -ct)\n"
    "        else\n"
    "            echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c docket -f -a '(__docket_words)'\n";

static void offer(const char *word, const char *help)
{
    printf("%s\t%s\n", word, help);
}

static void offer_choices(const char *choices)
{
    while (*choices) {
        size_t length = strcspn(choices, "|");

        printf("%.*s\t\n", (int)length, choices);
        choices += length;
        choices += *choices == '|';
    }
}

static const struct option *option_named(const struct command *command, const char *word)
{
    const struct option *option;

    for (int i = 0; (option = call_option(command, i)) != NULL; i++) {
        if (strcmp(word + 2, option->name) == 0)
            return option;
    }
    return NULL;
}

static void offer_value(const struct option *option)
{
    if (option->type == OPTION_CHOICE)
        offer_choices(option->metavar);
    else if (option->type == OPTION_FILE)
        offer(":files", "");
}

static bool is_given(const struct option *option, int count, const char *const *words)
{
    for (int i = 0; i < count; i++) {
        size_t length = strlen(option->name);

        if (strncmp(words[i], "--", 2) == 0 && strncmp(words[i] + 2, option->name, length) == 0 &&
            (words[i][2 + length] == '\0' || words[i][2 + length] == '='))
            return true;
    }
    return false;
}

/* Options that were not given yet, and what the operand may be. */
static void offer_arguments(const struct command *command, int count, const char *const *words)
{
    const char *operands = command->operands ? command->operands : "";
    const struct option *option;
    char word[64];

    if (strchr(operands, '|'))
        offer_choices(operands);
    else if (strcmp(operands, "FILE") == 0)
        offer(":files", "");
    for (int i = 0; (option = call_option(command, i)) != NULL; i++) {
        snprintf(word, sizeof(word), "--%s", option->name);
        if (!is_given(option, count, words))
            offer(word, option->help);
    }
}

/* `words` is the line after docket; its last one is being written. */
static int offer_words(int count, const char *const *words)
{
    const struct command *command = &command_docket;
    int at = 0;

    for (; command->commands && at < count - 1; at++) {
        const struct command *const *nested = command->commands;

        if (command == &command_help || strcmp(words[at], "help") == 0)
            continue;
        while (*nested && strcmp((*nested)->name, words[at]) != 0)
            nested++;
        if (*nested == NULL)
            return EXIT_SUCCESS;
        command = *nested;
    }
    for (int i = 0; command->commands && command->commands[i]; i++)
        offer(command->commands[i]->name, command->commands[i]->summary);
    if (command->commands == NULL) {
        const char *before = count > 1 ? words[count - 2] : "";
        const struct option *option = NULL;

        if (strncmp(before, "--", 2) == 0 && at < count - 1)
            option = option_named(command, before);
        if (option && option->metavar)
            offer_value(option);
        else
            offer_arguments(command, count - 1, words);
    }
    return EXIT_SUCCESS;
}

static int run(const struct call *call)
{
    const char *shell = call_operand(call, 0);

    if (strcmp(shell, "words") == 0)
        return offer_words(call->operand_count - 1, call->operands + 1);
    if (call->operand_count > 1)
        return call_misused(call, "%s is one too many", call_operand(call, 1));
    if (strcmp(shell, "bash") == 0)
        printf("%s", bash_script);
    else if (strcmp(shell, "zsh") == 0)
        printf("%s", zsh_script);
    else if (strcmp(shell, "fish") == 0)
        printf("%s", fish_script);
    else
        return call_misused(call, "%s is none of bash, zsh, fish", shell);
    return EXIT_SUCCESS;
}

const struct command command_completion = {
    .name = "completion",
    .summary = "Print a script that lets a shell complete docket's commands and options.",
    .about = "The script asks docket itself, so that it stays right when docket changes.",
    .operands = "SHELL…",
    .examples = ". <(docket completion bash)\n"
                "docket completion zsh > ~/.zfunc/_docket\n"
                "docket completion fish > ~/.config/fish/completions/docket.fish",
    .is_plain = true,
    .run = run,
};
