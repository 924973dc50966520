/*
 * `vitrine models`: the versions of a data folder, straight on disk. A running server follows
 * CURRENT within two seconds, so the same commands work beside it and without it.
 */
#include "models/bundle/bundle.h"
#include "models/bundle/npy.h"
#include "services/common/base/file.h"
#include "services/common/base/options.h"
#include "services/common/base/table.h"
#include "services/common/base/time_text.h"
#include "services/node/command.h"
#include "services/node/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

struct models_options {
    const char *data_dir, *out_dir;
    bool json;
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
     .offset = AT(out_dir),
     .argument = "DIR",
     .help = "of export: the folder for the .npy files",
     .flag_only = true},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine models",
    .summary = "list, show, activate, roll back, verify and export the model versions of a folder",
    .example = "vitrine models list --data DIR",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
    .positional = "list|show V|activate V|rollback|verify V|export V",
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

static struct vt_err export_array(const char *folder, const char *name,
                                  const struct vt_array *array, uint64_t row_stride,
                                  struct vt_diag *diag)
{
    char path[PATH_BYTES];
    if (array->values == NULL)
        return vt_ok();
    int n = snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    VT_CHECK(n > 0 && n < PATH_BYTES, VT_INVALID, "path of the folder is too long");
    return vt_npy_write(path, array, row_stride, diag);
}

static struct vt_err export_view(const char *folder, const struct vt_bundle_view *view,
                                 struct vt_diag *diag)
{
    const struct vt_csr *csr = &view->neighbors;
    uint64_t n_neighbors = csr->n_rows > 0 ? csr->starts[csr->n_rows] : 0;
    const struct {
        const char *name;
        struct vt_array array;
        uint64_t row_stride;
    } files[] = {
        {"item_numbers", {VT_ARRAY_U32, 1, view->n_items, 1, view->item_numbers, {0}}, 1},
        {"item_factors",
         {VT_ARRAY_F32, 2, view->n_items, view->dim, view->item_factors, {0}},
         view->factor_stride},
        {"gram", {VT_ARRAY_F64, 2, view->dim, view->dim, view->gram, {0}}, view->dim},
        {"neighbor_starts", {VT_ARRAY_U64, 1, (uint64_t)csr->n_rows + 1, 1, csr->starts, {0}}, 1},
        {"neighbor_columns", {VT_ARRAY_U32, 1, n_neighbors, 1, csr->columns, {0}}, 1},
        {"neighbor_values", {VT_ARRAY_F32, 1, n_neighbors, 1, csr->values, {0}}, 1},
        {"popularity", {VT_ARRAY_F32, 1, view->n_items, 1, view->popularity, {0}}, 1},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        VT_TRY(export_array(folder, files[i].name, &files[i].array, files[i].row_stride, diag));
    return vt_ok();
}

static struct vt_err copy_manifest(const struct models_call *call, struct vt_diag *diag)
{
    char from[PATH_BYTES], to[PATH_BYTES], *text;
    size_t len;
    int n = snprintf(from, sizeof from, "%s/bundles/%s/manifest.json", call->options->data_dir,
                     call->version);
    int m = snprintf(to, sizeof to, "%s/manifest.json", call->options->out_dir);
    VT_CHECK(n > 0 && n < PATH_BYTES && m > 0 && m < PATH_BYTES, VT_INVALID,
             "path of the folder is too long");
    VT_TRY(vt_file_read(from, (size_t)1 << 20, diag, &text, &len));
    struct vt_err err = vt_file_write_atomic(to, vt_slice(text, len), diag);
    free(text);
    return err;
}

static struct vt_err do_export(const struct models_call *call, struct vt_diag *diag)
{
    struct vt_bundle *bundle;
    if (call->options->out_dir == NULL) {
        vt_diag_set(diag, "out", "export needs --out DIR");
        return VT_ERR(VT_INVALID, "export needs --out DIR");
    }
    VT_TRY(vt_bundle_open(call->options->data_dir, call->version, true, diag, &bundle));
    struct vt_err err = vt_folder_create(call->options->out_dir, diag);
    if (!vt_failed(err))
        err = export_view(call->options->out_dir, vt_bundle_view(bundle), diag);
    if (!vt_failed(err))
        err = copy_manifest(call, diag);
    vt_bundle_release(bundle);
    VT_TRY(err);
    if (call->options->json)
        return vt_command_print_json(json_pack("{s:s}", "version", call->version));
    printf("%s is in %s; numpy.load reads the .npy files\n", call->version, call->options->out_dir);
    return vt_ok();
}

static const struct {
    const char *name;
    bool wants_version;
    struct vt_err (*run)(const struct models_call *call, struct vt_diag *diag);
} actions[] = {
    {"list", false, do_list},         {"show", true, do_show},     {"activate", true, do_activate},
    {"rollback", false, do_rollback}, {"verify", true, do_verify}, {"export", true, do_export},
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
    return wrong_usage("the first argument is list, show, activate, rollback, verify or export");
}

int vt_cmd_models(int argc, char **argv)
{
    struct models_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_models);
}
