/* docket dead export: page after page to stdout; nothing of the persons who ordered is in it */
#include <stdio.h>
#include <string.h>

#include "ops/cli/dead.h"
#include "ops/cli/screen.h"

enum { PAGE_ROWS = 1000 };

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

static void print_head(bool is_csv)
{
    if (!is_csv)
        putchar('[');
    for (size_t i = 0; is_csv && columns[i]; i++)
        printf("%s%s", i > 0 ? "," : "", columns[i]);
    fputs(is_csv ? "\r\n" : "", stdout);
}

static int64_t print_page(const json_t *letters, bool is_csv, int64_t before)
{
    size_t index;
    const json_t *letter;

    json_array_foreach(letters, index, letter)
    {
        if (is_csv) {
            print_csv(letter);
            continue;
        }
        fputs(before + (int64_t)index > 0 ? ",\n" : "\n", stdout);
        json_dumpf(letter, stdout, JSON_COMPACT);
    }
    return before + (int64_t)json_array_size(letters);
}

/* False: said why; what was printed is the beginning, and a JSON array that lacks its end. */
static bool export_all(const struct dead_words *words, bool is_csv)
{
    char cursor[100] = "";
    int64_t count = 0;

    do {
        json_t *page = dead_page("/admin/dead", words, *cursor ? cursor : NULL, PAGE_ROWS);

        if (page == NULL)
            return false;
        count = print_page(json_object_get(page, "dead_letters"), is_csv, count);
        snprintf(cursor, sizeof(cursor), "%s", text_of(page, "next"));
        json_decref(page);
        progress("exported", count, 0);
    } while (*cursor && !ferror(stdout));
    return true;
}

int dead_export_run(const struct call *call)
{
    const char *format = call_text(call, "format");
    bool is_csv = format && strcmp(format, "csv") == 0, is_whole;
    struct dead_words words;

    if (!dead_words_read(call, &words))
        return EXIT_USAGE;
    print_head(is_csv);
    is_whole = export_all(&words, is_csv);
    progress_end();
    dead_words_finish(&words);
    if (is_whole && !is_csv)
        fputs("\n]\n", stdout);
    if (fflush(stdout) != 0 || ferror(stdout))
        return refuse("Make room, and export again.", "the export could not be written whole");
    return is_whole ? EXIT_SUCCESS : EXIT_REFUSED;
}
