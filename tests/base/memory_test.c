/* Pieces that die together. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

#include <cmocka.h>

enum { PIECES = 1000 };

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    struct arena arena;
    unsigned char *pieces[PIECES];

    (void)state;
    arena_init(&arena);
    for (size_t n = 0; n < PIECES; n++) {
        pieces[n] = arena_alloc(&arena, n + 1);
        assert_int_equal((uintptr_t)pieces[n] % alignof(max_align_t), 0);
        for (size_t i = 0; i <= n; i++)
            assert_int_equal(pieces[n][i], 0);
        memset(pieces[n], (int)(n % 251) + 1, n + 1);
    }
    for (size_t n = 0; n < PIECES; n++)
        for (size_t i = 0; i <= n; i++)
            assert_int_equal(pieces[n][i], n % 251 + 1);
    arena_finish(&arena);
}

static void a_large_piece_has_room(void **state)
{
    enum { LARGE = 1 << 20 };
    struct arena arena;
    char *large;

    (void)state;
    arena_init(&arena);
    large = arena_alloc(&arena, LARGE);
    memset(large, 'x', LARGE);
    assert_int_equal(large[LARGE - 1], 'x');
    assert_int_equal(*(char *)arena_alloc(&arena, 1), 0);
    arena_finish(&arena);
}

static void texts_end_in_nul(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena);
    assert_string_equal(arena_copy(&arena, "abcdef", 3), "abc");
    assert_string_equal(arena_copy(&arena, "", 0), "");
    assert_string_equal(arena_print(&arena, "%d %s", 7, "x"), "7 x");
    arena_finish(&arena);
}

static void it_may_be_used_again_after_its_end(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        assert_string_equal(arena_copy(&arena, "again", 5), "again");
        arena_finish(&arena);
    }
    arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(a_large_piece_has_room),
        cmocka_unit_test(texts_end_in_nul),
        cmocka_unit_test(it_may_be_used_again_after_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
