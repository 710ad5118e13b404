/* Tables: all cells are kept until the widths are known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/screen_inside.h"

enum { COLUMNS_MAX = 20, GAP = 2, SHRUNK_LEAST = 8 };

struct cell {
    const char *text;
    enum colour colour;
};

struct table {
    struct {
        const char *title;
        unsigned how;
        int width;
    } columns[COLUMNS_MAX];
    int column_count;
    struct cell *cells;
    size_t count, room;
};

struct table *table_create(void)
{
    return xcalloc(1, sizeof(struct table));
}

void table_column(struct table *table, const char *title, unsigned how)
{
    if (table->column_count == COLUMNS_MAX)
        abort();
    table->columns[table->column_count].title = title;
    table->columns[table->column_count].how = how;
    table->columns[table->column_count++].width = cells_of(title);
}

void table_paint(struct table *table, enum colour colour, const char *text)
{
    int column = (int)(table->count % (size_t)table->column_count), cells;

    if (table->count == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->cells = xrealloc(table->cells, table->room * sizeof(*table->cells));
    }
    text = screen_clean(text);
    cells = cells_of(text);
    if (cells > table->columns[column].width)
        table->columns[column].width = cells;
    table->cells[table->count++] = (struct cell){text, colour};
}

void table_cell(struct table *table, const char *text)
{
    table_paint(table, PLAIN, text);
}

static void fit(struct table *table)
{
    int room = screen_columns(), all = -GAP;

    for (int i = 0; i < table->column_count; i++)
        all += table->columns[i].width + GAP;
    for (int i = table->column_count - 1; room > 0 && i >= 0 && all > room; i--) {
        int least = cells_of(table->columns[i].title), give = all - room;

        least = least > SHRUNK_LEAST ? least : SHRUNK_LEAST;
        if (!(table->columns[i].how & COLUMN_SHRINKS) || table->columns[i].width <= least)
            continue;
        give = table->columns[i].width - give < least ? table->columns[i].width - least : give;
        table->columns[i].width -= give;
        all -= give;
    }
}

/* As much of it as fits, "…" at its end if that is not all. */
static const char *cut(const char *text, int width)
{
    const char *at = text;
    int used = 0;

    if (cells_of(text) <= width)
        return text;
    while (*at) {
        int cells;
        size_t bytes = screen_character(at, &cells);

        if (used + cells > width - 1)
            break;
        used += cells;
        at += bytes;
    }
    return arena_print(screen_arena(), "%.*s…", (int)(at - text), text);
}

static void print_cell(const struct table *table, int column, const struct cell *cell)
{
    const char *text = cut(cell->text, table->columns[column].width);
    int pad = table->columns[column].width - cells_of(text);
    bool is_right = (table->columns[column].how & COLUMN_RIGHT) != 0;
    bool is_last = column == table->column_count - 1;

    if (is_right)
        printf("%*s", pad, "");
    screen_paint(cell->colour, text);
    if (!is_right && !is_last)
        printf("%*s", pad, "");
    printf("%s", is_last ? "\n" : "  ");
}

void table_print(struct table *table)
{
    progress_end();
    fit(table);
    for (int i = 0; i < table->column_count; i++)
        print_cell(table, i, &(struct cell){table->columns[i].title, BOLD});
    for (size_t i = 0; i < table->count; i++)
        print_cell(table, (int)(i % (size_t)table->column_count), &table->cells[i]);
    free(table->cells);
    free(table);
}
