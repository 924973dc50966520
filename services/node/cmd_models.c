/*
 * `vitrine models`: the versions of a data folder, straight on disk. A running server follows
 * CURRENT within two seconds, so the same commands work beside it and without it.
 */
#include "models/bundle/bundle.h"
#include "models/report/report.h"
#include "services/common/base/file.h"
#include "services/common/base/options.h"
#include "services/common/base/table.h"
#include "services/common/base/time_text.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/models_export.h"
#include "services/node/models_import.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct models_options {
    const char *data_dir, *out;
    const char *factors_path, *items_path, *train_path;
    double regularization, regularization_exponent, unobserved_weight;
    bool activate, json;
};

#define AT(field_) offsetof(struct models_options, field_)
static const struct vt_option option_table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = AT(data_dir),
     .argument = "DIR",
     .help = "the data folder",
     .required = true,
     .flag_only = true},
    {.name = "out",
     .kind = VT_OPTION_TEXT,
     .offset = AT(out),
     .argument = "PATH",
     .help =
         "of export: the folder for .npy and .npz; of report: the page, default standard output",
     .flag_only = true},
    {.name = "item-factors",
     .kind = VT_OPTION_TEXT,
     .offset = AT(factors_path),
     .argument = "FILE.npy",
     .help = "of import: float32 or float64, items × dimensions",
     .flag_only = true},
    {.name = "items",
     .kind = VT_OPTION_TEXT,
     .offset = AT(items_path),
     .argument = "FILE",
     .help = "of import: the SKU of each row, one a line, or # and the item number",
     .flag_only = true},
    {.name = "train",
     .kind = VT_OPTION_TEXT,
     .offset = AT(train_path),
     .argument = "FILE",
     .help = "of import: an adjacency file instead of the folder's events, for popularity",
     .flag_only = true},
    {.name = "regularization",
     .kind = VT_OPTION_F64,
     .offset = AT(regularization),
     .argument = "X",
     .help = "of import: how strongly a customer's vector is held at 0",
     .fallback = "0.01",
     .min = 0,
     .max = 1000000,
     .flag_only = true},
    {.name = "regularization-exponent",
     .kind = VT_OPTION_F64,
     .offset = AT(regularization_exponent),
     .argument = "X",
     .help = "of import: 1 scales it by the customer's events, 0 does not",
     .fallback = "1",
     .min = 0,
     .max = 2,
     .flag_only = true},
    {.name = "unobserved-weight",
     .kind = VT_OPTION_F64,
     .offset = AT(unobserved_weight),
     .argument = "X",
     .help = "of import: of what a customer did not touch; 0: 5 × the density",
     .fallback = "0",
     .min = 0,
     .max = 1,
     .flag_only = true},
    {.name = "activate",
     .kind = VT_OPTION_BOOL,
     .offset = AT(activate),
     .help = "of import: let it serve at once",
     .flag_only = true},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine models",
    .summary =
        "list, show, switch, verify, report, export and import the model versions of a folder",
    .example = "vitrine models list --data DIR",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
    .positional = "list|show V|activate V|rollback|verify V|report V|export V|import",
    .max_positional = 2,
};

/* One call of the command, after parsing. */
struct models_call {
    const struct models_options *options;
    const char *version; /* NULL for list and rollback */
    char current[VT_VERSION_BYTES_MAX];
};

/* ---- printing ---- */

static double metric(const struct vt_bundle_view *view, const char *name)
{
    for (uint32_t i = 0; i < view->n_metrics; i++)
        if (strcmp(view->metrics[i].name, name) == 0)
            return view->metrics[i].value;
    return -1;
}

static bool is_active(const struct models_call *call, const char *version)
{
    return strcmp(version, call->current) == 0;
}

static json_t *version_json(const struct models_call *call, const struct vt_bundle_view *view)
{
    char created[VT_TIME_TEXT_BYTES];
    json_t *metrics = json_object(), *parameters = json_object();
    vt_time_print(view->create_time_ms, created);
    for (uint32_t i = 0; i < view->n_metrics; i++)
        json_object_set_new(metrics, view->metrics[i].name, json_real(view->metrics[i].value));
    for (uint32_t i = 0; i < view->n_parameters; i++)
        json_object_set_new(parameters, view->parameters[i].name,
                            json_string(view->parameters[i].value));
    return json_pack(
        "{s:s, s:s, s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:o, s:o}", "version", view->version,
        "parent", view->parent, "active", (int)is_active(call, view->version), "algorithm",
        view->algorithm, "createTime", created, "users", (json_int_t)view->n_users, "items",
        (json_int_t)view->n_items, "interactions", (json_int_t)view->n_interactions, "factors",
        (json_int_t)view->dim, "blas", view->blas, "metrics", metrics, "parameters", parameters);
}

static void put_metric(struct vt_table *table, const struct vt_bundle_view *view, const char *name)
{
    double value = metric(view, name);
    if (value >= 0)
        vt_table_cellf(table, "%.4f", value);
    else
        vt_table_cell(table, vt_slice_str("-"));
}

static void put_version(struct vt_table *table, const struct models_call *call,
                        const struct vt_bundle_view *view)
{
    vt_table_cell(table, vt_slice_str(is_active(call, view->version) ? "*" : ""));
    vt_table_cell(table, vt_slice_str(view->version));
    vt_table_cell(table, vt_slice_str(view->algorithm));
    vt_table_cellf(table, "%" PRIu64, view->n_users);
    vt_table_cellf(table, "%" PRIu32, view->n_items);
    vt_table_cellf(table, "%" PRIu64, view->n_interactions);
    put_metric(table, view, "recall");
    put_metric(table, view, "ndcg");
}

static void print_page(const struct models_call *call, const struct vt_bundle_view *view)
{
    char created[VT_TIME_TEXT_BYTES];
    vt_time_print(view->create_time_ms, created);
    printf("version       %s%s\n", view->version,
           is_active(call, view->version) ? "   (active)" : "");
    printf("parent        %s\ncreated       %s\nalgorithm     %s, %" PRIu32 " factors\n",
           view->parent[0] != '\0' ? view->parent : "-", created, view->algorithm, view->dim);
    printf("trained on    %" PRIu64 " customers, %" PRIu32 " items, %" PRIu64 " interactions\n",
           view->n_users, view->n_items, view->n_interactions);
    printf("numbers by    %s\n\n", view->blas);
    for (uint32_t i = 0; i < view->n_metrics; i++)
        printf("  %-24s %.4f\n", view->metrics[i].name, view->metrics[i].value);
    putchar('\n');
    for (uint32_t i = 0; i < view->n_parameters; i++)
        printf("  %-24s %s\n", view->parameters[i].name, view->parameters[i].value);
}

/* ---- the actions ---- */

/* Versions on their way out, in one form or the other. */
struct listing {
    const struct models_call *call;
    struct vt_table *table; /* of the whole ones */
    json_t *versions;       /* of all */
};

static void list_damaged(struct listing *listing, const char *version, const struct vt_diag *diag)
{
    if (listing->call->options->json)
        json_array_append_new(listing->versions,
                              json_pack("{s:s, s:s}", "version", version, "damage", diag->text));
    else
        printf("%s is damaged: %s\n", version, diag->text);
}

static void list_one(struct listing *listing, const char *version)
{
    const struct models_call *call = listing->call;
    struct vt_diag diag = {0};
    struct vt_bundle *bundle;
    struct vt_err err = vt_bundle_open(call->options->data_dir, version, false, &diag, &bundle);
    if (vt_failed(err)) {
        list_damaged(listing, version, &diag);
        return;
    }
    if (call->options->json)
        json_array_append_new(listing->versions, version_json(call, vt_bundle_view(bundle)));
    else
        put_version(listing->table, call, vt_bundle_view(bundle));
    vt_bundle_release(bundle);
}

static struct vt_err print_listing(const struct listing *listing, uint32_t n)
{
    const struct models_call *call = listing->call;
    if (call->options->json)
        return vt_command_print_json(
            json_pack("{s:s, s:O}", "current", call->current, "versions", listing->versions));
    if (n > 0)
        vt_table_print(listing->table, stdout);
    else
        puts("no model yet: vitrine train --data DIR makes one");
    return vt_ok();
}

static struct vt_err do_list(const struct models_call *call, struct vt_diag *diag)
{
    static const char *const heads[] = {"",       "version",       "algorithm", ">customers",
                                        ">items", ">interactions", ">recall",   ">ndcg"};
    char(*versions)[VT_VERSION_BYTES_MAX];
    uint32_t n;
    (void)diag;
    VT_TRY(vt_bundle_list(call->options->data_dir, &versions, &n));
    struct listing listing = {
        .call = call,
        .table = vt_table_new(heads, sizeof heads / sizeof heads[0]),
        .versions = json_array(),
    };
    for (uint32_t i = 0; i < n; i++)
        list_one(&listing, versions[i]);
    struct vt_err err = print_listing(&listing, n);
    vt_table_free(listing.table);
    json_decref(listing.versions);
    free(versions);
    return err;
}

static struct vt_err show(const struct models_call *call, const char *version, bool verify,
                          struct vt_diag *diag)
{
    struct vt_bundle *bundle;
    VT_TRY(vt_bundle_open(call->options->data_dir, version, verify, diag, &bundle));
    struct vt_err err = vt_ok();
    if (call->options->json)
        err = vt_command_print_json(version_json(call, vt_bundle_view(bundle)));
    else if (verify)
        printf("%s is whole: every sha256, shape and number\n", version);
    else
        print_page(call, vt_bundle_view(bundle));
    vt_bundle_release(bundle);
    return err;
}

static struct vt_err do_show(const struct models_call *call, struct vt_diag *diag)
{
    return show(call, call->version, false, diag);
}

static struct vt_err do_verify(const struct models_call *call, struct vt_diag *diag)
{
    return show(call, call->version, true, diag);
}

static struct vt_err switch_to(const struct models_call *call, const char *version,
                               struct vt_diag *diag)
{
    VT_TRY(vt_bundle_publish(call->options->data_dir, version, diag));
    if (call->options->json)
        return vt_command_print_json(
            json_pack("{s:s, s:s}", "current", version, "previous", call->current));
    printf("%s serves now; before it was %s\n", version,
           call->current[0] != '\0' ? call->current : "nothing");
    return vt_ok();
}

static struct vt_err do_activate(const struct models_call *call, struct vt_diag *diag)
{
    return switch_to(call, call->version, diag);
}

static struct vt_err do_rollback(const struct models_call *call, struct vt_diag *diag)
{
    char version[VT_VERSION_BYTES_MAX];
    struct vt_err err = vt_bundle_previous(call->options->data_dir, diag, version);
    if (err.code == VT_NOT_FOUND) {
        vt_diag_set(diag, "", "no version served before this one: nothing to go back to");
        return VT_ERR(VT_PRECONDITION, "there is no previous version");
    }
    VT_TRY(err);
    return switch_to(call, version, diag);
}

static struct vt_err do_export(const struct models_call *call, struct vt_diag *diag)
{
    const char *out = call->options->out;
    if (out == NULL) {
        vt_diag_set(diag, "out", "export needs --out DIR");
        return VT_ERR(VT_INVALID, "export needs --out DIR");
    }
    VT_TRY(vt_models_export(call->options->data_dir, call->version, out, diag));
    if (call->options->json)
        return vt_command_print_json(json_pack("{s:s}", "version", call->version));
    printf("%s is in %s; numpy.load reads .npy, scipy.sparse.load_npz reads .npz\n", call->version,
           out);
    return vt_ok();
}

static struct vt_err do_import(const struct models_call *call, struct vt_diag *diag)
{
    const struct models_options *options = call->options;
    const struct vt_models_import import = {
        .data_dir = options->data_dir,
        .factors_path = options->factors_path,
        .items_path = options->items_path,
        .train_path = options->train_path,
        .regularization = options->regularization,
        .regularization_exponent = options->regularization_exponent,
        .unobserved_weight = options->unobserved_weight,
        .activate = options->activate,
    };
    char version[VT_VERSION_BYTES_MAX];
    if (import.factors_path == NULL || import.items_path == NULL) {
        vt_diag_set(diag, "", "import needs --item-factors FILE.npy and --items FILE");
        return VT_ERR(VT_INVALID, "import needs --item-factors and --items");
    }
    struct vt_err err = vt_models_import(&import, diag, version);
    if (err.code == VT_INVALID)
        err.code = VT_PRECONDITION; /* the files are wrong, not how the command was called */
    VT_TRY(err);
    if (options->json)
        return vt_command_print_json(
            json_pack("{s:s, s:b}", "version", version, "active", (int)import.activate));
    printf("version %s %s\n", version,
           import.activate ? "serves now" : "is written; vitrine models activate lets it serve");
    return vt_ok();
}

static struct vt_err put_page(const struct models_call *call, struct vt_slice page,
                              struct vt_diag *diag)
{
    const char *out = call->options->out;
    if (out == NULL)
        return fwrite(page.data, 1, page.len, stdout) == page.len && fflush(stdout) == 0
                   ? vt_ok()
                   : VT_ERR(VT_UNAVAILABLE, "cannot write the page to standard output");
    VT_TRY(vt_file_write_atomic(out, page, diag));
    if (call->options->json)
        return vt_command_print_json(
            json_pack("{s:s, s:s}", "version", call->version, "report", out));
    printf("%s is described in %s\n", call->version, out);
    return vt_ok();
}

/* A version of an earlier release has no page of its own: it is made of what the version says. */
static struct vt_err do_report(const struct models_call *call, struct vt_diag *diag)
{
    struct vt_bundle *bundle;
    char *made = NULL;
    VT_CHECK(call->options->out != NULL || !call->options->json, VT_INVALID,
             "report --json needs --out FILE.html");
    VT_TRY(vt_bundle_open(call->options->data_dir, call->version, true, diag, &bundle));
    struct vt_slice page = vt_bundle_view(bundle)->report;
    struct vt_err err = vt_ok();
    if (page.len == 0)
        err = vt_report_page(vt_bundle_view(bundle), NULL, &made, &page.len);
    if (made != NULL)
        page.data = made;
    if (!vt_failed(err))
        err = put_page(call, page, diag);
    free(made);
    vt_bundle_release(bundle);
    return err;
}

static const struct {
    const char *name;
    bool wants_version;
    struct vt_err (*run)(const struct models_call *call, struct vt_diag *diag);
} actions[] = {
    {"list", false, do_list},         {"show", true, do_show},      {"activate", true, do_activate},
    {"rollback", false, do_rollback}, {"verify", true, do_verify},  {"export", true, do_export},
    {"report", true, do_report},      {"import", false, do_import},
};
enum { N_ACTIONS = sizeof actions / sizeof actions[0] };

static int wrong_usage(const char *text)
{
    return vt_command_refuse(options_spec.command, VT_ERR(VT_INVALID, text), NULL);
}

static int run_action(size_t action, struct models_call *call)
{
    struct vt_diag diag = {0};
    struct vt_err err = vt_bundle_current(call->options->data_dir, &diag, call->current);
    if (err.code == VT_NOT_FOUND || err.code == VT_CORRUPT) /* activate mends a damaged CURRENT */
        call->current[0] = '\0';
    vt_diag_clear(&diag);
    err = actions[action].run(call, &diag);
    if (!vt_failed(err))
        return VT_EXIT_DONE;
    return err.code == VT_INVALID ? vt_command_refuse(options_spec.command, err, &diag)
                                  : vt_command_fail(options_spec.command, err, &diag);
}

static int run_models(void *target, const struct vt_options *options)
{
    struct models_call call = {.options = target};
    const char *name = options->n_positional > 0 ? options->positional[0] : "list";
    for (size_t i = 0; i < N_ACTIONS; i++) {
        if (strcmp(actions[i].name, name) != 0)
            continue;
        size_t wanted = actions[i].wants_version ? 2 : 1;
        if (options->n_positional > wanted)
            return wrong_usage("too many arguments");
        if (actions[i].wants_version && options->n_positional < 2)
            return wrong_usage("which version? see vitrine models list");
        call.version = actions[i].wants_version ? options->positional[1] : NULL;
        return run_action(i, &call);
    }
    return wrong_usage("the first argument is list, show, activate, rollback, verify, "
                       "report, export or import");
}

int vt_cmd_models(int argc, char **argv)
{
    struct models_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_models);
}
