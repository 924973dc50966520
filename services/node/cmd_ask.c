/*
 * The commands that ask a running service: recommend, rank, similar, explain, profile, event. Each
 * is a table of options and a call into services/client.
 */
#include "services/client/client.h"
#include "services/common/base/clock.h"
#include "services/common/rpc/tls_options.h"
#include "services/ingest/times.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/identity_argument.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* All options of the six commands; each command's table names those it takes. */
struct ask_options {
    const char *target;
    struct vt_rpc_tls_flags tls;
    int64_t timeout_ms;
    bool json;
    const char *customer, *visitor, *identity, *placement, *diversity, *token, *filter, *language;
    struct vt_option_list context, exclude;
    uint32_t n, max_events;
    bool include_seen, bot;
    const char *type, *item, *time, *channel, *currency, *query, *id;
    double quantity, revenue, cost, value;
};

/* Rows that several tables have, each written once. */
#define OPTION(name_, kind_, field_, argument_, fallback_, help_)                                  \
    {                                                                                              \
        .name = (name_), .kind = (kind_), .offset = offsetof(struct ask_options, field_),          \
        .argument = (argument_), .fallback = (fallback_), .help = (help_)                          \
    }
/* clang-format off */
#define TARGET   OPTION("target", VT_OPTION_TEXT, target, "ADDR", "127.0.0.1:7400", "service to ask"), \
                 VT_TLS_OPTIONS(struct ask_options, tls)
#define TIMEOUT                                                                                    \
    {.name = "timeout", .kind = VT_OPTION_DURATION, .offset = offsetof(struct ask_options, timeout_ms), \
     .argument = "TIME", .fallback = "5s", .help = "how long to wait", .min = 1, .max = 3600000}
#define JSON     OPTION("json", VT_OPTION_BOOL, json, NULL, NULL, "print the response as JSON")
#define CUSTOMER OPTION("customer", VT_OPTION_TEXT, customer, "ID", NULL, "the customer")
#define VISITOR  OPTION("visitor", VT_OPTION_TEXT, visitor, "ID", NULL, "the visitor (cookie, device)")
#define IDENTITY OPTION("identity", VT_OPTION_TEXT, identity, "TYPE:ID[@CHANNEL]", NULL, "somebody by another id: loyalty_card:4711@pos")
#define PLACE    OPTION("placement", VT_OPTION_TEXT, placement, "NAME", "home", "where the list will stand")
#define CONTEXT  OPTION("context", VT_OPTION_LIST, context, "ITEM", NULL, "an item being looked at")
#define EXCLUDE  OPTION("exclude", VT_OPTION_LIST, exclude, "ITEM", NULL, "an item to leave out")
#define COUNT    OPTION("n", VT_OPTION_U32, n, "N", "10", "how many items, 1 to 200")
#define FILTER   OPTION("filter", VT_OPTION_TEXT, filter, "FILTER", NULL, "only items that pass, such as 'price < 30 and stock > 0'")
#define LANGUAGE OPTION("language", VT_OPTION_TEXT, language, "CODE", NULL, "of the reasons: en, zh-CN")
#define TOKEN    OPTION("token", VT_OPTION_TEXT, token, "TOKEN", NULL, "attributionToken of an answer")
/* clang-format on */
#define TABLE(options_) .options = (options_), .n_options = sizeof(options_) / sizeof(options_)[0]

static struct vt_client client_of(const struct ask_options *options)
{
    return (struct vt_client){
        .target = options->target,
        .tls = options->tls,
        .timeout_ms = (uint32_t)options->timeout_ms,
        .json = options->json,
    };
}

/* False when the identity makes no sense; that is told, and *ret_status is the command's. */
static bool ask_of(const struct vt_options_spec *spec, const struct ask_options *options,
                   const struct vt_options *parsed, struct vt_client_ask *ret_ask, int *ret_status)
{
    struct vt_diag diag = {0};
    struct vt_identity identity;
    struct vt_err err = vt_identity_argument(options->identity, &diag, &identity);
    if (vt_failed(err)) {
        *ret_status = vt_command_refuse(spec->command, err, &diag);
        return false;
    }
    *ret_ask = (struct vt_client_ask){
        .identity = identity,
        .customer = options->customer,
        .visitor = options->visitor,
        .placement = options->placement,
        .context = options->context.items,
        .n_context = (uint32_t)options->context.n,
        .exclude = options->exclude.items,
        .n_exclude = (uint32_t)options->exclude.n,
        .items = parsed->positional,
        .n_items = (uint32_t)parsed->n_positional,
        .n = options->n,
        .filter = options->filter,
        .language = options->language,
        .diversity = options->diversity,
        .include_seen = options->include_seen,
    };
    return true;
}

/* ---- recommend ---- */

static const struct vt_option recommend_table[] = {
    TARGET,
    TIMEOUT,
    JSON,
    CUSTOMER,
    VISITOR,
    IDENTITY,
    COUNT,
    CONTEXT,
    EXCLUDE,
    FILTER,
    LANGUAGE,
    PLACE,
    {.name = "diversity",
     .kind = VT_OPTION_CHOICE,
     .offset = offsetof(struct ask_options, diversity),
     .argument = "LEVEL",
     .help = "how different the items shall be",
     .choices = "none|low|medium|high"},
    OPTION("include-seen", VT_OPTION_BOOL, include_seen, NULL, NULL,
           "also what the customer already bought or viewed"),
};
static const struct vt_options_spec recommend_spec = {
    .command = "vitrine recommend",
    .summary = "Asks for the best items for a customer or visitor.",
    .example = "vitrine recommend --target 127.0.0.1:7400 --customer C000042 -n 10",
    TABLE(recommend_table),
};

static int recommend(void *target, const struct vt_options *parsed)
{
    struct vt_client client = client_of(target);
    struct vt_client_ask ask;
    int status;
    return ask_of(&recommend_spec, target, parsed, &ask, &status)
               ? vt_client_recommend(&client, &ask)
               : status;
}

int vt_cmd_recommend(int argc, char **argv)
{
    struct ask_options options = {0};
    return vt_command_run(&recommend_spec, argc, argv, &options, recommend);
}

/* ---- rank ---- */

static const struct vt_option rank_table[] = {
    TARGET, TIMEOUT, JSON, CUSTOMER, VISITOR, IDENTITY, CONTEXT, FILTER, LANGUAGE, PLACE,
};
static const struct vt_options_spec rank_spec = {
    .command = "vitrine rank",
    .summary = "Orders the given items for a customer.",
    .example = "vitrine rank --customer C000042 KI00-00001 HO09-01300",
    TABLE(rank_table),
    .positional = "ITEM...",
    .min_positional = 1,
    .max_positional = 1000,
};

static int rank(void *target, const struct vt_options *parsed)
{
    struct vt_client client = client_of(target);
    struct vt_client_ask ask;
    int status;
    return ask_of(&rank_spec, target, parsed, &ask, &status) ? vt_client_rank(&client, &ask)
                                                             : status;
}

int vt_cmd_rank(int argc, char **argv)
{
    struct ask_options options = {0};
    return vt_command_run(&rank_spec, argc, argv, &options, rank);
}

/* ---- similar ---- */

static const struct vt_option similar_table[] = {
    TARGET, TIMEOUT, JSON, COUNT, EXCLUDE, FILTER, LANGUAGE, PLACE,
};
static const struct vt_options_spec similar_spec = {
    .command = "vitrine similar",
    .summary = "Asks for items alike to the given ones.",
    .example = "vitrine similar KI00-00001 -n 5",
    TABLE(similar_table),
    .positional = "ITEM...",
    .min_positional = 1,
    .max_positional = 100,
};

static int similar(void *target, const struct vt_options *parsed)
{
    struct vt_client client = client_of(target);
    struct vt_client_ask ask;
    int status;
    return ask_of(&similar_spec, target, parsed, &ask, &status) ? vt_client_similar(&client, &ask)
                                                                : status;
}

int vt_cmd_similar(int argc, char **argv)
{
    struct ask_options options = {0};
    return vt_command_run(&similar_spec, argc, argv, &options, similar);
}

/* ---- explain ---- */

static const struct vt_option explain_table[] = {
    TARGET,
    TIMEOUT,
    JSON,
    TOKEN,
};
static const struct vt_options_spec explain_spec = {
    .command = "vitrine explain",
    .summary = "Makes an answer again from its attribution token, and says how it came about.",
    .example = "vitrine explain --target 127.0.0.1:7400 TOKEN",
    TABLE(explain_table),
    .positional = "TOKEN",
    .max_positional = 1,
};

static int explain(void *target, const struct vt_options *parsed)
{
    const struct ask_options *options = target;
    struct vt_client client = client_of(options);
    const char *token = parsed->n_positional > 0 ? parsed->positional[0] : options->token;
    if (token == NULL || (parsed->n_positional > 0 && options->token != NULL)) {
        struct vt_diag diag = {0};
        vt_diag_set(&diag, "TOKEN", "one token is needed: attributionToken of an answer");
        return vt_command_refuse(explain_spec.command, VT_ERR(VT_INVALID, "no token"), &diag);
    }
    return vt_client_explain(&client, token);
}

int vt_cmd_explain(int argc, char **argv)
{
    struct ask_options options = {0};
    return vt_command_run(&explain_spec, argc, argv, &options, explain);
}

/* ---- profile ---- */

static const struct vt_option profile_table[] = {
    TARGET,
    TIMEOUT,
    JSON,
    CUSTOMER,
    VISITOR,
    IDENTITY,
    OPTION("events", VT_OPTION_U32, max_events, "N", "20", "newest events to show, 1 to 200"),
};
static const struct vt_options_spec profile_spec = {
    .command = "vitrine profile",
    .summary = "Shows what is known about a customer: attributes, consent, newest events.",
    .example = "vitrine profile --customer C000042",
    TABLE(profile_table),
};

static int profile(void *target, const struct vt_options *parsed)
{
    const struct ask_options *options = target;
    struct vt_client client = client_of(options);
    struct vt_client_ask ask;
    int status;
    return ask_of(&profile_spec, options, parsed, &ask, &status)
               ? vt_client_profile(&client, &ask, options->max_events)
               : status;
}

int vt_cmd_profile(int argc, char **argv)
{
    struct ask_options options = {0};
    return vt_command_run(&profile_spec, argc, argv, &options, profile);
}

/* ---- event ---- */

static const struct vt_option event_table[] = {
    TARGET,
    TIMEOUT,
    JSON,
    CUSTOMER,
    VISITOR,
    IDENTITY,
    TOKEN,
    {.name = "type",
     .kind = VT_OPTION_CHOICE,
     .offset = offsetof(struct ask_options, type),
     .argument = "TYPE",
     .help = "what happened",
     .fallback = "view",
     .choices = "impression|click|view|search|favourite|like|dislike|rating|comment|share|cart|"
                "cart_remove|reservation|order|purchase|return|custom"},
    OPTION("item", VT_OPTION_TEXT, item, "ITEM", NULL, "the SKU"),
    OPTION("time", VT_OPTION_TEXT, time, "TIME", NULL, "2026-06-30T12:00:00Z; without it: now"),
    OPTION("channel", VT_OPTION_TEXT, channel, "NAME", "web", "the sales channel"),
    OPTION("quantity", VT_OPTION_F64, quantity, "N", NULL, "pieces"),
    OPTION("revenue", VT_OPTION_F64, revenue, "AMOUNT", NULL, "what was paid for all pieces"),
    OPTION("cost", VT_OPTION_F64, cost, "AMOUNT", NULL, "what the storefront paid for them"),
    OPTION("currency", VT_OPTION_TEXT, currency, "CODE", NULL, "ISO 4217"),
    OPTION("value", VT_OPTION_F64, value, "STARS", NULL, "of a rating, 0 to 10"),
    OPTION("bot", VT_OPTION_BOOL, bot, NULL, NULL, "a program did it: logged, counts for nothing"),
    OPTION("query", VT_OPTION_TEXT, query, "WORDS", NULL, "of a search"),
    OPTION("id", VT_OPTION_TEXT, id, "ID", NULL, "event id; without it a random one"),
};
static const struct vt_options_spec event_spec = {
    .command = "vitrine event",
    .summary = "Sends one event; done means it is on disk.",
    .example = "vitrine event --customer C000042 --type view --item KI00-00001",
    TABLE(event_table),
};

/* As in the files that `import` reads: a time without a zone is UTC. */
static struct vt_err parse_time(const char *text, struct vt_diag *diag, int64_t *ret_time_ms)
{
    struct vt_zone *utc = NULL;
    bool assumed;
    VT_TRY(vt_zone_new("UTC", diag, &utc));
    bool parsed = vt_time_parse(utc, vt_slice_str(text), ret_time_ms, &assumed);
    vt_zone_free(utc);
    if (parsed)
        return vt_ok();
    vt_diag_set(diag, "time", "'%s' is not a time like 2026-06-30T12:00:00Z", text);
    return VT_ERR(VT_INVALID, "not a time");
}

static void random_id(char ret_id[40])
{
    uint64_t bits[2] = {0, 0};
    if (getrandom(bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        bits[0] = (uint64_t)vt_clock_unix_ms(vt_clock_system());
    snprintf(ret_id, 40, "cli-%016llx%016llx", (unsigned long long)bits[0],
             (unsigned long long)bits[1]);
}

static int send_event(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    const struct ask_options *options = target;
    struct vt_client client = client_of(options);
    int64_t time_ms = vt_clock_unix_ms(vt_clock_system());
    struct vt_diag diag = {0};
    struct vt_err err = vt_ok();
    struct vt_identity identity;
    if (options->time != NULL)
        err = parse_time(options->time, &diag, &time_ms);
    if (!vt_failed(err))
        err = vt_identity_argument(options->identity, &diag, &identity);
    if (vt_failed(err))
        return vt_command_refuse(event_spec.command, err, &diag);
    char id[40];
    random_id(id);
    struct vt_event event = {
        .event_id = vt_slice_str(options->id != NULL ? options->id : id),
        .type = vt_event_type_parse(vt_slice_str(options->type)),
        .customer_id = vt_slice_str(options->customer),
        .visitor_id = vt_slice_str(options->visitor),
        .identity = identity,
        .item_id = vt_slice_str(options->item),
        .channel = vt_slice_str(options->channel),
        .currency_code = vt_slice_str(options->currency),
        .query = vt_slice_str(options->query),
        .attribution_token = vt_slice_str(options->token),
        .time_ms = time_ms,
        .quantity = options->quantity,
        .revenue = options->revenue,
        .cost = options->cost,
        .value = options->value,
        .bot = options->bot,
    };
    return vt_client_event(&client, &event);
}

int vt_cmd_event(int argc, char **argv)
{
    struct ask_options options = {0};
    return vt_command_run(&event_spec, argc, argv, &options, send_event);
}
