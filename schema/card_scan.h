/* schema/card_scan.h - finds what looks like card data, anywhere in a body
 *
 * A card number is 13 to 19 digits (single spaces or hyphens between) that begin as cards do, pass
 * the Luhn check and stand apart from letters; or any value under a key like "cvc".  UUIDs are
 * none, nor is a bare GTIN (8 to 14 digits) where a SKU belongs.
 */
#pragma once

#include <jansson.h>

#include "base/memory.h"

/* The JSON pointer of the first one, or NULL. */
const char *card_scan(const json_t *body, struct arena *arena);
