#ifndef VT_CLIENT_PRINT_H
#define VT_CLIENT_PRINT_H

#include "services/common/base/table.h"
#include "vitrine/v1/recommendation.pb-c.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <time.h>

/* One JSON object on one line of standard output; returns the exit status. */
int vt__print_json(const ProtobufCMessage *message);

/* What the three answers of RecommendationService have in common. */
struct vt_printed_answer {
    Vitrine__V1__RecommendedItem *const *items;
    size_t n_items;
    const char *model_version, *degraded_reason;
    int degraded;
};
/* A table of products with prices and reasons, and a line about the model. */
void vt__print_items(const struct vt_printed_answer *answer);

/* "2026-01-31 23:59:59" as a cell; UTC. */
void vt__put_time(struct vt_table *table, time_t seconds);

/* CANDIDATE_SOURCE_ITEM_NEIGHBOR → "item neighbor" */
void vt__source_name(Vitrine__V1__CandidateSource source, char ret_name[32]);
/* An answer that was made again: a table of it, how each score came about, and what is missing. */
void vt__print_explained(const Vitrine__V1__ExplainResponse *answer);

#endif
