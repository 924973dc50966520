/* vitrine link: joins ids of one person, or parts them. */
#include "services/client/client.h"
#include "services/common/rpc/tls_options.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/identity_argument.h"

struct link_options {
    const char *target;
    struct vt_rpc_tls_flags tls;
    int64_t timeout_ms;
    bool json, merge_members, unlink, validate_only;
};

#define FLAG(name_, field_, help_)                                                                 \
    {                                                                                              \
        .name = (name_), .kind = VT_OPTION_BOOL, .offset = offsetof(struct link_options, field_),  \
        .help = (help_)                                                                            \
    }
static const struct vt_option link_table[] = {
    {.name = "target",
     .kind = VT_OPTION_TEXT,
     .offset = offsetof(struct link_options, target),
     .argument = "ADDR",
     .fallback = "127.0.0.1:7400",
     .help = "service to ask"},
    VT_TLS_OPTIONS(struct link_options, tls),
    {.name = "timeout",
     .kind = VT_OPTION_DURATION,
     .offset = offsetof(struct link_options, timeout_ms),
     .argument = "TIME",
     .fallback = "5s",
     .help = "how long to wait",
     .min = 1,
     .max = 3600000},
    FLAG("json", json, "print the response as JSON"),
    FLAG("merge-members", merge_members, "two members may become one customer, for good"),
    FLAG("unlink", unlink, "part the ids from their customer, for future events only"),
    FLAG("validate-only", validate_only, "say what would change, and change nothing"),
};
static const struct vt_options_spec link_spec = {
    .command = "vitrine link",
    .summary =
        "Joins ids of one person (member, visitor, device, email_hash, loyalty_card, social) "
        "into one customer.",
    .example = "vitrine link member:C000042 visitor:v-17 loyalty_card:4711@pos",
    .options = link_table,
    .n_options = sizeof link_table / sizeof link_table[0],
    .positional = "TYPE:ID[@CHANNEL]...",
    .min_positional = 1,
    .max_positional = VT_CLIENT_LINK_MAX,
};

static int link_identities(void *target, const struct vt_options *parsed)
{
    const struct link_options *options = target;
    const struct vt_client client = {.target = options->target,
                                     .tls = options->tls,
                                     .timeout_ms = (uint32_t)options->timeout_ms,
                                     .json = options->json};
    struct vt_identity identities[VT_CLIENT_LINK_MAX];
    struct vt_client_link link = {.identities = identities,
                                  .merge_members = options->merge_members,
                                  .unlink = options->unlink,
                                  .validate_only = options->validate_only};
    for (; link.n_identities < parsed->n_positional; link.n_identities++) {
        struct vt_diag diag = {0};
        struct vt_err err = vt_identity_argument(parsed->positional[link.n_identities], &diag,
                                                 &identities[link.n_identities]);
        if (vt_failed(err))
            return vt_command_refuse(link_spec.command, err, &diag);
    }
    return vt_client_link(&client, &link);
}

int vt_cmd_link(int argc, char **argv)
{
    struct link_options options = {0};
    return vt_command_run(&link_spec, argc, argv, &options, link_identities);
}
