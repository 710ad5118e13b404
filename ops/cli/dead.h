/* ops/cli/dead.h - what the subcommands of `docket dead` share: the filter, and what is shown */
#pragma once

#include "base/text.h"
#include "ops/cli/command.h"

/* The operands as one filter: terms, a whole filter in quotes, an id or an incident.  False: said
 * what is wrong, and where (EXIT_USAGE). */
struct dead_words {
    struct text filter;
    bool is_letter;   /* it was one id */
    bool is_incident; /* … or one incident */
    bool is_empty;    /* it leaves nothing out */
};
bool dead_words_read(const struct call *call, struct dead_words *words)
    __attribute__((warn_unused_result));
void dead_words_finish(struct dead_words *words);

/* GET of a page about the filter; NULL: said why. */
json_t *dead_page(const char *path, const struct dead_words *words, const char *cursor,
                  long long limit) __attribute__((warn_unused_result));

/* Adds a row's count and amount to the row of `rows` that agrees in `by` and currency. */
void dead_add_row(json_t *rows, const json_t *more, const char *by);

void dead_print_incidents(const json_t *answer);
void dead_print_incident(const json_t *incident);
void dead_print_letters(const json_t *letters);
void dead_print_letter(const json_t *letter);
/* "70.20 EUR, 3.00 USD" of [{amount, currency}]; lives as the texts of screen.h do. */
const char *dead_money_text(const json_t *sums);
const char *dead_fate_text(const char *fate);

int dead_discard_run(const struct call *call); /* dead_discard.c */
int dead_export_run(const struct call *call);  /* dead_export.c */
int dead_replay_run(const struct call *call);  /* dead_replay.c */
extern const struct command command_dead_runs, command_dead_pause, command_dead_resume,
    command_dead_cancel, command_dead_pace;
