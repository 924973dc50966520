/* vitrine demo-data: writes a generated storefront; see services/demo. */
#include "services/common/base/options.h"
#include "services/common/base/table.h"
#include "services/demo/demo.h"
#include "services/node/command.h"
#include "services/node/commands.h"

#include <inttypes.h>
#include <stdio.h>

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

static struct vt_err print_json(const struct vt_demo_summary *summary)
{
    json_t *dirt = json_object();
    for (int kind = 0; kind < VT_DIRT_COUNT; kind++)
        json_object_set_new(dirt, vt_demo_dirt_name((enum vt_demo_dirt)kind),
                            json_integer((json_int_t)summary->dirt[kind]));
    return vt_command_print_json(json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:s, s:o}", "items", (json_int_t)summary->n_items, "customers",
        (json_int_t)summary->n_customers, "events", (json_int_t)summary->n_events, "channels",
        (json_int_t)summary->n_channels, "purchases", (json_int_t)summary->n_purchases,
        "busiest_customer", summary->busiest_customer, "dirt", dirt));
}

static void put_row(struct vt_table *table, const char *name, uint64_t count)
{
    vt_table_cell(table, vt_slice_str(name));
    vt_table_cellf(table, "%" PRIu64, count);
}

static struct vt_err print_table(const struct demo_data_options *options,
                                 const struct vt_demo_summary *summary)
{
    static const char *const heads[] = {"written", ">records"};
    static const char *const dirt_heads[] = {"dirt planted for the scorecard", ">records"};
    struct vt_table *written = vt_table_new(heads, 2), *dirt = vt_table_new(dirt_heads, 2);
    put_row(written, "items", summary->n_items);
    put_row(written, "customers", summary->n_customers);
    put_row(written, "channels", summary->n_channels);
    put_row(written, "events", summary->n_events);
    put_row(written, "of them purchases", summary->n_purchases);
    for (int kind = 0; kind < VT_DIRT_COUNT; kind++)
        put_row(dirt, vt_demo_dirt_name((enum vt_demo_dirt)kind), summary->dirt[kind]);
    printf("wrote a storefront to %s\n\n", options->out);
    vt_table_print(written, stdout);
    putchar('\n');
    vt_table_print(dirt, stdout);
    printf("\nthe customer with the most purchases is %s\n", summary->busiest_customer);
    vt_table_free(written);
    vt_table_free(dirt);
    return vt_ok();
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
    if (err.code == VT_INVALID)
        return vt_command_refuse(spec.command, err, &diag);
    if (!vt_failed(err))
        err = options->json ? print_json(&summary) : print_table(options, &summary);
    return vt_failed(err) ? vt_command_fail(spec.command, err, &diag) : VT_EXIT_DONE;
}

int vt_cmd_demo_data(int argc, char **argv)
{
    struct demo_data_options target = {0};
    return vt_command_run(&spec, argc, argv, &target, generate);
}
