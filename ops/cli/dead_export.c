/* docket dead export: page after page to stdout; nothing of the persons who ordered is in it
 *
 * What stops it (Ctrl-C, an API that is away) stops it between two pages, and it says with which
 * --cursor the rest follows.  Ctrl-C a second time ends it at once. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ops/cli/dead.h"
#include "ops/cli/screen.h"

enum { PAGE_ROWS = 1000 };
enum format { FORMAT_JSON, FORMAT_JSONL, FORMAT_CSV };

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int number)
{
    (void)number;
    is_interrupted = 1;
}

static void catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt,
                               .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};

    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
}

static const char *const columns[] = {"id",         "order",      "stage",      "incident",
                                      "fault_kind", "fault_code", "fault_text", "attempts",
                                      "crashes",    "amount",     "currency",   "state",
                                      "created_at", "failed_at",  "closed_at",  NULL};

/* RFC 4180 */
static void print_cell(const json_t *value)
{
    const char *text = json_string_value(value);

    if (json_is_integer(value))
        printf("%lld", (long long)json_integer_value(value));
    if (text == NULL)
        return;
    if (text[strcspn(text, ",\"\r\n")] == '\0') {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

static void print_csv(const json_t *letter)
{
    for (size_t i = 0; columns[i]; i++) {
        if (i > 0)
            putchar(',');
        print_cell(json_object_get(letter, columns[i]));
    }
    fputs("\r\n", stdout);
}

static void print_head(enum format format, bool goes_on)
{
    if (format == FORMAT_JSON)
        putchar('[');
    if (format != FORMAT_CSV || goes_on)
        return;
    for (size_t i = 0; columns[i]; i++)
        printf("%s%s", i > 0 ? "," : "", columns[i]);
    fputs("\r\n", stdout);
}

static void print_letter(const json_t *letter, enum format format, bool is_first)
{
    switch (format) {
    case FORMAT_CSV:
        print_csv(letter);
        return;
    case FORMAT_JSONL:
        json_dumpf(letter, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    case FORMAT_JSON:
        fputs(is_first ? "\n" : ",\n", stdout);
        json_dumpf(letter, stdout, JSON_COMPACT);
        return;
    }
}

static int64_t print_page(const json_t *letters, enum format format, int64_t before)
{
    size_t index;
    const json_t *letter;

    json_array_foreach(letters, index, letter)
        print_letter(letter, format, before + (int64_t)index == 0);
    return before + (int64_t)json_array_size(letters);
}

static void say_rest(const char *cursor, int64_t count)
{
    progress_end();
    fprintf(stderr, "docket: %sstopped after %lld letters", is_interrupted ? "interrupted: " : "",
            (long long)count);
    if (*cursor)
        fprintf(stderr, "; the same command with --cursor %s writes the rest", cursor);
    fprintf(stderr, "\n");
}

/* False: said why; what was printed is the beginning, and a JSON array that lacks its end. */
static bool export_all(const struct dead_words *words, enum format format, const char *from)
{
    char cursor[100];
    int64_t count = 0;

    snprintf(cursor, sizeof(cursor), "%s", from ? from : "");
    do {
        json_t *page = dead_page("/admin/dead", words, *cursor ? cursor : NULL, PAGE_ROWS);

        if (page == NULL) {
            say_rest(cursor, count);
            return false;
        }
        count = print_page(json_object_get(page, "dead_letters"), format, count);
        snprintf(cursor, sizeof(cursor), "%s", text_of(page, "next"));
        json_decref(page);
        progress("exported", count, 0);
        screen_forget();
    } while (*cursor && !is_interrupted && fflush(stdout) == 0 && !ferror(stdout));
    if (*cursor && !ferror(stdout))
        say_rest(cursor, count);
    return *cursor == '\0';
}

static enum format format_of(const char *name)
{
    if (name && strcmp(name, "csv") == 0)
        return FORMAT_CSV;
    return name && strcmp(name, "jsonl") == 0 ? FORMAT_JSONL : FORMAT_JSON;
}

int dead_export_run(const struct call *call)
{
    enum format format = format_of(call_text(call, "format"));
    const char *cursor = call_text(call, "cursor");
    struct dead_words words;
    bool is_whole;

    if (!dead_words_read(call, &words))
        return EXIT_USAGE;
    catch_interrupt();
    print_head(format, cursor != NULL);
    is_whole = export_all(&words, format, cursor);
    progress_end();
    dead_words_finish(&words);
    if (is_whole && format == FORMAT_JSON)
        fputs("\n]\n", stdout);
    if (fflush(stdout) != 0 || ferror(stdout))
        return refuse("Make room, and export again.", "the export could not be written whole");
    (void)signal(SIGINT, SIG_DFL);
    if (is_interrupted)
        (void)raise(SIGINT); /* so that a shell's loop around it ends, too */
    return is_whole ? EXIT_SUCCESS : EXIT_REFUSED;
}
