/*
 * The command `prices`: updates prices by field mask, one call after the other, as a storefront's
 * price feed does, and reports how fast they were acknowledged (each call is on disk then). Run
 * beside `recommend`, it shows what a flood of updates costs those who ask meanwhile.
 */
#include "loadtest/load.h"
#include "loadtest/wire.h"
#include "services/common/base/clock.h"
#include "services/common/base/options.h"
#include "services/common/rpc/client.h"
#include "services/common/rpc/tls_options.h"

#include <stdio.h>

#define PATH "/vitrine.v1.CatalogService/UpsertItems"

enum { ARENA_BYTES = 4 << 20, TIMEOUT_MS = 30000 };
static const double NS_PER_S = 1e9;

struct prices_options {
    const char *target;
    struct vt_rpc_tls_flags tls;
    uint32_t items, updates, batch;
    uint64_t seed;
    bool json;
};

static struct vt_err send_all(const struct prices_options *options, struct vt_rpc_channel *channel,
                              struct vt_arena *arena, struct vt_diag *diag)
{
    const struct vt_rpc_call_options call = {.timeout_ms = TIMEOUT_MS};
    for (uint32_t sent = 0; sent < options->updates;) {
        uint32_t left = options->updates - sent, n = left < options->batch ? left : options->batch;
        struct vt_slice body, answer;
        vt_arena_reset(arena);
        VT_TRY(load_wire_prices(options->seed + sent, n, options->items, arena, &body));
        VT_TRY(vt_rpc_client_call(channel, PATH, body, &call, arena, diag, &answer));
        sent += n;
    }
    return vt_ok();
}

static void report(const struct prices_options *options, double seconds)
{
    double per_s = options->updates / seconds;
    if (options->json)
        printf(
            "{\"updates\":%u,\"batch\":%u,\"items\":%u,\"seconds\":%.3f,\"updates_per_s\":%.0f}\n",
            options->updates, options->batch, options->items, seconds, per_s);
    else
        printf("%u prices of %u items, %u a call, in %.1f s: %.0f/s\n", options->updates,
               options->items, options->batch, seconds, per_s);
}

static struct vt_err run(const struct prices_options *options, struct vt_diag *diag)
{
    struct vt_rpc_tls *tls = NULL;
    struct vt_rpc_channel *channel = NULL;
    struct vt_arena arena = {0};
    int64_t began_ns = vt_clock_monotonic_ns(vt_clock_system());
    struct vt_err err = vt_rpc_tls_from_flags(&options->tls, diag, &tls);
    const struct vt_rpc_channel_options where = {
        .target = options->target, .tls = tls, .server_name = options->tls.server_name};
    if (!vt_failed(err))
        err = vt_rpc_channel_open(&where, &channel);
    if (!vt_failed(err) && !vt_arena_init_owned(&arena, ARENA_BYTES))
        err = VT_ERR(VT_EXHAUSTED, "no memory for a request");
    if (!vt_failed(err))
        err = send_all(options, channel, &arena, diag);
    if (!vt_failed(err))
        report(options, (double)(vt_clock_monotonic_ns(vt_clock_system()) - began_ns) / NS_PER_S);
    vt_arena_fini(&arena);
    vt_rpc_channel_free(channel);
    vt_rpc_tls_free(tls);
    return err;
}

#define FIELD(name_) offsetof(struct prices_options, name_)
static const struct vt_option table[] = {
    {"target", VT_OPTION_TEXT, FIELD(target), "ADDR", "the profile service",
     .fallback = "127.0.0.1:7400"},
    VT_TLS_OPTIONS(struct prices_options, tls),
    {"items", VT_OPTION_U32, FIELD(items), "N",
     "SKU000000 to N - 1, as vitrine-bench fill names them", .fallback = "100000", .min = 1,
     .max = 1000000},
    {"updates", VT_OPTION_U32, FIELD(updates), "N", "prices to send", .fallback = "1000000",
     .min = 1, .max = 1000000000},
    {"batch", VT_OPTION_U32, FIELD(batch), "N", "in a call", .fallback = "1000", .min = 1,
     .max = 1000},
    {"seed", VT_OPTION_U64, FIELD(seed), "N", "of the choice of items and prices", .fallback = "1",
     .min = 0, .max = 9e15},
    {"json", VT_OPTION_BOOL, FIELD(json), NULL, "one JSON object on standard output",
     .flag_only = true},
};
static const struct vt_options_spec spec = {
    .command = "vitrine-load prices",
    .summary = "Updates prices by field mask, one call after the other.",
    .example = "vitrine-load prices --target 127.0.0.1:7400 --items 100000 --updates 1000000",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
};

int load_prices(int argc, char **argv)
{
    struct prices_options options = {0};
    struct vt_options parsed = {0};
    struct vt_diag diag = {0};
    bool help = false;
    int exit_status = LOAD_EXIT_USAGE;
    struct vt_err err = vt_options_parse(&spec, argc, argv, &options, &parsed, &help, &diag);
    if (!vt_failed(err)) {
        err = help ? vt_ok() : run(&options, &diag);
        exit_status = vt_failed(err) ? LOAD_EXIT_FAILED : LOAD_EXIT_DONE;
    }
    if (vt_failed(err))
        fprintf(stderr, "%s: %s%s%s\n", spec.command, err.what, diag.text[0] != '\0' ? ": " : "",
                diag.text);
    vt_options_fini(&parsed);
    return exit_status;
}
