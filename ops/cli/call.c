#include "ops/cli/call.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "ops/cli/help.h"
#include "ops/cli/when.h"

enum { WORD_MAX = 40, COMMON_HELP = 3 /* the last of common_options */ };

const struct option common_options[] = {
    {"json", NULL, "Print JSON, for programs.", OPTION_FLAG, false},
    {"utc", NULL, "Read and show times in UTC instead of the local zone.", OPTION_FLAG, false},
    {"color", "auto|always|never", "Colours; auto: on a terminal without NO_COLOR.", OPTION_CHOICE,
     false},
    {"help", NULL, "Say all this (also -h).", OPTION_FLAG, false},
    {.name = NULL},
};

const struct command *call_command(const struct call *call)
{
    return call->path[call->depth - 1];
}

const struct option *call_option(const struct command *command, int nth)
{
    const struct option *own = command->options;

    for (; own && own->name; own++) {
        if (nth-- == 0)
            return own;
    }
    if (command->is_plain || command->commands)
        nth += COMMON_HELP;
    return nth <= COMMON_HELP ? &common_options[nth] : NULL;
}

/* How far one word is from another: letters left out, added, changed, or swapped with the next. */
static int distance(const char *one, const char *other)
{
    size_t rows = strlen(one), columns = strlen(other);
    int at[WORD_MAX + 1][WORD_MAX + 1];

    if (rows > WORD_MAX || columns > WORD_MAX)
        return WORD_MAX;
    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j <= columns; j++) {
            int least;

            if (i == 0 || j == 0) {
                at[i][j] = (int)(i + j);
                continue;
            }
            least = at[i - 1][j - 1] + (one[i - 1] != other[j - 1]);
            least = at[i - 1][j] + 1 < least ? at[i - 1][j] + 1 : least;
            least = at[i][j - 1] + 1 < least ? at[i][j - 1] + 1 : least;
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] &&
                at[i - 2][j - 2] + 1 < least)
                least = at[i - 2][j - 2] + 1;
            at[i][j] = least;
        }
    }
    return at[rows][columns];
}

/* The better of two guesses at what `word` was to be; NULL: neither is near. */
const char *near_miss(const char *word, const char *best, const char *candidate)
{
    int far = distance(word, candidate), allowed = strlen(word) < 4 ? 1 : 2;
    bool begins = strlen(word) >= 2 && strncmp(word, candidate, strlen(word)) == 0;

    if (begins)
        return candidate;
    if (far > allowed || (best && distance(word, best) <= far))
        return best;
    return candidate;
}

int call_misused(const struct call *call, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "docket: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    help_usage(stderr, call);
    return EXIT_USAGE;
}

/* Commands ------------------------------------------------------------------------------- */

static const struct command *find_command(const struct command *parent, const char *name)
{
    for (int i = 0; parent->commands && parent->commands[i]; i++) {
        if (strcmp(parent->commands[i]->name, name) == 0)
            return parent->commands[i];
    }
    return NULL;
}

static bool no_such_command(const struct call *call, const char *name)
{
    const char *guess = NULL;

    if (name[0] == '-') {
        call_misused(call, "%s comes after a command", name);
        return false;
    }
    for (int i = 0; call_command(call)->commands[i]; i++)
        guess = near_miss(name, guess, call_command(call)->commands[i]->name);
    if (guess)
        call_misused(call, "there is no command %s here; did you mean %s?", name, guess);
    else
        call_misused(call, "there is no command %s here", name);
    return false;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Descends to the innermost command; *argc and *argv are then its options and operands. */
static bool read_command(struct call *call, int *argc, char ***argv)
{
    while (call_command(call)->commands && !call->wants_help) {
        const struct command *found;

        if (*argc == 0) {
            call_misused(call, "which command?");
            return false;
        }
        if (is_help((*argv)[0])) {
            call->wants_help = true;
            return true;
        }
        found = find_command(call_command(call), (*argv)[0]);
        if (found == NULL)
            return no_such_command(call, (*argv)[0]);
        call->path[call->depth++] = found;
        *argc -= 1;
        *argv += 1;
    }
    return true;
}

/* Options -------------------------------------------------------------------------------- */

static bool is_choice(const char *choices, const char *value)
{
    size_t length = strlen(value);

    for (const char *at = choices; *at; at += strcspn(at, "|"), at += *at == '|') {
        if (length > 0 && strcspn(at, "|") == length && strncmp(at, value, length) == 0)
            return true;
    }
    return false;
}

static bool is_number(const char *text)
{
    return *text && strlen(text) < 19 && strspn(text, "0123456789") == strlen(text);
}

static bool fits(const struct option *option, const char *value, const char **expected)
{
    int64_t ignored;

    *expected = NULL;
    switch (option->type) {
    case OPTION_FLAG:
        *expected = "it takes no value";
        return false;
    case OPTION_TEXT:
    case OPTION_FILE:
        *expected = "it must not be empty";
        return *value != '\0';
    case OPTION_NUMBER:
        *expected = "a number, 0 or more";
        return is_number(value);
    case OPTION_CHOICE:
        *expected = option->metavar;
        return is_choice(option->metavar, value);
    case OPTION_TIME:
        *expected = "2026-11-24, \"2026-11-24 22:31\", 2026-11-24T22:31:53Z, or how long ago: 2h";
        return when_parse(value, time(NULL), false, &ignored);
    case OPTION_SPAN:
        *expected = "a span: 30s, 15m, 2h, 7d";
        return span_parse(value, &ignored);
    }
    return false;
}

static int find_option(const struct command *command, const char *name, size_t length)
{
    const struct option *option;

    for (int i = 0; (option = call_option(command, i)) != NULL; i++) {
        if (strlen(option->name) == length && strncmp(option->name, name, length) == 0)
            return i;
    }
    return -1;
}

static bool no_such_option(const struct call *call, const char *word)
{
    char name[WORD_MAX + 1];
    const char *guess = NULL;
    const struct option *option;

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    for (int i = 0; (option = call_option(call_command(call), i)) != NULL; i++)
        guess = near_miss(name, guess, option->name);
    if (guess)
        call_misused(call, "there is no option --%s here; did you mean --%s?", name, guess);
    else
        call_misused(call, "there is no option --%s here", name);
    return false;
}

/* How many words --name took up; 0: it was said what is wrong. */
static int read_option(struct call *call, int argc, char **argv)
{
    const char *word = argv[0] + 2, *value, *expected;
    size_t length = strcspn(word, "=");
    int index = find_option(call_command(call), word, length), taken = 1;
    const struct option *option;

    if (index < 0) {
        (void)no_such_option(call, word);
        return 0;
    }
    option = call_option(call_command(call), index);
    if (option->type == OPTION_FLAG && word[length] == '\0') {
        call->values[index] = "";
        return 1;
    }
    value = word[length] == '=' ? word + length + 1 : NULL;
    if (value == NULL && argc > 1 && strncmp(argv[1], "--", 2) != 0) {
        value = argv[1];
        taken = 2;
    }
    if (value == NULL) {
        call_misused(call, "--%s needs its %s", option->name, option->metavar);
        return 0;
    }
    if (!fits(option, value, &expected)) {
        call_misused(call, "--%s \"%s\": %s", option->name, value, expected);
        return 0;
    }
    call->values[index] = value;
    return taken;
}

static bool check_required(const struct call *call)
{
    const struct option *option;

    for (int i = 0; (option = call_option(call_command(call), i)) != NULL; i++) {
        if (option->is_required && call->values[i] == NULL) {
            call_misused(call, "--%s %s is missing", option->name, option->metavar);
            return false;
        }
    }
    return true;
}

/* Operands ------------------------------------------------------------------------------- */

void operand_counts(const struct command *command, int *least, int *most)
{
    *least = *most = 0;
    for (const char *at = command->operands ? command->operands : ""; *at;) {
        size_t length = strcspn(at, " ");
        bool is_many = length >= 3 && strncmp(at + length - strlen("…"), "…", strlen("…")) == 0;

        is_many = is_many || (length >= 4 && strncmp(at + length - strlen("…]"), "…]", 4) == 0);
        *least += at[0] != '[';
        *most = is_many || *most < 0 ? -1 : *most + 1;
        at += length;
        at += *at == ' ';
    }
}

/* A variable of a shell that was not set, most likely: nothing is meant by it. */
static bool is_any_empty(const struct call *call)
{
    for (int i = 0; i < call->operand_count; i++) {
        if (call->operands[i][0] == '\0')
            return true;
    }
    return false;
}

static bool check_operands(const struct call *call)
{
    const char *operands = call_command(call)->operands;
    int least, most;

    if (operands && !call_command(call)->is_plain && is_any_empty(call)) {
        call_misused(call, "\"\" is no %s", operands);
        return false;
    }
    operand_counts(call_command(call), &least, &most);
    if (call->operand_count < least) {
        call_misused(call, "%s is missing", operands);
        return false;
    }
    if (most >= 0 && call->operand_count > most) {
        call_misused(call, "%s is one too many", call->operands[most]);
        return false;
    }
    if (operands && strchr(operands, '|') && call->operand_count > 0 &&
        !is_choice(operands, call->operands[0])) {
        call_misused(call, "%s is none of %s", call->operands[0], operands);
        return false;
    }
    return true;
}

/* -5 is an operand: docket stock add TEA -5. */
static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0' && (word[1] < '0' || word[1] > '9');
}

static bool read_words(struct call *call, int argc, char **argv)
{
    bool is_end = false;

    for (int taken; argc > 0; argc -= taken, argv += taken) {
        taken = 1;
        if (!is_end && strcmp(argv[0], "--") == 0) {
            is_end = true;
        } else if (!is_end && is_help(argv[0])) {
            call->wants_help = true;
        } else if (!is_end && is_option(argv[0])) {
            if (argv[0][1] != '-') {
                call_misused(call, "%s is no option here", argv[0]);
                return false;
            }
            if ((taken = read_option(call, argc, argv)) == 0)
                return false;
        } else if (call->operand_count == OPERANDS_MAX) {
            call_misused(call, "that is too much at once");
            return false;
        } else {
            call->operands[call->operand_count++] = argv[0];
        }
    }
    return true;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (is_help(argv[i]))
            return true;
    }
    return false;
}

bool call_read(struct call *call, int argc, char **argv)
{
    *call = (struct call){.path = {&command_docket}, .depth = 1};
    if (!read_command(call, &argc, &argv))
        return false;
    call->wants_help = call->wants_help || asks_for_help(argc, argv);
    if (call->wants_help)
        return true;
    return read_words(call, argc, argv) && check_required(call) && check_operands(call);
}

/* What the commands ask -------------------------------------------------------------------- */

static const char *value_of(const struct call *call, const char *name)
{
    int index = find_option(call_command(call), name, strlen(name));

    if (index < 0) {
        fprintf(stderr, "docket: %s asks for --%s, which its table lacks\n",
                call_command(call)->name, name);
        abort();
    }
    return call->values[index];
}

bool call_flag(const struct call *call, const char *name)
{
    return value_of(call, name) != NULL;
}

const char *call_text(const struct call *call, const char *name)
{
    return value_of(call, name);
}

long long call_number(const struct call *call, const char *name, long long otherwise)
{
    const char *value = value_of(call, name);

    return value ? strtoll(value, NULL, 10) : otherwise;
}

bool call_time(const struct call *call, const char *name, int64_t *unix_s)
{
    const char *value = value_of(call, name);

    return value && when_parse(value, time(NULL), call_flag(call, "utc"), unix_s);
}

int64_t call_span_s(const struct call *call, const char *name, int64_t otherwise)
{
    const char *value = value_of(call, name);
    int64_t seconds;

    return value && span_parse(value, &seconds) ? seconds : otherwise;
}

const char *call_operand(const struct call *call, int nth)
{
    return nth < call->operand_count ? call->operands[nth] : NULL;
}

bool call_id(const struct call *call, int nth, long long *id)
{
    const char *text = call_operand(call, nth);

    if (text && is_number(text) && (*id = strtoll(text, NULL, 10)) > 0)
        return true;
    call_misused(call, "%s is no number of a row", text ? text : "nothing");
    return false;
}
