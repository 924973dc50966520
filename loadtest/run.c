/* From a command's options to a load that is ready: whom it asks about, what, where, how often. */
#include "loadtest/run.h"

#include "services/common/base/clock.h"
#include "services/common/rpc/client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double RATE_MAX = 1e7;

struct vt_err run_parse_rate(const char *text, double *ret_rate)
{
    char *end = NULL;
    if (strcmp(text, "max") == 0) {
        *ret_rate = 0;
        return vt_ok();
    }
    double rate = strtod(text, &end);
    VT_CHECK(end != text && *end == '\0' && isfinite(rate) && rate > 0 && rate <= RATE_MAX,
             VT_INVALID, "--rate is calls a second, or max");
    *ret_rate = rate;
    return vt_ok();
}

/* ---- customers and items ---- */

/* True when the text is a number; 0 and what is too large are left to the limits. */
static bool is_count(const char *text, size_t *ret_n)
{
    char *end = NULL;
    unsigned long n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0')
        return false;
    *ret_n = n;
    return true;
}

static struct vt_err load_customers(const char *text, struct vt_diag *diag, struct id_list *list)
{
    size_t n = 0;
    if (!is_count(text, &n))
        return ids_from_file(text, diag, list);
    VT_CHECK(n >= 1 && n <= IDS_MAX, VT_INVALID,
             "--customers is 1 to 1000000, or a file with an id a line");
    return ids_numbered(n, list);
}

static struct vt_err ask_catalog(const struct run_options *options, struct vt_rpc_tls *tls,
                                 size_t n, struct vt_diag *diag, struct id_list *list)
{
    struct vt_rpc_channel *channel = NULL;
    const struct vt_rpc_channel_options where = {
        .target = options->catalog != NULL ? options->catalog : options->target,
        .tls = tls,
        .server_name = options->tls.server_name};
    VT_TRY(vt_rpc_channel_open(&where, &channel));
    struct vt_err err = ids_ask_catalog(channel, n, diag, list);
    vt_rpc_channel_free(channel);
    if (vt_failed(err) && diag->field[0] == '\0') {
        struct vt_diag said = *diag;
        vt_diag_set(diag, "skus",
                    "%s lists no catalog (%s): name who does with --catalog ADDR, or give "
                    "--skus FILE",
                    where.target, said.text);
    }
    return err;
}

static struct vt_err load_items(const struct run_options *options, struct run *run,
                                struct vt_diag *diag)
{
    size_t n = 0;
    if (!workload_needs_items(&run->workload))
        return vt_ok();
    if (!is_count(options->skus, &n))
        return ids_from_file(options->skus, diag, &run->workload.items);
    VT_CHECK(n >= 1 && n <= IDS_ASKED_MAX, VT_INVALID,
             "--skus is 1 to 100000, or a file with an id a line");
    return ask_catalog(options, run->tls, n, diag, &run->workload.items);
}

static struct vt_err fill_workload(const struct run_options *options, struct run *run,
                                   struct vt_diag *diag)
{
    struct workload *workload = &run->workload;
    workload->n = options->n;
    workload->rank_size = options->rank_size;
    workload->run_id = options->seed ^ (uint64_t)vt_clock_unix_ms(vt_clock_system()) << 20;
    VT_TRY(workload_parse_mix(options->mix, workload, diag));
    VT_TRY(load_customers(options->customers, diag, &workload->customers));
    VT_TRY(load_items(options, run, diag));
    zipf_init(&workload->customer_law, workload->customers.n, options->zipf);
    if (workload->items.n > 0)
        zipf_init(&workload->item_law, workload->items.n, options->zipf);
    return vt_ok();
}

/* ---- the generator's options ---- */

static struct vt_err add_metadata(const char *entry, struct run *run, struct vt_diag *diag)
{
    size_t n = run->generator.n_metadata;
    const char *equals = strchr(entry, '=');
    VT_CHECK(n < GENERATOR_METADATA_MAX, VT_EXHAUSTED, "at most 8 --metadata");
    if (equals == NULL || equals == entry || (size_t)(equals - entry) >= sizeof run->names[n]) {
        vt_diag_set(diag, "metadata", "'%s' is not NAME=VALUE", entry);
        return VT_ERR(VT_INVALID, "not metadata");
    }
    memcpy(run->names[n], entry, (size_t)(equals - entry));
    run->metadata[n] = (struct vt_rpc_metadata){run->names[n], vt_slice_str(equals + 1)};
    run->generator.n_metadata++;
    return vt_ok();
}

static struct vt_err fill_generator(const struct run_options *options, struct run *run,
                                    struct vt_diag *diag)
{
    uint32_t n_cores = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t threads = options->threads > 0 ? options->threads : n_cores;
    run->generator = (struct generator_options){
        .target = options->target,
        .tls = run->tls,
        .server_name = options->tls.server_name,
        .workload = &run->workload,
        .metadata = run->metadata,
        .poisson = strcmp(options->arrivals, "poisson") == 0,
        .warmup_ms = options->warmup_ms,
        .duration_ms = options->duration_ms,
        .timeout_ms = options->timeout_ms,
        .connections = options->connections,
        .threads = threads < options->connections ? threads : options->connections,
        .concurrency = options->concurrency,
        .max_outstanding = options->max_outstanding,
        .seed = options->seed,
    };
    if (options->batch)
        VT_TRY(add_metadata("vitrine-priority=batch", run, diag));
    for (size_t i = 0; i < options->metadata.n; i++)
        VT_TRY(add_metadata(options->metadata.items[i], run, diag));
    return vt_ok();
}

struct vt_err run_prepare(const struct run_options *options, struct vt_diag *diag, struct run *run)
{
    VT_TRY(vt_rpc_tls_from_flags(&options->tls, diag, &run->tls));
    VT_TRY(fill_workload(options, run, diag));
    return fill_generator(options, run, diag);
}

void run_fini(struct run *run)
{
    ids_fini(&run->workload.customers);
    ids_fini(&run->workload.items);
    vt_rpc_tls_free(run->tls);
}

void run_print_error(struct vt_err err, const struct vt_diag *diag)
{
    fprintf(stderr, "vitrine-load: %s%s%s%s%s\n", err.what, diag->text[0] != '\0' ? ": " : "",
            diag->field, diag->field[0] != '\0' ? ": " : "", diag->text);
}
