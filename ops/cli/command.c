#include "ops/cli/command.h"

#include <stdio.h>
#include <string.h>

int command_usage(const struct command *command)
{
    fprintf(stderr, "%s", command->help);
    return EXIT_USAGE;
}

/* How many arguments the option at argv[0] takes up; 0: it is none of these. */
static int take_option(int argc, char **argv, const struct option_wanted *wanted)
{
    for (; wanted->name; wanted++) {
        size_t length = strlen(wanted->name);

        if (strncmp(argv[0], wanted->name, length) != 0)
            continue;
        if (wanted->flag && argv[0][length] == '\0') {
            *wanted->flag = true;
            return 1;
        }
        if (wanted->value && argv[0][length] == '=') {
            *wanted->value = argv[0] + length + 1;
            return 1;
        }
        if (wanted->value && argv[0][length] == '\0' && argc > 1) {
            *wanted->value = argv[1];
            return 2;
        }
    }
    return 0;
}

bool command_options(int argc, char **argv, const struct option_wanted *wanted,
                     const char **operands, int operands_wanted)
{
    int operand_count = 0;

    while (argc > 0) {
        int taken = take_option(argc, argv, wanted);

        if (taken == 0 && (argv[0][0] == '-' || operand_count == operands_wanted)) {
            fprintf(stderr, "docket: %s is unexpected here, or lacks its value\n\n", argv[0]);
            return false;
        }
        if (taken == 0) {
            operands[operand_count++] = argv[0];
            taken = 1;
        }
        argc -= taken;
        argv += taken;
    }
    if (operand_count < operands_wanted)
        fprintf(stderr, "docket: something is missing\n\n");
    return operand_count == operands_wanted;
}

bool command_settings(struct settings *settings, unsigned program)
{
    struct fault fault;

    if (config_load(settings_entries, settings_count, program, settings, &fault))
        return true;
    fprintf(stderr, "docket: %s\n", fault.text);
    return false;
}

void print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    printf("\n");
}

const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

long long number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}
