/* vitrine recommend-all and vitrine who-would-like: what is asked about all customers at a time. */
#include "services/client/client.h"
#include "services/common/rpc/tls_options.h"
#include "services/node/command.h"
#include "services/node/commands.h"

struct audience_options {
    const char *target, *placement, *out, *filter;
    struct vt_rpc_tls_flags tls;
    int64_t timeout_ms;
    uint32_t n, min_events;
    bool json, include_seen, include_buyers;
};

#define OPTION(name_, kind_, field_, argument_, fallback_, help_)                                  \
    {                                                                                              \
        .name = (name_), .kind = (kind_), .offset = offsetof(struct audience_options, field_),     \
        .argument = (argument_), .fallback = (fallback_), .help = (help_)                          \
    }
/* clang-format off */
#define COMMON                                                                                     \
    OPTION("target", VT_OPTION_TEXT, target, "ADDR", "127.0.0.1:7400", "service to ask"),          \
    VT_TLS_OPTIONS(struct audience_options, tls),                                                  \
    {.name = "timeout", .kind = VT_OPTION_DURATION,                                                \
     .offset = offsetof(struct audience_options, timeout_ms), .argument = "TIME",                  \
     .fallback = "6h", .help = "how long it may take", .min = 1, .max = 7 * 24 * 3600000LL},       \
    OPTION("json", VT_OPTION_BOOL, json, NULL, NULL, "print JSON")
/* clang-format on */

static const struct vt_option recommend_all_table[] = {
    COMMON,
    OPTION("placement", VT_OPTION_TEXT, placement, "NAME", "e-mail", "where the lists will stand"),
    OPTION("n", VT_OPTION_U32, n, "N", "10", "items a list, 1 to 200"),
    OPTION("min-events", VT_OPTION_U32, min_events, "N", "0",
           "pass over customers with a shorter history, at most 200"),
    OPTION("include-seen", VT_OPTION_BOOL, include_seen, NULL, NULL,
           "also what a customer already bought or viewed"),
    OPTION("filter", VT_OPTION_TEXT, filter, "FILTER", NULL,
           "only items that pass, such as 'price < 30 and stock > 0'"),
    {.name = "out",
     .kind = VT_OPTION_TEXT,
     .offset = offsetof(struct audience_options, out),
     .argument = "FILE",
     .help = "lines of JSON, a customer each; the same command goes on after a break",
     .required = true},
};
static const struct vt_options_spec recommend_all_spec = {
    .command = "vitrine recommend-all",
    .summary = "Asks for the best items for every customer, as Recommend would for each.",
    .example = "vitrine recommend-all --placement e-mail -n 5 --out lists.jsonl",
    .options = recommend_all_table,
    .n_options = sizeof recommend_all_table / sizeof recommend_all_table[0],
};

static const struct vt_option who_would_like_table[] = {
    COMMON,
    OPTION("n", VT_OPTION_U32, n, "N", "100", "how many customers, 1 to 10000"),
    OPTION("include-buyers", VT_OPTION_BOOL, include_buyers, NULL, NULL,
           "also those who bought the item already"),
};
static const struct vt_options_spec who_would_like_spec = {
    .command = "vitrine who-would-like",
    .summary = "Asks for the customers who would like an item, or one of several, most.",
    .example = "vitrine who-would-like KI00-00001 -n 50",
    .options = who_would_like_table,
    .n_options = sizeof who_would_like_table / sizeof who_would_like_table[0],
    .positional = "ITEM...",
    .min_positional = 1,
    .max_positional = 100,
};

static struct vt_client client_of(const struct audience_options *options)
{
    return (struct vt_client){
        .target = options->target,
        .tls = options->tls,
        .timeout_ms = (uint32_t)options->timeout_ms,
        .json = options->json,
    };
}

static int recommend_all(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    const struct audience_options *options = target;
    const struct vt_client client = client_of(options);
    const struct vt_client_ask ask = {
        .placement = options->placement,
        .n = options->n,
        .min_events = options->min_events,
        .filter = options->filter,
        .include_seen = options->include_seen,
    };
    return vt_client_recommend_all(&client, &ask, options->out);
}

int vt_cmd_recommend_all(int argc, char **argv)
{
    struct audience_options options = {0};
    return vt_command_run(&recommend_all_spec, argc, argv, &options, recommend_all);
}

static int who_would_like(void *target, const struct vt_options *parsed)
{
    const struct audience_options *options = target;
    const struct vt_client client = client_of(options);
    const struct vt_client_ask ask = {
        .items = parsed->positional,
        .n_items = (uint32_t)parsed->n_positional,
        .n = options->n,
        .include_seen = options->include_buyers,
    };
    return vt_client_who_would_like(&client, &ask);
}

int vt_cmd_who_would_like(int argc, char **argv)
{
    struct audience_options options = {0};
    return vt_command_run(&who_would_like_spec, argc, argv, &options, who_would_like);
}
