#include "ops/cli/screen.h"

#include <assert.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/memory.h"
#include "ops/cli/screen_inside.h"
#include "schema/money.h"

enum { LABEL_COLUMN = 12, WRAP_COLUMNS = 92, PROGRESS_MS = 100, LINE_MAX_BYTES = 4096 };

static struct {
    struct arena arena;
    bool is_coloured, is_utc;
    bool has_progress;
    double progress_s; /* when the line was last written */
} screen;

static const char *const codes[] = {
    [PLAIN] = "",       [BOLD] = "\033[1m",   [DIM] = "\033[2m",
    [RED] = "\033[31m", [GREEN] = "\033[32m", [YELLOW] = "\033[33m",
};

static bool wants_colour(const char *color)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    if (color && strcmp(color, "always") == 0)
        return true;
    if ((color && strcmp(color, "never") == 0) || (no && *no))
        return false;
    return screen_is_terminal() && (term == NULL || strcmp(term, "dumb") != 0);
}

void screen_open(const char *color, bool is_utc)
{
    if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
    arena_init(&screen.arena);
    screen.is_coloured = wants_colour(color);
    screen.is_utc = is_utc;
    tzset();
}

void screen_forget(void)
{
    arena_finish(&screen.arena);
}

struct arena *screen_arena(void)
{
    return &screen.arena;
}

bool screen_is_terminal(void)
{
    return isatty(STDOUT_FILENO) != 0;
}

int screen_columns(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;

    if (!screen_is_terminal())
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return columns ? (int)strtol(columns, NULL, 10) : 80;
}

/* Text ------------------------------------------------------------------------------------ */

/* One character: its bytes, and its cells in *cells (-1: it is none to be shown). */
size_t screen_character(const char *text, int *cells)
{
    mbstate_t state = {0};
    wchar_t wide;
    size_t bytes = mbrtowc(&wide, text, strlen(text), &state);

    if (bytes == 0 || bytes > strlen(text)) {
        *cells = -1;
        return 1;
    }
    *cells = wcwidth(wide);
    return bytes;
}

int cells_of(const char *text)
{
    int all = 0;

    while (*text) {
        int cells;

        text += screen_character(text, &cells);
        all += cells < 0 ? 1 : cells;
    }
    return all;
}

/* What would move the cursor, or is no text at all, becomes "?". */
const char *screen_clean(const char *text)
{
    char *clean = arena_alloc(&screen.arena, strlen(text) + 1), *to = clean;

    while (*text) {
        int cells;
        size_t bytes = screen_character(text, &cells);

        if (cells < 0)
            *to++ = '?';
        else
            to = (char *)mempcpy(to, text, bytes);
        text += bytes;
    }
    *to = '\0';
    return clean;
}

void screen_paint(enum colour colour, const char *clean)
{
    if (colour == PLAIN || !screen.is_coloured)
        fputs(clean, stdout);
    else
        printf("%s%s\033[0m", codes[colour], clean);
}

void say(enum colour colour, const char *text)
{
    progress_end();
    while (*text) {
        size_t length = strcspn(text, "\n");

        screen_paint(colour, screen_clean(arena_copy(&screen.arena, text, length)));
        if (text[length] == '\n')
            putchar('\n');
        text += length;
        text += *text == '\n';
    }
}

static const char *format_text(const char *format, va_list arguments)
{
    va_list again;
    int length;
    char *text;

    assert(format != NULL); /* or gcc, under UBSan, fears that it is */
    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text = arena_alloc(&screen.arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

void sayf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(PLAIN, format_text(format, arguments));
    va_end(arguments);
}

void say_line(const char *label, const char *format, ...)
{
    int pad = LABEL_COLUMN - cells_of(label);
    va_list arguments;

    va_start(arguments, format);
    say(DIM, label);
    printf("%*s", pad > 1 ? pad : 1, "");
    say(PLAIN, format_text(format, arguments));
    putchar('\n');
    va_end(arguments);
}

void say_wrapped(const char *text)
{
    int width = screen_columns(), at = 0;

    width = width > 0 && width < WRAP_COLUMNS ? width : WRAP_COLUMNS;
    while (*text) {
        size_t length = strcspn(text, " ");
        const char *word = screen_clean(arena_copy(&screen.arena, text, length));
        int cells = cells_of(word);

        if (at > 0 && at + 1 + cells > width) {
            putchar('\n');
            at = 0;
        }
        printf("%s%s", at ? " " : "", word);
        at += cells + (at > 0);
        text += length;
        text += *text == ' ';
    }
    putchar('\n');
}

/* Times ----------------------------------------------------------------------------------- */

bool time_parse_stamp(const char *stamp, double *unix_s)
{
    struct tm tm = {0};
    const char *end = strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    double fraction = 0;
    int hours = 0, minutes = 0;

    if (end == NULL)
        return false;
    if (*end == '.') {
        char *after;

        fraction = strtod(end, &after);
        end = after;
    }
    /* NOLINTNEXTLINE(cert-err34-c): what is not there stays 0 */
    if ((*end == '+' || *end == '-') && sscanf(end + 1, "%2d:%2d", &hours, &minutes) >= 1)
        fraction -= (*end == '-' ? -1 : 1) * (hours * 3600.0 + minutes * 60.0);
    *unix_s = (double)timegm(&tm) + fraction;
    return true;
}

static void split(double unix_s, struct tm *tm)
{
    time_t whole = (time_t)unix_s;

    if (screen.is_utc)
        gmtime_r(&whole, tm);
    else
        localtime_r(&whole, tm);
}

static const char *zone_of(const struct tm *tm)
{
    return screen.is_utc ? "UTC" : tm->tm_zone;
}

const char *time_text(const char *stamp)
{
    char day[32];
    struct tm tm;
    double at;

    if (!time_parse_stamp(stamp, &at))
        return screen_clean(stamp);
    at += 0.0005; /* to the nearest millisecond */
    split(at, &tm);
    strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm);
    return arena_print(&screen.arena, "%s.%03d %s", day, (int)((at - (double)(time_t)at) * 1000),
                       zone_of(&tm));
}

const char *time_short(const char *stamp)
{
    char day[32];
    struct tm tm;
    double at;

    if (!time_parse_stamp(stamp, &at))
        return screen_clean(stamp);
    split(at, &tm);
    strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm);
    return arena_print(&screen.arena, "%s", day);
}

const char *zone_text(void)
{
    struct tm tm;

    split((double)time(NULL), &tm);
    return arena_print(&screen.arena, "%s", zone_of(&tm));
}

const char *span_text(double seconds)
{
    long long whole = (long long)seconds;

    if (seconds < 0.0995)
        return arena_print(&screen.arena, "%.1f ms", seconds * 1000);
    if (seconds < 0.9995)
        return arena_print(&screen.arena, "%.0f ms", seconds * 1000);
    if (seconds < 60)
        return arena_print(&screen.arena, "%.1f s", seconds);
    if (whole < 3600)
        return arena_print(&screen.arena, "%lld min %lld s", whole / 60, whole % 60);
    if (whole < 86400)
        return arena_print(&screen.arena, "%lld h %lld min", whole / 3600, whole / 60 % 60);
    return arena_print(&screen.arena, "%lld d %lld h", whole / 86400, whole / 3600 % 24);
}

const char *ago_text(const char *stamp)
{
    struct timespec now;
    double at, ago;

    if (!time_parse_stamp(stamp, &at))
        return screen_clean(stamp);
    clock_gettime(CLOCK_REALTIME, &now);
    ago = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - at;
    if (ago > -0.5 && ago < 0.5)
        return "now";
    return ago > 0 ? arena_print(&screen.arena, "%s ago", span_text(ago))
                   : arena_print(&screen.arena, "in %s", span_text(-ago));
}

/* Numbers --------------------------------------------------------------------------------- */

static const char *grouped(int64_t number, const char *separator)
{
    const char *plain = arena_print(&screen.arena, "%lld", (long long)number);
    size_t length = strlen(plain), digits = length - (number < 0);
    char *text = arena_alloc(&screen.arena, length + digits / 3 * strlen(separator) + 1);
    char *to = text;

    if (number < 0)
        *to++ = *plain++;
    for (; digits > 0; digits--) {
        *to++ = *plain++;
        if (digits > 1 && digits % 3 == 1)
            to = stpcpy(to, separator);
    }
    return text;
}

const char *number_text(int64_t number)
{
    return grouped(number, ",");
}

const char *money_text(int64_t amount, const char *currency)
{
    int digits = currency_digits(currency);
    int64_t one = 1, rest;

    for (int i = 0; i < digits; i++)
        one *= 10;
    rest = amount % one < 0 ? -(amount % one) : amount % one;
    if (digits == 0)
        return arena_print(&screen.arena, "%lld %s", (long long)amount, screen_clean(currency));
    return arena_print(&screen.arena, "%s%lld.%0*lld %s",
                       amount < 0 && amount / one == 0 ? "-" : "", (long long)(amount / one),
                       digits, (long long)rest, screen_clean(currency));
}

/* Progress -------------------------------------------------------------------------------- */

void progress(const char *what, int64_t done, int64_t total)
{
    struct timespec now;
    double at;

    if (isatty(STDERR_FILENO) == 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    if (screen.has_progress && at - screen.progress_s < PROGRESS_MS / 1e3 && done != total)
        return;
    screen.has_progress = true;
    screen.progress_s = at;
    if (total > 0)
        fprintf(stderr, "\r\033[K%s: %s of %s (%d %%)", what, number_text(done), number_text(total),
                (int)((double)done * 100 / (double)total));
    else
        fprintf(stderr, "\r\033[K%s: %s", what, number_text(done));
    fflush(stderr);
}

void progress_end(void)
{
    if (screen.has_progress)
        fprintf(stderr, "\r\033[K");
    screen.has_progress = false;
}
