#ifndef LOADTEST_SENDER_H
#define LOADTEST_SENDER_H

#include "loadtest/generator.h"

/* One thread of the generator: its connections, calls and counts. */
struct sender;

/* Number `index` of `options->threads`. Does not connect yet. VT_EXHAUSTED, or as a channel says.
 */
VT_MUST_USE struct vt_err sender_new(const struct generator_options *options, uint32_t index,
                                     struct sender **ret_sender);
/* Starts its thread; load begins at `start_ns` (CLOCK_MONOTONIC). VT_EXHAUSTED: no thread. */
VT_MUST_USE struct vt_err sender_start(struct sender *sender, int64_t start_ns);
/* Waits for its end; the result is the sender's until _free. Only after _start. */
VT_MUST_USE struct vt_err sender_join(struct sender *sender, const struct load_result **ret_result);
void sender_free(struct sender *sender); /* NULL is allowed; not while its thread runs */

#endif
