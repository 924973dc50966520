/*
 * The swap of bundles under running requests. Serving threads do one atomic add to get a counted
 * bundle and one to give it back; everything else happens on the watcher or on the thread that
 * calls activate, under `load_mutex`, which no reader ever takes.
 *
 * The scheme. A bundle in use sits in one of SLOTS slots. `current` and `previous` are cells: one
 * 64-bit word each, the slot's index in the upper 8 bits and below it the number of readers that
 * have taken the bundle from this cell since it was put there ("split reference count").
 *
 *   take    word = cell += 1: index and the reader's reference come from one indivisible step, so
 *           there is no moment in which a reader has seen the index without being counted.
 *   give    vt_bundle_release: bundle.count -= 1, knowing nothing of cells.
 *   put     bundle.count += BIAS, then exchange the word for (index, 0 readers).
 *   retire  whoever exchanged a word away adds to that bundle's count the readers found in the
 *           word, minus BIAS: from then on the count is the plain number of references.
 *
 * Why it is right. While a bundle is in a cell its count is at least BIAS minus the readers that
 * gave back, far above 0, so it is not freed though takers are not in the count yet. At retirement
 * every taker is in the count exactly once: the exchange and the adds on one word are totally
 * ordered, so each take is either in the word that retirement found, or in the next one. The slot
 * itself holds one reference; a slot out of both cells whose count is 1 has no reader left, and
 * only then the slot is emptied and may be filled again. So a taker's plain read of
 * slots[index].bundle cannot race with a refill: the taker is counted before it reads, and the
 * refill is ordered after the taker's release by the acquire load of the count. The 56 bits of
 * readers last longer than the hardware. Freed is a bundle by the watcher, or by the last reader
 * once the set is closed; a stalled reader delays that and nothing else.
 */
#include "models/bundle/bundle_set.h"

#include "models/bundle/bundle_private.h"
#include "services/common/base/log.h"
#include "services/common/base/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    SLOTS = 16, /* the two in cells, and old ones that requests still hold; [0] is "none" */
    INDEX_SHIFT = 56,
    DAMAGE_BYTES = VT_DIAG_TEXT_BYTES + 128,
    WATCH_PERIOD_S = 1,
    RETRY_PERIODS = 30, /* a refused version is tried again: the disk may have been full */
};
#define BIAS (INT64_C(1) << 60)
#define READERS_MASK ((UINT64_C(1) << INDEX_SHIFT) - 1)

struct cell {
    _Alignas(64) _Atomic uint64_t word; /* own cache line: every request adds to it */
};

/* What tells that CURRENT was replaced: a rename brings another inode. */
struct file_mark {
    dev_t device;
    ino_t inode;
    struct timespec changed;
    off_t size;
};

struct model_metrics {
    struct vt_metrics *registry;
    struct vt_gauge *active, *age_seconds, *items, *created;
    struct vt_counter *loads, *refusals;
};

struct vt_bundle_set {
    struct cell current, previous;
    struct {
        struct vt_bundle *bundle; /* written under load_mutex, before its index is put in a cell */
    } slots[SLOTS];
    char data_dir[VT__PATH_BYTES];

    pthread_mutex_t load_mutex; /* loading, switching, emptying slots */
    struct file_mark seen;      /* CURRENT as it was at the last attempt */
    unsigned periods_until_retry;

    pthread_mutex_t damage_mutex;
    char damage[DAMAGE_BYTES];

    struct model_metrics metrics;
    pthread_t watcher;
    bool watching;
    pthread_mutex_t stop_mutex;
    pthread_cond_t stop_wake;
    bool stop;
};

/* ---- cells ---- */

static struct vt_bundle *cell_take(struct vt_bundle_set *set, struct cell *cell)
{
    /* acquire: pairs with the release in cell_put, so that the slot's bundle is seen whole. */
    uint64_t word = atomic_fetch_add_explicit(&cell->word, 1, memory_order_acquire);
    return set->slots[word >> INDEX_SHIFT].bundle;
}

static unsigned cell_index(const struct cell *cell)
{
    return (unsigned)(atomic_load_explicit(&cell->word, memory_order_relaxed) >> INDEX_SHIFT);
}

/* Puts slot `index` into the cell and retires what was there. Under load_mutex. */
static void cell_put(struct vt_bundle_set *set, struct cell *cell, unsigned index)
{
    if (set->slots[index].bundle != NULL)
        vt__bundle_count_add(set->slots[index].bundle, BIAS);
    /* acq_rel: release publishes the slot to takers; acquire orders us after the takers counted. */
    uint64_t before =
        atomic_exchange_explicit(&cell->word, (uint64_t)index << INDEX_SHIFT, memory_order_acq_rel);
    struct vt_bundle *retired = set->slots[before >> INDEX_SHIFT].bundle;
    if (retired != NULL)
        vt__bundle_count_add(retired, (int64_t)(before & READERS_MASK) - BIAS);
}

/* Empties slots that are in no cell and held by nobody. Under load_mutex. */
static void empty_unused_slots(struct vt_bundle_set *set)
{
    for (unsigned index = 1; index < SLOTS; index++) {
        struct vt_bundle *bundle = set->slots[index].bundle;
        if (bundle == NULL || index == cell_index(&set->current) ||
            index == cell_index(&set->previous) || vt__bundle_count(bundle) != 1)
            continue;
        set->slots[index].bundle = NULL;
        vt_bundle_release(bundle);
    }
}

/* ---- loading, under load_mutex ---- */

static void note_damage(struct vt_bundle_set *set, const char *version, struct vt_err err,
                        const struct vt_diag *diag)
{
    pthread_mutex_lock(&set->damage_mutex);
    snprintf(set->damage, sizeof set->damage, "%s: %s", version,
             diag->text[0] != '\0' ? diag->text : err.what);
    vt_log_err(VT_LOG_ERROR, "bundle_refused", err, set->damage);
    pthread_mutex_unlock(&set->damage_mutex);
    vt_counter_add(set->metrics.refusals, 1);
}

static void clear_damage(struct vt_bundle_set *set)
{
    pthread_mutex_lock(&set->damage_mutex);
    set->damage[0] = '\0';
    pthread_mutex_unlock(&set->damage_mutex);
}

static const struct vt_bundle_view *serving_view(const struct vt_bundle_set *set)
{
    const struct vt_bundle *bundle = set->slots[cell_index(&set->current)].bundle;
    return bundle != NULL ? vt_bundle_view(bundle) : NULL;
}

static void show_age(struct vt_bundle_set *set)
{
    const struct vt_bundle_view *view = serving_view(set);
    if (view == NULL)
        return;
    double created_s = (double)view->create_time_ms / 1000;
    vt_gauge_set(set->metrics.age_seconds, difftime(time(NULL), (time_t)created_s));
}

static void show_active(struct vt_bundle_set *set)
{
    const struct vt_bundle_view *view = serving_view(set);
    char labels[VT_VERSION_BYTES_MAX + 32];
    snprintf(labels, sizeof labels, "version=\"%s\"", view->version);
    if (set->metrics.active != NULL)
        vt_gauge_set(set->metrics.active, 0);
    set->metrics.active =
        vt_metrics_gauge(set->metrics.registry, "vitrine_model_info",
                         "1 for the version that serves, 0 for those that served.", labels);
    vt_gauge_set(set->metrics.active, 1);
    vt_gauge_set(set->metrics.items, view->n_items);
    vt_gauge_set(set->metrics.created, (double)view->create_time_ms / 1000);
    vt_counter_add(set->metrics.loads, 1);
    show_age(set);
    vt_log(VT_LOG_INFO, "bundle_serving", VT_F_STR("version", view->version),
           VT_F_INT("items", view->n_items));
}

/* Takes the caller's reference on success. */
static struct vt_err install(struct vt_bundle_set *set, struct vt_bundle *bundle)
{
    empty_unused_slots(set);
    unsigned index = 1;
    while (index < SLOTS && set->slots[index].bundle != NULL)
        index++;
    VT_CHECK(index < SLOTS, VT_EXHAUSTED, "requests still hold too many old versions");
    set->slots[index].bundle = bundle;
    /* previous first: in between both cells hold the old one, so no version is missing. */
    if (cell_index(&set->current) != 0)
        cell_put(set, &set->previous, cell_index(&set->current));
    cell_put(set, &set->current, index);
    clear_damage(set);
    show_active(set);
    return vt_ok();
}

static struct vt_err load(struct vt_bundle_set *set, const char *version, struct vt_diag *diag)
{
    const struct vt_bundle_view *serving = serving_view(set);
    if (serving != NULL && strcmp(serving->version, version) == 0) {
        clear_damage(set);
        return vt_ok();
    }
    struct vt_bundle *bundle;
    VT_TRY(vt_bundle_open(set->data_dir, version, true, diag, &bundle));
    struct vt_err err = install(set, bundle);
    if (vt_failed(err))
        vt_bundle_release(bundle);
    return err;
}

/* Loads what CURRENT names. A refusal is noted and leaves what serves in place. */
static struct vt_err load_current(struct vt_bundle_set *set)
{
    char version[VT_VERSION_BYTES_MAX] = "CURRENT";
    struct vt_diag diag = {0};
    struct vt_err err = vt_bundle_current(set->data_dir, &diag, version);
    if (err.code == VT_NOT_FOUND) /* nothing published yet: no damage */
        return err;
    if (!vt_failed(err))
        err = load(set, version, &diag);
    if (vt_failed(err))
        note_damage(set, version, err, &diag);
    return err;
}

static void load_previous(struct vt_bundle_set *set)
{
    char version[VT_VERSION_BYTES_MAX] = "PREVIOUS";
    char reason[DAMAGE_BYTES];
    struct vt_diag diag = {0};
    vt_bundle_set_damage(set, reason, sizeof reason);
    struct vt_err err = vt_bundle_previous(set->data_dir, &diag, version);
    if (!vt_failed(err))
        err = load(set, version, &diag);
    if (vt_failed(err)) {
        vt_log_err(VT_LOG_ERROR, "bundle_fallback_failed", err, diag.text);
        return;
    }
    pthread_mutex_lock(
        &set->damage_mutex); /* what serves is not what CURRENT wants: keep saying so */
    memcpy(set->damage, reason, sizeof set->damage);
    pthread_mutex_unlock(&set->damage_mutex);
}

/* ---- the watcher ---- */

static struct file_mark mark_current(const struct vt_bundle_set *set)
{
    char path[VT__PATH_BYTES];
    struct stat info;
    if (vt_failed(vt__bundle_path(path, set->data_dir, "CURRENT", NULL)) || stat(path, &info) != 0)
        return (struct file_mark){0};
    return (struct file_mark){info.st_dev, info.st_ino, info.st_ctim, info.st_size};
}

static bool same_mark(const struct file_mark *a, const struct file_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Under load_mutex. */
static struct vt_err follow_current(struct vt_bundle_set *set)
{
    set->seen = mark_current(set); /* before reading: a change in between is seen next time */
    struct vt_err err = load_current(set);
    bool refused = vt_failed(err) && err.code != VT_NOT_FOUND;
    set->periods_until_retry = refused ? RETRY_PERIODS : 0;
    return err;
}

static void watch_once(struct vt_bundle_set *set)
{
    pthread_mutex_lock(&set->load_mutex);
    struct file_mark now = mark_current(set);
    bool retry = set->periods_until_retry > 0 && --set->periods_until_retry == 0;
    if (retry || !same_mark(&now, &set->seen))
        vt_err_ignore(follow_current(set), "noted and logged; what serves stays");
    empty_unused_slots(set);
    show_age(set);
    pthread_mutex_unlock(&set->load_mutex);
}

static void *watch(void *ctx)
{
    struct vt_bundle_set *set = ctx;
    pthread_mutex_lock(&set->stop_mutex);
    while (!set->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += WATCH_PERIOD_S;
        int waited = pthread_cond_timedwait(&set->stop_wake, &set->stop_mutex, &until);
        if (waited != ETIMEDOUT || set->stop)
            continue;
        pthread_mutex_unlock(&set->stop_mutex);
        watch_once(set);
        pthread_mutex_lock(&set->stop_mutex);
    }
    pthread_mutex_unlock(&set->stop_mutex);
    return NULL;
}

static struct vt_err start_watcher(struct vt_bundle_set *set)
{
    int failed = pthread_create(&set->watcher, NULL, watch, set);
    if (failed != 0)
        return VT_ERR_SYS(VT_EXHAUSTED, failed, "cannot start the thread that follows CURRENT");
    set->watching = true;
    return vt_ok();
}

static void stop_watcher(struct vt_bundle_set *set)
{
    if (!set->watching)
        return;
    pthread_mutex_lock(&set->stop_mutex);
    set->stop = true;
    pthread_cond_signal(&set->stop_wake);
    pthread_mutex_unlock(&set->stop_mutex);
    pthread_join(set->watcher, NULL);
}

/* ---- life ---- */

static void register_metrics(struct vt_bundle_set *set, struct vt_metrics *metrics)
{
    set->metrics = (struct model_metrics){
        .registry = metrics,
        .age_seconds = vt_metrics_gauge(metrics, "vitrine_model_age_seconds",
                                        "Seconds since the serving version was trained.", ""),
        .items = vt_metrics_gauge(metrics, "vitrine_model_items",
                                  "Items that the serving version knows.", ""),
        .created = vt_metrics_gauge(metrics, "vitrine_model_created_timestamp_seconds",
                                    "When the serving version was trained, Unix time.", ""),
        .loads = vt_metrics_counter(metrics, "vitrine_model_loads_total",
                                    "Versions that were loaded and began to serve.", ""),
        .refusals = vt_metrics_counter(metrics, "vitrine_model_refusals_total",
                                       "Versions that were refused as damaged.", ""),
    };
}

static void init_locks(struct vt_bundle_set *set)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&set->stop_wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&set->load_mutex, NULL);
    pthread_mutex_init(&set->damage_mutex, NULL);
    pthread_mutex_init(&set->stop_mutex, NULL);
}

struct vt_err vt_bundle_set_open(const char *data_dir, struct vt_metrics *metrics,
                                 struct vt_diag *diag, struct vt_bundle_set **ret_set)
{
    (void)diag; /* a refused bundle is not a failure to open: see vt_bundle_set_damage */
    VT_CHECK(strlen(data_dir) < VT__PATH_BYTES, VT_INVALID, "path of the data folder is too long");
    struct vt_bundle_set *set = aligned_alloc(_Alignof(struct vt_bundle_set), sizeof *set);
    VT_CHECK(set != NULL, VT_EXHAUSTED, "out of memory for the set of bundles");
    memset(set, 0, sizeof *set);
    memcpy(set->data_dir, data_dir, strlen(data_dir) + 1);
    init_locks(set);
    register_metrics(set, metrics);
    pthread_mutex_lock(&set->load_mutex);
    struct vt_err refused = follow_current(set);
    if (vt_failed(refused) && refused.code != VT_NOT_FOUND)
        load_previous(set);
    pthread_mutex_unlock(&set->load_mutex);
    struct vt_err err = start_watcher(set);
    if (vt_failed(err)) {
        vt_bundle_set_close(set);
        return err;
    }
    *ret_set = set;
    return vt_ok();
}

void vt_bundle_set_close(struct vt_bundle_set *set)
{
    if (set == NULL)
        return;
    stop_watcher(set);
    cell_put(set, &set->current, 0);
    cell_put(set, &set->previous, 0);
    for (unsigned index = 1; index < SLOTS; index++)
        vt_bundle_release(set->slots[index].bundle); /* readers that remain free it at their end */
    pthread_cond_destroy(&set->stop_wake);
    pthread_mutex_destroy(&set->stop_mutex);
    pthread_mutex_destroy(&set->damage_mutex);
    pthread_mutex_destroy(&set->load_mutex);
    free(set);
}

/* ---- use ---- */

struct vt_bundle *vt_bundle_set_current(struct vt_bundle_set *set)
{
    return cell_take(set, &set->current);
}

static bool has_version(const struct vt_bundle *bundle, struct vt_slice version)
{
    return bundle != NULL && vt_slice_equal(vt_slice_str(vt_bundle_view(bundle)->version), version);
}

struct vt_bundle *vt_bundle_set_find(struct vt_bundle_set *set, struct vt_slice version)
{
    struct cell *cells[] = {&set->current, &set->previous};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        struct vt_bundle *bundle = cell_take(set, cells[i]);
        if (has_version(bundle, version))
            return bundle;
        vt_bundle_release(bundle);
    }
    return NULL;
}

void vt_bundle_set_damage(struct vt_bundle_set *set, char *ret_text, size_t size_bytes)
{
    pthread_mutex_lock(&set->damage_mutex);
    snprintf(ret_text, size_bytes, "%s", set->damage);
    pthread_mutex_unlock(&set->damage_mutex);
}

struct vt_err vt_bundle_set_activate(struct vt_bundle_set *set, const char *version,
                                     struct vt_diag *diag)
{
    VT_TRY(vt_bundle_publish(set->data_dir, version, diag));
    pthread_mutex_lock(&set->load_mutex);
    set->seen = mark_current(set);
    struct vt_err err = load(set, version, diag);
    pthread_mutex_unlock(&set->load_mutex);
    return err;
}

struct vt_err vt_bundle_set_rollback(struct vt_bundle_set *set, struct vt_diag *diag)
{
    char version[VT_VERSION_BYTES_MAX];
    struct vt_err err = vt_bundle_previous(set->data_dir, diag, version);
    if (err.code == VT_NOT_FOUND) {
        vt_diag_set(diag, "version", "no version served before this one: nothing to go back to");
        return VT_ERR(VT_PRECONDITION, "there is no previous version");
    }
    VT_TRY(err);
    return vt_bundle_set_activate(set, version, diag);
}
