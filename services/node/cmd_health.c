/* vitrine health: the probe of containers and scripts. */
#include "services/client/client.h"
#include "services/common/rpc/tls_options.h"
#include "services/node/command.h"
#include "services/node/commands.h"

struct health_options {
    const char *target, *service;
    struct vt_rpc_tls_flags tls;
    int64_t timeout_ms;
    bool json;
};

static const struct vt_option health_table[] = {
    {.name = "target",
     .kind = VT_OPTION_TEXT,
     .offset = offsetof(struct health_options, target),
     .argument = "ADDR",
     .fallback = "127.0.0.1:7400",
     .help = "server to ask"},
    VT_TLS_OPTIONS(struct health_options, tls),
    {.name = "service",
     .kind = VT_OPTION_TEXT,
     .offset = offsetof(struct health_options, service),
     .argument = "NAME",
     .fallback = "",
     .help = "one of its services, vitrine.v1.RecommendationService; default: the server"},
    {.name = "timeout",
     .kind = VT_OPTION_DURATION,
     .offset = offsetof(struct health_options, timeout_ms),
     .argument = "TIME",
     .fallback = "1s",
     .help = "how long to wait",
     .min = 1,
     .max = 3600000},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = offsetof(struct health_options, json),
     .help = "print one JSON object"},
};
static const struct vt_options_spec health_spec = {
    .command = "vitrine health",
    .summary = "Asks a server whether it serves; exit status 0 when it does, 1 when it does not "
               "or nobody answers.",
    .example = "vitrine health --target 127.0.0.1:7400",
    .options = health_table,
    .n_options = sizeof health_table / sizeof health_table[0],
    .layered = true, /* the probe of a container has the server's environment */
};

static int check_health(void *target, const struct vt_options *parsed)
{
    const struct health_options *options = target;
    const struct vt_client client = {.target = options->target,
                                     .tls = options->tls,
                                     .timeout_ms = (uint32_t)options->timeout_ms,
                                     .json = options->json};
    (void)parsed;
    return vt_client_health(&client, options->service);
}

int vt_cmd_health(int argc, char **argv)
{
    struct health_options options = {0};
    return vt_command_run(&health_spec, argc, argv, &options, check_health);
}
