/* tests/case.c - one case of a unit test by name
 *
 * Linked into every unit test: DOCKET_CASE=NAME (wildcards * and ?) runs only the cases so called.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void choose_case(void)
{
    const char *name = getenv("DOCKET_CASE");

    if (name != NULL && *name != '\0')
        cmocka_set_test_filter(name);
}
