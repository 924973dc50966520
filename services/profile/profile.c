/*
 * Opening, closing, and what concerns the whole store. Opening reads back what the writer keeps in
 * memory: the numbering, every SKU, the counts, the newest changes; customers and histories stay on
 * disk. Before anything is served the sequence on disk is held against the mark of what was
 * acknowledged (acked.h): a store that came back with less is refused, not served.
 */
#include "services/profile/profile.h"

#include "services/common/base/file.h"
#include "services/common/base/log.h"
#include "services/profile/acked.h"
#include "services/profile/ageing.h"
#include "services/profile/audit.h"
#include "services/profile/chores.h"
#include "services/profile/erase.h"
#include "services/profile/history.h"
#include "services/profile/log_tail.h"
#include "services/profile/memory.h"
#include "services/profile/noise.h"
#include "services/profile/profile_internal.h"
#include "services/profile/watchers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define DAMAGE_TOLD_EVERY_NS (INT64_C(60) * 1000 * 1000 * 1000)
static const int64_t ERASE_WITHIN_DEFAULT_MS = INT64_C(24) * 3600 * 1000;
static const int64_t IDEMPOTENCY_WINDOW_DEFAULT_MS = INT64_C(14) * 24 * 3600 * 1000;

static const char *const family_names[VT__FAMILY_COUNT] = {
    [VT__STATE] = "state",
    [VT__NAMES] = "names",
    [VT__IDENTITY] = "identity",
    [VT__PROFILE] = "profile",
    [VT__HISTORY] = "history",
    [VT__CUSTOMER_IDS] = "customer_ids",
    [VT__CUSTOMER_EVENTS] = "customer_events",
    [VT__ALIAS] = "alias",
    [VT__EVENTS] = "events",
    [VT__SEEN] = "seen",
    [VT__ITEM_IDS] = "item_ids",
    [VT__ITEMS] = "items",
    [VT__CHANGES] = "changes",
    [VT__COUNTERS] = "counters",
    [VT__ERASED] = "erased",
};

/* ---- options and families ---- */

static bool seen_expired(const void *state, struct vt_slice key, struct vt_slice value)
{
    (void)key;
    const struct vt_profile *profile = state;
    struct vt__seen seen;
    if (vt_failed(vt__seen_decode(value, &seen)))
        return false; /* damage is for readers to report, not for a compaction to hide */
    return seen.time_ms < vt_clock_unix_ms(profile->clock) - profile->idempotency_window_ms;
}

static void set_families(struct vt_profile *profile)
{
    profile->merges[0] =
        (struct vt_store_merge){"vitrine.history.1", &profile->history_max, vt__history_fold};
    profile->merges[1] = (struct vt_store_merge){"vitrine.sum.1", NULL, vt__counter_fold};
    profile->merges[2] = (struct vt_store_merge){"vitrine.blocks.1", NULL, vt__block_list_fold};
    profile->seen_expiry = (struct vt_store_expiry){"vitrine.seen.1", profile, seen_expired};
    profile->customer_days_expiry =
        (struct vt_store_expiry){"vitrine.customer_days.1", profile, vt__customer_day_expired};
    for (unsigned i = 0; i < VT__FAMILY_COUNT; i++)
        profile->families[i].name = family_names[i];
    profile->families[VT__HISTORY].merge = &profile->merges[0];
    profile->families[VT__COUNTERS].merge = &profile->merges[1];
    profile->families[VT__CUSTOMER_EVENTS].merge = &profile->merges[2];
    profile->families[VT__CUSTOMER_EVENTS].expiry = &profile->customer_days_expiry;
    profile->families[VT__SEEN].expiry = &profile->seen_expiry;
    profile->families[VT__SEEN].random_bytes = true;
    profile->families[VT__IDENTITY].personal_keys = true;
    profile->families[VT__CUSTOMER_IDS].personal_keys = true;
}

static void set_metrics(struct vt_profile *profile, struct vt_metrics *metrics)
{
    static const double sizes[] = {1, 10, 100, 1000, 4000, 16384};
    static const double seconds[] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1};
    const char *name = "vitrine_events_total", *help = "Events judged, by outcome.";
    profile->n_accepted = vt_metrics_counter(metrics, name, help, "outcome=\"accepted\"");
    profile->n_duplicate = vt_metrics_counter(metrics, name, help, "outcome=\"duplicate\"");
    profile->n_rejected = vt_metrics_counter(metrics, name, help, "outcome=\"rejected\"");
    profile->n_fsyncs = vt_metrics_counter(metrics, "vitrine_store_commits_total",
                                           "Write batches made durable, one fsync each.", "");
    profile->n_damaged = vt_metrics_counter(metrics, "vitrine_store_damage_total",
                                            "Reads that met damaged bytes; none was served.", "");
    name = "vitrine_writer_queue_full_total";
    help = "Writes that found the queue full: refused, or waiting in a stream.";
    profile->n_full_refused = vt_metrics_counter(metrics, name, help, "outcome=\"refused\"");
    profile->n_full_waited = vt_metrics_counter(metrics, name, help, "outcome=\"waited\"");
    profile->queue_gauge = vt_metrics_gauge(metrics, "vitrine_writer_queue_entries",
                                            "Events and entries waiting for the writer.", "");
    profile->group_size = vt_metrics_histogram(metrics, "vitrine_writer_group_entries",
                                               "Events and entries that shared a commit.", "",
                                               sizes, sizeof sizes / sizeof sizes[0]);
    profile->fsync_seconds = vt_metrics_histogram(metrics, "vitrine_store_commit_seconds",
                                                  "Time of writing and syncing a batch.", "",
                                                  seconds, sizeof seconds / sizeof seconds[0]);
}

/* A block that is often asked for would fill the log: a file is told once in a while. */
static bool is_told_already(struct vt_profile *profile, const struct vt_store_damage *damage)
{
    uint64_t file = XXH3_64bits(damage->file, strlen(damage->file));
    uint64_t period = (uint64_t)(vt_clock_monotonic_ns(profile->clock) / DAMAGE_TOLD_EVERY_NS);
    uint64_t told = file ^ (period + 1);
    return atomic_exchange_explicit(&profile->damage_told, told, memory_order_relaxed) == told;
}

static void on_damage(void *ctx, const struct vt_store_damage *damage)
{
    struct vt_profile *profile = ctx;
    vt_counter_add(profile->n_damaged, 1);
    if (is_told_already(profile, damage))
        return;
    vt_log(VT_LOG_ERROR, "store_damaged", VT_F_STR("file", damage->file),
           VT_F_STR("family", damage->family), VT_F_STR("first_key", damage->first_key),
           VT_F_STR("last_key", damage->last_key), VT_F_STR("detail", damage->text));
}

static struct vt_err set_options(struct vt_profile *profile,
                                 const struct vt_profile_options *options, struct vt_diag *diag)
{
    profile->clock = options->clock != NULL ? options->clock : vt_clock_system();
    profile->history_max = options->history_max != 0 ? options->history_max : VT_HISTORY_MAX;
    profile->queue_events_max =
        options->queue_events_max != 0 ? options->queue_events_max : VT__QUEUE_EVENTS_DEFAULT;
    profile->idempotency_window_ms = options->idempotency_window_ms != 0
                                         ? options->idempotency_window_ms
                                         : IDEMPOTENCY_WINDOW_DEFAULT_MS;
    profile->erase_within_ms =
        options->erase_within_ms != 0 ? options->erase_within_ms : ERASE_WITHIN_DEFAULT_MS;
    profile->consent_default = options->consent_default;
    profile->read_only = options->read_only;
    if (profile->history_max > VT__HISTORY_LIMIT) {
        vt_diag_set(diag, "history-max", "%u events: at most %d", profile->history_max,
                    VT__HISTORY_LIMIT);
        return VT_ERR(VT_INVALID, "the history is too long");
    }
    return vt_ok();
}

/* ---- opening ---- */

/* A restore puts the store in place last: until then an opening must not make an empty one. */
static struct vt_err check_restored(const char *data_dir, struct vt_diag *diag)
{
    char path[VT__PATH_BYTES];
    snprintf(path, sizeof path, "%s/live", data_dir);
    if (access(path, F_OK) == 0)
        return vt_ok();
    snprintf(path, sizeof path, "%s/.restore", data_dir);
    if (access(path, F_OK) != 0)
        return vt_ok();
    vt_diag_set(diag, data_dir, "a restore was interrupted here: run `vitrine restore` again");
    return VT_ERR(VT_PRECONDITION, "the data folder is not restored yet");
}

static struct vt_err check_acknowledged(struct vt_profile *profile, const char *data_dir,
                                        struct vt_diag *diag)
{
    char path[VT__PATH_BYTES];
    uint64_t acked = 0;
    vt__acked_path(data_dir, path);
    VT_TRY(vt__acked_open(path, diag, &profile->acked_fd, &acked));
    if (acked <= profile->state.sequence)
        return vt_ok();
    vt_diag_set(diag, path,
                "acknowledged up to sequence %llu, but the store ends at %llu: %llu are lost. "
                "Restore from a backup; removing this file accepts the loss",
                (unsigned long long)acked, (unsigned long long)profile->state.sequence,
                (unsigned long long)(acked - profile->state.sequence));
    return VT_ERR(VT_CORRUPT, "the store lost what it had acknowledged");
}

static struct vt_err open_audit(struct vt_profile *profile,
                                const struct vt_profile_options *options, struct vt_diag *diag)
{
    char path[VT__PATH_BYTES];
    if (options->audit_key == NULL)
        return vt_ok();
    memcpy(profile->audit_key, options->audit_key, sizeof profile->audit_key);
    snprintf(path, sizeof path, "%s/audit.log", options->data_dir);
    return vt_audit_open(path, diag, &profile->audit);
}

static struct vt_err start_writing(struct vt_profile *profile, struct vt_metrics *metrics,
                                   struct vt_diag *diag)
{
    VT_TRY(vt__layout_upgrade(profile, diag));
    VT_TRY(vt__memory_load(profile, diag));
    VT_TRY(vt_store_batch_new(profile->store, &profile->batch));
    VT_TRY(vt__group_new(&profile->group));
    VT_TRY(vt__seen_filter_new(profile, metrics, diag, &profile->seen));
    VT_CHECK(vt_arena_init_owned(&profile->arena, VT__WRITER_ARENA_BYTES), VT_EXHAUSTED,
             "out of memory");
    VT_TRY(vt__writer_start(profile));
    return vt__chores_start(profile, &profile->chores);
}

static struct vt_err open_into(struct vt_profile *profile, const struct vt_profile_options *options,
                               struct vt_diag *diag)
{
    char path[VT__PATH_BYTES], acked_path[VT__PATH_BYTES];
    VT_CHECK(options->data_dir != NULL, VT_INVALID, "a store needs a data folder");
    VT_TRY(set_options(profile, options, diag));
    VT_TRY(vt__ageing_new(profile, options, &profile->ageing));
    set_families(profile);
    set_metrics(profile, options->metrics);
    if (snprintf(path, sizeof path, "%s/live", options->data_dir) >= (int)sizeof path - 16)
        return VT_ERR(VT_INVALID, "the path of the data folder is too long");
    VT_TRY(check_restored(options->data_dir, diag));
    vt__acked_path(options->data_dir, acked_path);
    VT_TRY(vt__open_store(profile,
                          &(struct vt_store_options){.path = path,
                                                     .families = profile->families,
                                                     .n_families = VT__FAMILY_COUNT,
                                                     .create = options->create,
                                                     .read_only = options->read_only,
                                                     .on_damage = on_damage,
                                                     .damage_ctx = profile},
                          acked_path, diag));
    VT_TRY(vt__layout_read(profile, diag));
    VT_TRY(vt__state_load(profile, diag));
    if (!options->read_only)
        VT_TRY(check_acknowledged(profile, options->data_dir, diag));
    if (!options->read_only)
        VT_TRY(open_audit(profile, options, diag));
    if (!options->read_only)
        VT_TRY(vt__noise_new(options->visitor_events_per_hour, options->metrics, &profile->noise));
    VT_TRY(vt__retention_open(profile, diag));
    VT_TRY(vt__feed_open(profile, diag));
    VT_TRY(vt__watchers_new(options->watch_stall_ms, options->metrics, &profile->watchers));
    vt__recovery_init(profile, options->metrics);
    VT_TRY(vt__space_open(profile, options->free_space_min_bytes, options->metrics));
    return options->read_only ? vt_ok() : start_writing(profile, options->metrics, diag);
}

struct vt_err vt_profile_open(const struct vt_profile_options *options, struct vt_diag *diag,
                              struct vt_profile **ret_profile)
{
    struct vt_profile *profile = calloc(1, sizeof *profile);
    VT_CHECK(profile != NULL, VT_EXHAUSTED, "out of memory");
    profile->acked_fd = -1;
    pthread_mutex_init(&profile->lock, NULL);
    pthread_mutex_init(&profile->feed.lock, NULL);
    pthread_mutex_init(&profile->erase_lock, NULL);
    struct vt_err err = open_into(profile, options, diag);
    if (vt_failed(err)) {
        vt_profile_close(profile);
        return err;
    }
    *ret_profile = profile;
    return vt_ok();
}

void vt_profile_close(struct vt_profile *profile)
{
    if (profile == NULL)
        return;
    vt__chores_stop(profile->chores); /* they write */
    vt__writer_stop(profile);
    vt__feed_fini(&profile->feed);
    vt__watchers_free(profile->watchers);
    vt_store_batch_free(profile->batch);
    vt__group_free(profile->group);
    vt__seen_filter_free(profile->seen);
    vt__noise_free(profile->noise);
    vt__memory_drop(profile);
    vt_arena_fini(&profile->arena);
    vt__buffer_fini(&profile->value);
    free(profile->pending);
    vt_store_close(profile->store);   /* after the writer; its filters read the clock until then */
    vt__ageing_free(profile->ageing); /* a filter of the store's asks it */
    vt__acked_close(profile->acked_fd);
    vt_audit_close(profile->audit);
    pthread_mutex_destroy(&profile->erase_lock);
    pthread_mutex_destroy(&profile->feed.lock);
    pthread_mutex_destroy(&profile->lock);
    free(profile);
}

/* ---- for training and keeping ---- */

uint64_t vt_profile_sequence(struct vt_profile *profile)
{
    pthread_mutex_lock(&profile->feed.lock);
    uint64_t sequence = profile->feed.sequence;
    pthread_mutex_unlock(&profile->feed.lock);
    return sequence;
}

struct vt_err vt_profile_checkpoint(struct vt_profile *profile, const char *directory,
                                    struct vt_diag *diag, uint64_t *ret_sequence)
{
    char path[VT__PATH_BYTES];
    struct stat info;
    if (stat(directory, &info) == 0) {
        vt_diag_set(diag, directory, "exists: a checkpoint makes its own folder");
        return VT_ERR(VT_INVALID, "the folder of a checkpoint must not exist");
    }
    VT_TRY(vt_folder_create(directory, diag));
    snprintf(path, sizeof path, "%s/live", directory);
    uint64_t sequence = vt_profile_sequence(profile);
    VT_TRY(vt_store_checkpoint(profile->store, path, diag));
    *ret_sequence = sequence;
    return vt_ok();
}
