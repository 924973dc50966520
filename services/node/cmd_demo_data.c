/* vitrine demo-data: writes a generated storefront; see services/demo. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "services/common/base/options.h"
#include "services/demo/demo.h"
#include "services/node/command.h"
#include "services/node/commands.h"

struct demo_data_options {
    const char *out;
    uint32_t customers, items, days;
    uint64_t seed;
    const char *last_day;
    bool json;
};

#define FIELD(name_) offsetof(struct demo_data_options, name_)
static const struct vt_option option_table[] = {
    {.name = "out",
     .kind = VT_OPTION_TEXT,
     .offset = FIELD(out),
     .argument = "DIR",
     .required = true,
     .help = "folder for items.jsonl, customers.jsonl, events.jsonl, channels.jsonl"},
    {.name = "customers",
     .kind = VT_OPTION_U32,
     .offset = FIELD(customers),
     .argument = "N",
     .fallback = "20000",
     .min = 1,
     .max = 10000000,
     .help = "customers"},
    {.name = "items",
     .kind = VT_OPTION_U32,
     .offset = FIELD(items),
     .argument = "N",
     .fallback = "5000",
     .min = 100,
     .max = 2000000,
     .help = "products"},
    {.name = "days",
     .kind = VT_OPTION_U32,
     .offset = FIELD(days),
     .argument = "N",
     .fallback = "90",
     .min = 7,
     .max = 1500,
     .help = "length of the history"},
    {.name = "seed",
     .kind = VT_OPTION_U64,
     .offset = FIELD(seed),
     .argument = "N",
     .fallback = "1",
     .help = "same seed, same bytes"},
    {.name = "last-day",
     .kind = VT_OPTION_TEXT,
     .offset = FIELD(last_day),
     .argument = "DATE",
     .fallback = "2026-06-30",
     .help = "the day the history ends"},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = FIELD(json),
     .flag_only = true,
     .help = "print the summary as one JSON object"},
};
static const struct vt_options_spec spec = {
    .command = "vitrine demo-data",
    .summary = "Writes a believable storefront, made by a seeded generator, with planted dirt.",
    .example = "vitrine demo-data --out /tmp/storefront --customers 20000 --seed 1",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

static void print_json(const struct vt_demo_summary *summary)
{
    json_t *dirt = json_object();
    for (int kind = 0; kind < VT_DIRT_COUNT; kind++)
        json_object_set_new(dirt, vt_demo_dirt_name((enum vt_demo_dirt)kind),
                            json_integer((json_int_t)summary->dirt[kind]));
    json_t *object = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:s, s:o}", "items", (json_int_t)summary->n_items, "customers",
        (json_int_t)summary->n_customers, "events", (json_int_t)summary->n_events, "channels",
        (json_int_t)summary->n_channels, "purchases", (json_int_t)summary->n_purchases,
        "busiest_customer", summary->busiest_customer, "dirt", dirt);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static void print_table(const struct demo_data_options *options,
                        const struct vt_demo_summary *summary)
{
    printf("wrote a storefront to %s\n", options->out);
    printf("  %-22s %9" PRIu64 "\n", "items", summary->n_items);
    printf("  %-22s %9" PRIu64 "\n", "customers", summary->n_customers);
    printf("  %-22s %9" PRIu64 "\n", "channels", summary->n_channels);
    printf("  %-22s %9" PRIu64 "  (%" PRIu64 " purchases)\n", "events", summary->n_events,
           summary->n_purchases);
    printf("dirt planted for the scorecard\n");
    for (int kind = 0; kind < VT_DIRT_COUNT; kind++)
        printf("  %-22s %9" PRIu64 "\n", vt_demo_dirt_name((enum vt_demo_dirt)kind),
               summary->dirt[kind]);
    printf("the customer with the most purchases is %s\n", summary->busiest_customer);
}

static int generate(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    const struct demo_data_options *options = target;
    struct vt_demo_options demo = {
        .out_dir = options->out,
        .n_customers = options->customers,
        .n_items = options->items,
        .n_days = options->days,
        .seed = options->seed,
        .last_day = options->last_day,
    };
    struct vt_demo_summary summary;
    struct vt_diag diag = {0};
    struct vt_err err = vt_demo_generate(&demo, &diag, &summary);
    if (vt_failed(err)) {
        int status = vt_command_fail(spec.command, err, &diag);
        return err.code == VT_INVALID ? VT_EXIT_USAGE : status;
    }
    if (options->json)
        print_json(&summary);
    else
        print_table(options, &summary);
    return VT_EXIT_DONE;
}

int vt_cmd_demo_data(int argc, char **argv)
{
    struct demo_data_options target = {0};
    return vt_command_run(&spec, argc, argv, &target, generate);
}
