#include <stdio.h>
#include <string.h>

#include "ops/cli/dead.h"
#include "schema/dead_filter.h"

enum { WORD_BYTES_MAX = 2 * DEAD_FILTER_TEXT_MAX, QUERY_BYTES_MAX = 8 * WORD_BYTES_MAX };

static bool is_number(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text);
}

/* The shell has taken the quotes of text~"timed out" away: they are put back. */
static void add_word(struct text *filter, const char *word)
{
    bool lost_quotes = strncmp(word, "text~", 5) == 0 && strchr(word, ' ') && !strchr(word, '"');

    if (filter->length > 0)
        text_add(filter, " ");
    if (lost_quotes)
        text_print(filter, "text~\"%s\"", word + 5);
    else
        text_add(filter, word);
}

/* The filter, and a mark below the place where it is wrong. */
static bool check(struct dead_words *words)
{
    struct dead_filter filter;
    struct fault fault;
    int before = 0;

    if (dead_filter_parse(words->filter.bytes, &filter, &fault)) {
        words->is_empty = filter.is_empty;
        return true;
    }
    for (size_t i = 0; i < filter.error_at; i++)
        before += ((unsigned char)words->filter.bytes[i] & 0xc0) != 0x80;
    fprintf(stderr, "docket: %s\n\n  %s\n  %*s^\n\n`docket dead list --help` has the language.\n",
            fault.text, words->filter.bytes, before, "");
    return false;
}

bool dead_words_read(const struct call *call, struct dead_words *words)
{
    const char *only = call_operand(call, 1) ? NULL : call_operand(call, 0), *word;

    *words = (struct dead_words){.is_letter = only && is_number(only),
                                 .is_incident = only && strncmp(only, "inc_", 4) == 0};
    text_init(&words->filter, WORD_BYTES_MAX);
    text_add(&words->filter, "");
    if (words->is_letter)
        text_print(&words->filter, "state:all id:%s", only);
    else if (words->is_incident)
        text_print(&words->filter, "incident:%s", only);
    else
        for (int i = 0; (word = call_operand(call, i)) != NULL; i++)
            add_word(&words->filter, word);
    if (words->filter.cut) {
        (void)call_misused(call, "a filter has at most %d bytes", DEAD_FILTER_TEXT_MAX);
        dead_words_finish(words);
        return false;
    }
    if (check(words))
        return true;
    dead_words_finish(words);
    return false;
}

void dead_words_finish(struct dead_words *words)
{
    text_finish(&words->filter);
}

json_t *dead_page(const char *path, const struct dead_words *words, const char *cursor,
                  long long limit)
{
    struct text query;
    json_t *answer;

    text_init(&query, QUERY_BYTES_MAX);
    text_add(&query, path);
    admin_query(&query, "filter", words->filter.bytes);
    admin_query(&query, "cursor", cursor);
    if (limit > 0)
        admin_query_number(&query, "limit", limit);
    answer = admin_call("GET", query.bytes, NULL);
    text_finish(&query);
    return answer;
}
