/*
 * `vitrine restore`: a backup back into a data folder, or with --list and --check a look at the
 * backups. What is restored is opened once, within its staging folder and before it is in place, so
 * that a backup that cannot be opened leaves the data folder empty, not half.
 */
#include "services/common/base/clock.h"
#include "services/common/base/options.h"
#include "services/common/base/progress.h"
#include "services/common/base/sha256.h"
#include "services/common/base/table.h"
#include "services/common/base/time_text.h"
#include "services/keep/restore.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/token_key.h"
#include "services/profile/audit.h"
#include "services/profile/erase.h"
#include "services/profile/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct restore_options {
    const char *data_dir, *from, *backup, *erasures;
    bool list, check, json;
};

#define AT(field_) offsetof(struct restore_options, field_)
static const struct vt_option option_table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = AT(data_dir),
     .argument = "DIR",
     .help = "the data folder to be: empty or missing",
     .flag_only = true},
    {.name = "from",
     .kind = VT_OPTION_TEXT,
     .offset = AT(from),
     .argument = "DIR",
     .help = "the folder of backups",
     .required = true,
     .flag_only = true},
    {.name = "backup",
     .kind = VT_OPTION_TEXT,
     .offset = AT(backup),
     .argument = "ID",
     .help = "which one; else the newest",
     .flag_only = true},
    {.name = "erasures",
     .kind = VT_OPTION_TEXT,
     .offset = AT(erasures),
     .argument = "FILE",
     .help = "the newest audit.log there is: who was erased since the backup is erased again; else "
             "an audit.log in DIR",
     .flag_only = true},
    {.name = "list",
     .kind = VT_OPTION_BOOL,
     .offset = AT(list),
     .help = "only list the backups",
     .flag_only = true},
    {.name = "check",
     .kind = VT_OPTION_BOOL,
     .offset = AT(check),
     .help = "only read every file of the backup and compare its sha256",
     .flag_only = true},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine restore",
    .summary = "Bring a backup back into an empty data folder.",
    .example = "vitrine restore --from /mnt/backups/shop --data data",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

/* No data: what a file system puts into its root, and the log that tells of erasures. */
static const char *const may_be_there[] = {"lost+found", "audit.log", NULL};

struct restore_run {
    const struct restore_options *options;
    struct vt_progress progress;
    struct vt_keep *keep;
    struct vt_keep_manifest manifest;
    struct vt_keep_target target;
    char audit_path[VT_KEEP_PATH_BYTES]; /* of the log to go by; empty: only the backup's own */
    uint64_t sequence, n_erased;
};

static void on_progress(void *ctx, uint64_t bytes)
{
    vt_progress_update(ctx, bytes);
}

/* ---- --list ---- */

static void add_row(struct vt_table *table, json_t *list, const struct vt_keep_manifest *manifest)
{
    char time[VT_TIME_TEXT_BYTES];
    vt_time_print(manifest->time_ms, time);
    vt_table_cell(table, vt_slice_str(manifest->id));
    vt_table_cell(table, vt_slice_str(time));
    vt_table_cellf(table, "%" PRIu64, manifest->sequence);
    vt_table_cellf(table, "%zu", manifest->n_files);
    vt_table_cellf(table, "%.1f", (double)manifest->bytes / (1 << 20));
    json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:I}", "id", manifest->id, "time",
                                          time, "sequence", (json_int_t)manifest->sequence, "files",
                                          (json_int_t)manifest->n_files, "bytes",
                                          (json_int_t)manifest->bytes));
}

static struct vt_err add_rows(const struct restore_run *run, struct vt_table *table, json_t *list,
                              struct vt_diag *diag)
{
    char(*ids)[VT_KEEP_ID_BYTES] = NULL;
    size_t n = 0;
    VT_TRY(vt_keep_list(run->keep, diag, &ids, &n));
    struct vt_err err = vt_ok();
    for (size_t i = 0; i < n && !vt_failed(err); i++) {
        struct vt_keep_manifest manifest = {0};
        err = vt_keep_load(run->keep, ids[i], diag, &manifest);
        if (!vt_failed(err))
            add_row(table, list, &manifest);
        vt_keep_manifest_fini(&manifest);
    }
    free(ids);
    return err;
}

static struct vt_err list_backups(struct restore_run *run, struct vt_diag *diag)
{
    static const char *const heads[] = {"backup", "made", ">sequence", ">files", ">MiB"};
    struct vt_table *table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
    json_t *list = json_array();
    struct vt_err err = add_rows(run, table, list, diag);
    if (!vt_failed(err) && run->options->json)
        err = vt_command_print_json(json_pack("{s:O}", "backups", list));
    else if (!vt_failed(err))
        vt_table_print(table, stdout);
    vt_table_free(table);
    json_decref(list);
    return err;
}

/* ---- which backup ---- */

static struct vt_err choose_backup(struct restore_run *run, struct vt_diag *diag)
{
    char(*ids)[VT_KEEP_ID_BYTES] = NULL;
    size_t n = 0;
    if (run->options->backup != NULL)
        return vt_keep_load(run->keep, run->options->backup, diag, &run->manifest);
    VT_TRY(vt_keep_list(run->keep, diag, &ids, &n));
    struct vt_err err = VT_ERR(VT_NOT_FOUND, "there is no whole backup yet");
    if (n != 0)
        err = vt_keep_load(run->keep, ids[0], diag, &run->manifest);
    free(ids);
    return err;
}

static struct vt_err bring_files(struct restore_run *run, const char *folder, struct vt_diag *diag)
{
    const struct vt_keep_progress progress = {on_progress, &run->progress};
    vt_progress_begin(&run->progress, stderr, folder != NULL ? "restoring" : "checking", "bytes",
                      run->manifest.bytes);
    VT_TRY(vt_keep_check(run->keep, &run->manifest, folder, &progress, diag));
    vt_progress_end(&run->progress, run->manifest.bytes);
    return vt_ok();
}

/* ---- the audit log ---- */

static struct vt_err find_audit_log(struct restore_run *run, struct vt_diag *diag)
{
    char own[VT_KEEP_PATH_BYTES];
    snprintf(own, sizeof own, "%s/audit.log", run->options->data_dir);
    bool has_own = access(own, F_OK) == 0;
    if (run->options->erasures == NULL) {
        snprintf(run->audit_path, sizeof run->audit_path, "%s", has_own ? own : "");
        return vt_ok();
    }
    snprintf(run->audit_path, sizeof run->audit_path, "%s", run->options->erasures);
    if (!has_own)
        return vt_ok();
    vt_diag_set(diag, "erasures", "%s is there too: move one of them away", own);
    return VT_ERR(VT_PRECONDITION, "two audit logs to go by");
}

/* The longer of two logs of one chain goes on: nothing that was audited is lost by a restore. */
static struct vt_err bring_audit_log(const struct restore_run *run, struct vt_diag *diag)
{
    char staged[VT_KEEP_PATH_BYTES + sizeof "/audit.log"], hex[VT_SHA256_HEX_BYTES];
    uint64_t n_newer = 0, n_staged = 0, bytes = 0;
    if (run->audit_path[0] == '\0')
        return vt_ok();
    snprintf(staged, sizeof staged, "%s/audit.log", run->target.staging);
    VT_TRY(vt_audit_read(run->audit_path, diag, NULL, NULL, &n_newer));
    struct vt_err err = vt_audit_read(staged, diag, NULL, NULL, &n_staged);
    if (vt_failed(err) && err.code != VT_NOT_FOUND)
        return err;
    vt_diag_clear(diag);
    if (n_newer < n_staged)
        return vt_ok();
    unlink(staged);
    return vt_file_copy(run->audit_path, staged, diag, &bytes, hex);
}

/* ---- into place ---- */

static struct vt_err check_opened(struct restore_run *run, struct vt_profile *profile,
                                  struct vt_diag *diag)
{
    char store_id[VT_STORE_ID_HEX_BYTES];
    run->sequence = vt_profile_sequence(profile);
    vt_profile_store_id(profile, store_id);
    if (run->sequence == run->manifest.sequence && strcmp(store_id, run->manifest.store_id) == 0)
        return vt_ok();
    vt_diag_set(diag, "backup", "says store %s at sequence %" PRIu64 ", holds %s at %" PRIu64,
                run->manifest.store_id, run->manifest.sequence, store_id, run->sequence);
    return VT_ERR(VT_CORRUPT, "the backup does not hold what its manifest says");
}

static struct vt_err erase_again(struct restore_run *run, struct vt_profile *profile,
                                 struct vt_diag *diag)
{
    if (run->audit_path[0] == '\0')
        return vt_ok();
    VT_TRY(vt_profile_reapply_erasures(profile, run->audit_path, run->manifest.time_ms, diag,
                                       &run->n_erased));
    run->sequence = vt_profile_sequence(profile);
    return vt_ok();
}

static struct vt_err try_opening(struct restore_run *run, struct vt_diag *diag)
{
    unsigned char key[VT_TOKEN_KEY_BYTES];
    struct vt_profile *profile;
    VT_TRY(vt_token_key_load(run->target.staging, diag, key));
    struct vt_profile_options options = {
        .data_dir = run->target.staging, .clock = vt_clock_system(), .audit_key = key};
    VT_TRY(vt_profile_set_acknowledged(run->target.staging, run->manifest.sequence, diag));
    VT_TRY(vt_profile_open(&options, diag, &profile));
    struct vt_err err = check_opened(run, profile, diag);
    if (!vt_failed(err))
        err = erase_again(run, profile, diag);
    vt_profile_close(profile);
    return err;
}

static struct vt_err prepare(struct restore_run *run, struct vt_diag *diag)
{
    VT_TRY(bring_files(run, run->target.staging, diag));
    VT_TRY(bring_audit_log(run, diag));
    return try_opening(run, diag);
}

static struct vt_err restore(struct restore_run *run, struct vt_diag *diag)
{
    VT_TRY(find_audit_log(run, diag));
    VT_TRY(vt_keep_target_begin(run->options->data_dir, may_be_there, diag, &run->target));
    struct vt_err err = prepare(run, diag);
    if (vt_failed(err)) {
        vt_keep_target_drop(&run->target);
        return err;
    }
    return vt_keep_target_finish(&run->target, "live", diag);
}

static void print_text(const struct restore_run *run, const char *time)
{
    const struct vt_keep_manifest *manifest = &run->manifest;
    if (run->options->check) {
        printf("backup %s of %s is whole: %zu files, %.1f MiB, sequence %" PRIu64 "\n",
               manifest->id, time, manifest->n_files, (double)manifest->bytes / (1 << 20),
               manifest->sequence);
        return;
    }
    printf("%s holds the backup %s of %s, up to sequence %" PRIu64 "\n", run->options->data_dir,
           manifest->id, time, run->sequence);
    if (run->audit_path[0] != '\0')
        printf("%" PRIu64 " customers were erased again, by %s\n", run->n_erased, run->audit_path);
    else
        printf("erasures after that time are not in it: with the audit.log of the lost folder, "
               "restore again with --erasures\n");
}

static struct vt_err print_done(const struct restore_run *run)
{
    const struct vt_keep_manifest *manifest = &run->manifest;
    char time[VT_TIME_TEXT_BYTES];
    vt_time_print(manifest->time_ms, time);
    if (!run->options->json) {
        print_text(run, time);
        return vt_ok();
    }
    bool check = run->options->check;
    return vt_command_print_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:I}", "id", manifest->id, "store",
        manifest->store_id, "time", time, "data", check ? "" : run->options->data_dir, "sequence",
        (json_int_t)(check ? manifest->sequence : run->sequence), "files",
        (json_int_t)manifest->n_files, "bytes", (json_int_t)manifest->bytes, "erasures_applied",
        run->audit_path[0] != '\0', "erased_again", (json_int_t)run->n_erased));
}

static struct vt_err run_all(struct restore_run *run, struct vt_diag *diag)
{
    VT_TRY(vt_keep_open(run->options->from, VT_KEEP_READ, diag, &run->keep));
    if (run->options->list)
        return list_backups(run, diag);
    VT_TRY(choose_backup(run, diag));
    VT_TRY(run->options->check ? bring_files(run, NULL, diag) : restore(run, diag));
    return print_done(run);
}

static int run_restore(void *target, const struct vt_options *options)
{
    struct restore_run *run = calloc(1, sizeof *run);
    struct vt_diag diag = {0};
    (void)options;
    if (run == NULL)
        return vt_command_fail(options_spec.command, VT_ERR(VT_EXHAUSTED, "out of memory"), NULL);
    run->options = target;
    bool looks = run->options->list || run->options->check;
    struct vt_err err = VT_ERR(VT_INVALID, "restore needs --data DIR, --list or --check");
    if (looks == (run->options->data_dir == NULL))
        err = run_all(run, &diag);
    vt_keep_manifest_fini(&run->manifest);
    vt_keep_close(run->keep);
    free(run);
    if (err.code == VT_INVALID)
        return vt_command_refuse(options_spec.command, err, &diag);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, &diag) : VT_EXIT_DONE;
}

int vt_cmd_restore(int argc, char **argv)
{
    struct restore_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_restore);
}
