/* ops/cli/screen.h - what people see: tables that fit, times with their zone, money, colours
 *
 * Colours only on a terminal (NO_COLOR, --color), widths by display cells, times in the operator's
 * zone (--utc).  Control characters in what is shown, which may come from anywhere, become "?".
 * Texts that a function here returns live until the process ends, or screen_forget().
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum colour { PLAIN, BOLD, DIM, RED, GREEN, YELLOW };

void screen_open(const char *color, bool is_utc); /* color: auto, always or never */
void screen_forget(void);
bool screen_is_terminal(void); /* stdout is */
int screen_columns(void);      /* of the terminal; 0: it is none, and nothing is cut */

/* Prints on stdout, cleaned. */
void say(enum colour colour, const char *text);
void sayf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_line(const char *label, const char *format, ...) /* "label     value", aligned */
    __attribute__((format(printf, 2, 3)));
void say_wrapped(const char *text); /* a paragraph, broken at words, for people to read */

/* "2026-11-24 23:31:53.278 CET" of an RFC 3339 time; "" of "". */
const char *time_text(const char *stamp);
const char *time_short(const char *stamp); /* "2026-11-24 23:31:53"; the zone in a head */
const char *zone_text(void);               /* "CET", "UTC" */
const char *ago_text(const char *stamp);   /* "3 min ago", "in 12 s" */
const char *span_text(double seconds);     /* "13 ms", "4.2 s", "3 min 20 s", "2 d 4 h" */
bool time_parse_stamp(const char *stamp, double *unix_s); /* RFC 3339 */
/* "70.20 EUR": minor units with the currency's decimals. */
const char *money_text(int64_t amount, const char *currency);
const char *number_text(int64_t number); /* "1,234,567" */
int cells_of(const char *text);          /* display cells */

/* A table: columns first, then cells row by row.  The last column that may shrink does, when the
 * terminal is too narrow; what is cut ends in "…". */
enum { COLUMN_LEFT = 0, COLUMN_RIGHT = 1, COLUMN_SHRINKS = 2 };
struct table *table_create(void);
void table_column(struct table *table, const char *title, unsigned how);
void table_cell(struct table *table, const char *text);
void table_paint(struct table *table, enum colour colour, const char *text); /* a coloured cell */
void table_print(struct table *table);                                       /* and destroys it */

/* One line on stderr that is written over, if stderr is a terminal; total 0: not known. */
void progress(const char *what, int64_t done, int64_t total);
void progress_end(void);
