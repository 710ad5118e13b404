#include "schema/money.h"

#include <string.h>

bool money_add(int64_t *sum, int64_t amount)
{
    int64_t result;

    if (__builtin_add_overflow(*sum, amount, &result) || result < 0 || result > MONEY_MAX)
        return false;
    *sum = result;
    return true;
}

bool money_add_times(int64_t *sum, int64_t amount, int64_t times)
{
    int64_t product;

    return !__builtin_mul_overflow(amount, times, &product) && money_add(sum, product);
}

bool currency_is_valid(const char *code)
{
    return strlen(code) == 3 && strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

int currency_digits(const char *code)
{
    static const char none[] =
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    static const char three[] = "BHD IQD JOD KWD LYD OMR TND";

    if (strstr(none, code))
        return 0;
    return strstr(three, code) ? 3 : 2;
}
