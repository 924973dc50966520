#ifndef LOADTEST_REPORT_TEXT_H
#define LOADTEST_REPORT_TEXT_H

#include "loadtest/generator.h"

/* The result for people, on standard output. */
void report_text_print(const struct generator_options *options, const struct load_result *result);

#endif
