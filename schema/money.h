/* schema/money.h - amounts in minor units, added and multiplied without ever running over
 *
 * The largest amount is 2^53 - 1, so that every client's numbers can hold it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MONEY_MAX INT64_C(9007199254740991)

enum { CURRENCY_SIZE = sizeof("EUR") };

struct money {
    int64_t amount;
    char currency[CURRENCY_SIZE]; /* ISO 4217, upper case */
};

/* False: the result would be below 0 or above MONEY_MAX; *sum is then unchanged. */
bool money_add(int64_t *sum, int64_t amount) __attribute__((warn_unused_result));
bool money_add_times(int64_t *sum, int64_t amount, int64_t times)
    __attribute__((warn_unused_result));

bool currency_is_valid(const char *code); /* three upper-case letters */
/* Decimals that people write it with (ISO 4217): 2, but 0 for JPY, 3 for KWD, … */
int currency_digits(const char *code);
