#include "base/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

enum { LINE_BYTES_MAX = 16384, CARD_DIGITS_MIN = 13, CARD_DIGITS_MAX = 19 };

static const char *process_name = "docket";
static _Atomic enum log_level least_level = LOG_INFO;
static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_open(const char *process, enum log_level least)
{
    process_name = process;
    least_level = least;
}

void log_set_level(enum log_level least)
{
    least_level = least;
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* How many characters from `text` on are one run of digits (with single spaces or hyphens between)
 * that passes the Luhn check; 0 if they do not. */
static size_t card_length(const char *text)
{
    int digits[CARD_DIGITS_MAX], count = 0, sum = 0;
    size_t length = 0, end = 0;

    for (; count <= CARD_DIGITS_MAX; length++) {
        if (isdigit((unsigned char)text[length])) {
            if (count == CARD_DIGITS_MAX)
                return 0;
            digits[count++] = text[length] - '0';
            end = length + 1;
        } else if (!(count > 0 && (text[length] == ' ' || text[length] == '-') &&
                     isdigit((unsigned char)text[length + 1]))) {
            break;
        }
    }
    if (count < CARD_DIGITS_MIN)
        return 0;
    for (int i = 0; i < count; i++) {
        int d = digits[count - 1 - i];

        if (i % 2 == 1 && (d *= 2) > 9)
            d -= 9;
        sum += d;
    }
    return sum % 10 == 0 && sum > 0 ? end : 0;
}

bool log_looks_like_card(const char *text)
{
    for (const char *c = text; *c; c++) {
        bool starts = isdigit((unsigned char)*c) && (c == text || !isdigit((unsigned char)c[-1]));

        if (starts && card_length(c) > 0)
            return true;
    }
    return false;
}

static size_t secret_length(const char *text)
{
    static const char *const prefixes[] = {"dk_", "sk_", "pm_", "cs_", "whsec_"};

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        size_t length = strlen(prefixes[i]);

        if (strncmp(text, prefixes[i], length) == 0) {
            while (isalnum((unsigned char)text[length]) || text[length] == '_')
                length++;
            return length;
        }
    }
    return 0;
}

void log_redact(char *text)
{
    for (char *c = text; *c; c++) {
        bool starts = c == text || !isalnum((unsigned char)c[-1]);
        size_t length = starts ? secret_length(c) : 0;

        if (length == 0 && starts && isdigit((unsigned char)*c))
            length = card_length(c);
        if (length > 0) {
            memset(c, '*', length);
            c += length - 1;
        }
    }
}

void log_write(enum log_level level, const char *event, const struct log_about *about,
               const char *format, ...)
{
    char body[LINE_BYTES_MAX / 8], stamp[CLOCK_RFC3339_SIZE];
    struct text line;
    va_list args;

    if (level < least_level)
        return;
    va_start(args, format);
    vsnprintf(body, sizeof(body), format, args);
    va_end(args);
    log_redact(body);
    body[strcspn(body, "\n")] = '\0'; /* libpq ends its messages with a line end, and adds hints */

    clock_format(clock_wall_us(), stamp, sizeof(stamp));
    text_init(&line, LINE_BYTES_MAX);
    text_print(&line,
               "{\"ts\":\"%s\",\"level\":\"%s\",\"process\":\"%s\",\"pid\":%d,\"event\":\"%s\"",
               stamp, level_names[level], process_name, (int)getpid(), event);
    if (about && about->order)
        text_print(&line, ",\"order\":\"%s\"", about->order);
    if (about && about->trace)
        text_print(&line, ",\"trace\":\"%s\"", about->trace);
    text_add(&line, ",\"text\":");
    text_add_json(&line, body);
    text_add(&line, "}\n");
    /* One write: lines of several threads do not mix.  A full or closed stderr is not our problem.
     */
    (void)!write(STDERR_FILENO, line.bytes, line.length);
    text_finish(&line);
}
