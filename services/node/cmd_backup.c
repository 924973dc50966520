/*
 * `vitrine backup`: one more backup of a data folder, beside a running server or without one. The
 * server's part is a checkpoint, milliseconds of hard links; reading, hashing and copying happen
 * here, so that a slow backup disk never occupies a thread that serves (docs/adr/0061).
 */
#include "services/common/base/clock.h"
#include "services/common/base/options.h"
#include "services/common/base/progress.h"
#include "services/common/base/time_text.h"
#include "services/keep/collect.h"
#include "services/node/checkpoint.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/profile/profile.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct backup_options {
    const char *data_dir, *to;
    uint32_t keep;
    int64_t max_age_ms;
    bool json;
};

#define AT(field_) offsetof(struct backup_options, field_)
static const struct vt_option option_table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = AT(data_dir),
     .argument = "DIR",
     .help = "the data folder; its server may run",
     .required = true,
     .flag_only = true},
    {.name = "to",
     .kind = VT_OPTION_TEXT,
     .offset = AT(to),
     .argument = "DIR",
     .help = "the folder of backups, on another disk; made when it is missing",
     .required = true,
     .flag_only = true},
    {.name = "keep",
     .kind = VT_OPTION_U32,
     .offset = AT(keep),
     .argument = "N",
     .help = "how many stay, the newest; 0: as many as --max-age allows",
     .fallback = "0",
     .max = 100000,
     .flag_only = true},
    {.name = "max-age",
     .kind = VT_OPTION_DURATION,
     .offset = AT(max_age_ms),
     .argument = "TIME",
     .help = "older backups are removed: erased customers are gone from them by then; 0d: never",
     .fallback = "30d",
     .flag_only = true},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine backup",
    .summary = "Back a data folder up, while it serves; only what is new is copied.",
    .example = "vitrine backup --data data --to /mnt/backups/shop",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

/* At the top of a data folder, and no part of a backup: the store itself comes as a checkpoint, its
 * mark is made when it is restored, and what an import put aside is there to be imported again. */
static const char *const left_out[] = {"live",       "live.acked", "live.lock",
                                       "admin.sock", "review",     "rejects",
                                       "train.lock", "lost+found", NULL};

struct backup_run {
    const struct backup_options *options;
    struct vt_progress progress;
    struct vt_keep *keep;
    struct vt_keep_collect *collect;
    char store_id[VT_STORE_ID_HEX_BYTES];
    uint64_t sequence;
    struct vt_keep_manifest manifest;
    struct vt_keep_copied copied;
    uint32_t n_removed, n_kept;
    double seconds;
};

static void on_progress(void *ctx, uint64_t bytes)
{
    vt_progress_update(ctx, bytes);
}

/* A backup below the folder it is of would hold itself. */
static struct vt_err check_target(const struct backup_options *options, struct vt_diag *diag)
{
    char data[PATH_MAX], to[PATH_MAX];
    if (realpath(options->data_dir, data) == NULL) {
        vt_diag_set(diag, options->data_dir, "no such folder");
        return VT_ERR(VT_NOT_FOUND, "the data folder is missing");
    }
    VT_TRY(vt_folder_create(options->to, diag));
    VT_CHECK(realpath(options->to, to) != NULL, VT_UNAVAILABLE, "the folder of backups is gone");
    size_t len = strlen(data);
    if (strncmp(data, to, len) != 0 || (to[len] != '/' && to[len] != '\0'))
        return vt_ok();
    vt_diag_set(diag, "to", "%s is within the data folder: choose one outside, on another disk",
                options->to);
    return VT_ERR(VT_INVALID, "a backup within its own data folder");
}

/* ---- the live store ---- */

static struct vt_err read_identity(struct backup_run *run, const char *data_dir,
                                   struct vt_diag *diag)
{
    struct vt_profile_options options = {
        .data_dir = data_dir, .clock = vt_clock_system(), .read_only = true};
    struct vt_profile *profile;
    VT_TRY(vt_profile_open(&options, diag, &profile));
    run->sequence = vt_profile_sequence(profile);
    vt_profile_store_id(profile, run->store_id);
    vt_profile_close(profile);
    if (strspn(run->store_id, "0") < sizeof run->store_id - 1)
        return vt_ok();
    vt_diag_set(diag, run->options->data_dir,
                "is served by an earlier version: start the server anew with this one first");
    return VT_ERR(VT_PRECONDITION, "the store has no id yet");
}

static struct vt_err add_checkpoint(struct backup_run *run, const struct vt_checkpoint *checkpoint,
                                    struct vt_diag *diag)
{
    char live[VT_CHECKPOINT_PATH_BYTES + sizeof "/live"];
    VT_TRY(read_identity(run, checkpoint->data_dir, diag));
    VT_TRY(vt_keep_claim(run->keep, run->store_id, diag));
    snprintf(live, sizeof live, "%s/live", checkpoint->data_dir);
    return vt_keep_collect_add(run->collect, live, "live/", NULL, diag);
}

static struct vt_err add_live_store(struct backup_run *run, struct vt_diag *diag)
{
    struct vt_checkpoint checkpoint;
    VT_TRY(vt_checkpoint_take_any(run->options->data_dir, diag, &checkpoint));
    struct vt_err err = add_checkpoint(run, &checkpoint, diag);
    vt_checkpoint_drop(&checkpoint);
    return err;
}

/* ---- the backup ---- */

/* The store after the models: every item that a model knows is then in the store. */
static struct vt_err make_backup(struct backup_run *run, struct vt_diag *diag)
{
    int64_t now_ms = vt_clock_unix_ms(vt_clock_system());
    const struct vt_keep_progress progress = {on_progress, &run->progress};
    VT_TRY(vt_keep_collect_new(run->keep, &progress, diag, &run->collect));
    VT_TRY(vt_keep_collect_add(run->collect, run->options->data_dir, "", left_out, diag));
    VT_TRY(add_live_store(run, diag));
    return vt_keep_collect_commit(run->collect, run->sequence, now_ms, diag, &run->manifest,
                                  &run->copied);
}

static struct vt_err prune(struct backup_run *run, struct vt_diag *diag)
{
    const struct vt_keep_rule rule = {.now_ms = run->manifest.time_ms,
                                      .max_age_ms = run->options->max_age_ms,
                                      .n_max = run->options->keep};
    return vt_keep_prune(run->keep, &rule, diag, &run->n_removed, &run->n_kept);
}

/* A full disk gets back what the attempt took; after other failures it spares the next one work. */
static void clean_up(struct backup_run *run, struct vt_err err)
{
    if (err.code == VT_EXHAUSTED || err.code == VT_PRECONDITION)
        vt_err_ignore(vt_keep_prune(run->keep, &(struct vt_keep_rule){0}, NULL, &run->n_removed,
                                    &run->n_kept),
                      "the next backup tries again");
}

static struct vt_err run_all(struct backup_run *run, struct vt_diag *diag)
{
    int64_t started_ns = vt_clock_monotonic_ns(vt_clock_system());
    VT_TRY(check_target(run->options, diag));
    VT_TRY(vt_keep_open(run->options->to, VT_KEEP_WRITE, diag, &run->keep));
    vt_progress_begin(&run->progress, stderr, "backing up", "bytes", 0);
    struct vt_err err = make_backup(run, diag);
    if (vt_failed(err)) {
        clean_up(run, err);
        return err;
    }
    vt_progress_end(&run->progress, run->manifest.bytes);
    VT_TRY(prune(run, diag));
    run->seconds = (double)(vt_clock_monotonic_ns(vt_clock_system()) - started_ns) / 1e9;
    return vt_ok();
}

static struct vt_err print_json(const struct backup_run *run)
{
    const struct vt_keep_manifest *manifest = &run->manifest;
    char time[VT_TIME_TEXT_BYTES];
    vt_time_print(manifest->time_ms, time);
    return vt_command_print_json(json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "id", manifest->id, "store",
        manifest->store_id, "time", time, "sequence", (json_int_t)manifest->sequence, "files",
        (json_int_t)manifest->n_files, "bytes", (json_int_t)manifest->bytes, "copied_files",
        (json_int_t)run->copied.files, "copied_bytes", (json_int_t)run->copied.bytes, "kept",
        (json_int_t)run->n_kept, "removed", (json_int_t)run->n_removed, "seconds", run->seconds));
}

static struct vt_err print_text(const struct backup_run *run)
{
    const struct vt_keep_manifest *manifest = &run->manifest;
    printf("backup %s holds %s up to sequence %" PRIu64 "\n", manifest->id, run->options->data_dir,
           manifest->sequence);
    printf("%zu files, %.1f MiB; %" PRIu64 " of them new, %.1f MiB, in %.1f s\n", manifest->n_files,
           (double)manifest->bytes / (1 << 20), run->copied.files,
           (double)run->copied.bytes / (1 << 20), run->seconds);
    printf("%u backups in %s, %u old ones removed\n", run->n_kept, run->options->to,
           run->n_removed);
    return vt_ok();
}

static int run_backup(void *target, const struct vt_options *options)
{
    struct backup_run run = {.options = target};
    struct vt_diag diag = {0};
    (void)options;
    struct vt_err err = run_all(&run, &diag);
    if (!vt_failed(err))
        err = run.options->json ? print_json(&run) : print_text(&run);
    vt_keep_collect_free(run.collect);
    vt_keep_manifest_fini(&run.manifest);
    vt_keep_close(run.keep);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, &diag) : VT_EXIT_DONE;
}

int vt_cmd_backup(int argc, char **argv)
{
    struct backup_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_backup);
}
