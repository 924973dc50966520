#ifndef LOADTEST_REPORT_JSON_H
#define LOADTEST_REPORT_JSON_H

#include "loadtest/generator.h"
#include "loadtest/scrape.h"

#include <jansson.h>

/* The result as the object that --json prints; NULL: no memory. Owned. `scrape` may be NULL. */
json_t *report_json(const struct generator_options *options, const struct load_result *result,
                    const struct scrape *scrape);
/* Prints it on one line and frees it. */
void report_json_print(json_t *object);

#endif
