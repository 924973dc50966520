/*
 * What the answers look like: products as a table with the reason beside the score, because people
 * ask "why this?" first; or any message as JSON, which scripts read. One thread.
 */
#include "services/client/print.h"

#include "services/client/pb_json.h"
#include "services/common/base/table.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

int vt__print_json(const ProtobufCMessage *message)
{
    json_t *object = vt__pb_to_json(message);
    int failed = object == NULL || json_dumpf(object, stdout, JSON_COMPACT) != 0;
    json_decref(object);
    putchar('\n');
    return failed ? 1 : 0;
}

void vt__source_name(Vitrine__V1__CandidateSource source, char ret_name[32])
{
    static const char prefix[] = "CANDIDATE_SOURCE_";
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
        &vitrine__v1__candidate_source__descriptor, (int)source);
    snprintf(ret_name, 32, "%s", value != NULL ? value->name + sizeof prefix - 1 : "?");
    for (char *at = ret_name; *at != '\0'; at++)
        *at = *at == '_' ? ' ' : (char)tolower((unsigned char)*at);
}

static void put_sources(struct vt_table *table, const Vitrine__V1__RecommendedItem *item)
{
    char text[256] = "";
    for (size_t i = 0; i < item->n_sources; i++) {
        char name[32];
        size_t len = strlen(text);
        vt__source_name(item->sources[i]->source, name);
        snprintf(text + len, sizeof text - len, "%s%s", i == 0 ? "" : ", ", name);
    }
    vt_table_cell(table, vt_slice_str(text));
}

static void put_item(struct vt_table *table, size_t rank, const Vitrine__V1__RecommendedItem *item)
{
    vt_table_cellf(table, "%zu", rank);
    vt_table_cell(table, vt_slice_str(item->id));
    vt_table_cell(table, vt_slice_str(item->title));
    vt_table_cellf(table, "%.2f %s", item->price, item->currency_code);
    vt_table_cellf(table, "%.4f", item->score);
    vt_table_cell(table, vt_slice_str(item->reason));
    put_sources(table, item);
}

void vt__print_items(const struct vt_printed_answer *answer)
{
    static const char *const heads[] = {">#",     "item", "title",  ">price",
                                        ">score", "why",  "sources"};
    struct vt_table *table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < answer->n_items; i++)
        put_item(table, i + 1, answer->items[i]);
    vt_table_print(table, stdout);
    vt_table_free(table);
    printf("\nmodel %s", answer->model_version[0] != '\0' ? answer->model_version : "none yet");
    if (answer->degraded)
        printf(", degraded: %s", answer->degraded_reason);
    putchar('\n');
}

void vt__put_time(struct vt_table *table, time_t seconds)
{
    struct tm date;
    char text[32] = "";
    if (gmtime_r(&seconds, &date) != NULL)
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &date);
    vt_table_cell(table, vt_slice_str(text));
}
