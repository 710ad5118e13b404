#include "queue/portion.h"

int portion_next(int portion, int moved, uint64_t took_ms)
{
    if (moved == 0) /* it was long for another reason */
        return portion;
    if (took_ms > PORTION_MS)
        return portion / 2 > PORTION_LEAST ? portion / 2 : PORTION_LEAST;
    if (moved >= portion && took_ms < PORTION_MS / 4)
        return portion * 2 < PORTION_MOST ? portion * 2 : PORTION_MOST;
    return portion;
}
