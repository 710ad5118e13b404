/* ops/cli/stock.h - the catalogue with its stock, as the API has it */
#pragma once

#include <jansson.h>

/* {"products": […], "shipping_methods": […]}, of one sku or (NULL) of all; NULL: said why. */
json_t *catalogue_read(const char *sku) __attribute__((warn_unused_result));
