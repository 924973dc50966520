/*
 * Opening and closing. A store is opened once by its user and then, when the disk was full or old
 * logs must go, again in place (upkeep.c); both go through vt__opening_open, so that there is one
 * list of families and one way to hold their handles.
 */
#include "services/common/base/file.h"
#include "services/common/store/lock.h"
#include "services/common/store/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- before anything is touched ---- */

static bool is_known(const struct vt_store_options *options, const char *name)
{
    if (strcmp(name, "default") == 0)
        return true;
    for (uint32_t i = 0; i < options->n_families; i++)
        if (strcmp(options->families[i].name, name) == 0)
            return true;
    return false;
}

static struct vt_err refuse_unknown_families(struct vt_store *store,
                                             const struct vt_store_options *options,
                                             struct vt_diag *diag)
{
    char *text = NULL;
    size_t n = 0;
    char **names = rocksdb_list_column_families(store->options, options->path, &n, &text);
    VT_TRY(vt__store_take_error(store, NULL, text, diag));
    struct vt_err err = vt_ok();
    for (size_t i = 0; i < n && !vt_failed(err); i++) {
        if (is_known(options, names[i]))
            continue;
        vt_diag_set(diag, options->path,
                    "has a family \"%s\" that this version does not know: a later version wrote it",
                    names[i]);
        err = VT_ERR(VT_PRECONDITION, "the store was written by a later version");
    }
    rocksdb_list_column_families_destroy(names, n);
    return err;
}

static bool holds_database(const char *path)
{
    char current[VT__STORE_PATH_BYTES];
    snprintf(current, sizeof current, "%s/CURRENT", path);
    return access(current, F_OK) == 0;
}

/* RocksDB would make a new database beside the tables of one whose CURRENT is lost, and then remove
 * them as left over. A MANIFEST that nothing names is what such a loss, and only that, leaves; the
 * exception is a first opening that was cut off before CURRENT: then there are no tables yet. */
static struct vt_err refuse_lost_current(const char *path, struct vt_diag *diag)
{
    bool manifest = false, table = false;
    DIR *folder = opendir(path);
    if (folder == NULL || holds_database(path)) {
        if (folder != NULL)
            closedir(folder);
        return vt_ok();
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        manifest |= strncmp(entry->d_name, "MANIFEST-", 9) == 0;
        table |= strstr(entry->d_name, ".sst") != NULL || strstr(entry->d_name, ".log") != NULL;
    }
    closedir(folder);
    if (!table)
        return vt_ok();
    vt_diag_set(diag, path, "there are tables or logs but no file CURRENT that says which count%s",
                manifest ? ": put back its one line, the name of the newest MANIFEST, or restore"
                         : ": restore from a backup");
    return VT_ERR(VT_CORRUPT, "the store lost its file CURRENT");
}

static struct vt_err check_folder(const struct vt_store_options *options, struct vt_diag *diag)
{
    if (options->create && !options->read_only)
        VT_TRY(vt_folder_create(options->path, diag));
    if (access(options->path, F_OK) != 0 || (!options->create && !holds_database(options->path))) {
        vt_diag_set(diag, options->path, "no store here: check the folder, or import data first");
        return VT_ERR(VT_NOT_FOUND, "the store does not exist");
    }
    VT_TRY(refuse_lost_current(options->path, diag));
    if (!options->read_only && access(options->path, W_OK) != 0) {
        int sys = errno;
        vt_diag_set(diag, options->path, "cannot be written: %s", strerror(sys));
        return VT_ERR_SYS(VT_UNAVAILABLE, sys, "the data folder is not writable");
    }
    return vt_ok();
}

/* ---- one opening of the database ---- */

struct vt_err vt__opening_open(struct vt__opening *opening, struct vt_diag *diag)
{
    struct vt_store *store = opening->store;
    const char *names[VT_STORE_FAMILIES_MAX + 1] = {"default"};
    const rocksdb_options_t *each[VT_STORE_FAMILIES_MAX + 1] = {store->options};
    rocksdb_column_family_handle_t *handles[VT_STORE_FAMILIES_MAX + 1] = {0};
    int n = (int)store->n_families + 1;
    for (uint32_t i = 0; i < store->n_families; i++) {
        names[i + 1] = store->families[i].name;
        each[i + 1] = store->family_options[i];
    }
    bool bridge = opening->id == VT__OPENING_BRIDGE;
    char *text = NULL;
    if (bridge || store->read_only)
        opening->db = rocksdb_open_for_read_only_column_families(
            bridge ? store->bridge_options : store->options, store->path, n, names, each, handles,
            0, &text);
    else
        opening->db = rocksdb_open_column_families(store->options, store->path, n, names, each,
                                                   handles, &text);
    VT_TRY(vt__store_take_error(store, NULL, text, diag));
    rocksdb_column_family_handle_destroy(handles[0]);
    memcpy(opening->handles, handles + 1, store->n_families * sizeof handles[0]);
    return vt_ok();
}

/* Tables instead of a log to replay: the next opening, read-only ones too, is quick. Everything is
 * on disk already, so a failure here loses nothing. */
static void flush_for_next_opening(struct vt__opening *opening)
{
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    for (uint32_t i = 0; i < opening->store->n_families; i++) {
        char *text = NULL;
        rocksdb_flush_cf(opening->db, options, opening->handles[i], &text);
        vt_err_ignore(vt__store_take_error(opening->store, opening, text, NULL),
                      "the log still holds what was not flushed");
    }
    rocksdb_flushoptions_destroy(options);
}

void vt__opening_close(struct vt__opening *opening)
{
    struct vt_store *store = opening->store;
    if (opening->db == NULL)
        return;
    VT_ASSERT(atomic_load(&opening->n_users) == 0);
    if (opening->id == VT__OPENING_MAIN && !store->read_only)
        flush_for_next_opening(opening);
    for (uint32_t i = 0; i < store->n_families; i++)
        rocksdb_column_family_handle_destroy(opening->handles[i]);
    rocksdb_close(opening->db);
    opening->db = NULL;
}

/* ---- the store ---- */

static struct vt_store *store_new(const struct vt_store_options *options)
{
    struct vt_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    store->families = options->families;
    store->n_families = options->n_families;
    store->read_only = options->read_only;
    store->on_damage = options->on_damage;
    store->damage_ctx = options->damage_ctx;
    store->lock_fd = -1;
    atomic_init(&store->current, VT__OPENING_NONE);
    for (int i = 0; i < VT__OPENINGS; i++) {
        store->openings[i].store = store;
        store->openings[i].id = (enum vt__opening_id)i;
    }
    vt__gate_init(store);
    return store;
}

static struct vt_err open_into(struct vt_store *store, const struct vt_store_options *options,
                               struct vt_diag *diag)
{
    char lock_path[VT__STORE_PATH_BYTES];
    size_t len = strlen(options->path);
    VT_CHECK(len < sizeof store->path - sizeof ".lock", VT_INVALID, "the path is too long");
    memcpy(store->path, options->path, len + 1);
    VT_TRY(check_folder(options, diag));
    snprintf(lock_path, sizeof lock_path, "%s.lock", options->path);
    if (!options->read_only)
        VT_TRY(vt__store_lock(lock_path, diag, &store->lock_fd));
    vt__store_make_options(store, options);
    if (holds_database(options->path))
        VT_TRY(refuse_unknown_families(store, options, diag));
    VT_TRY(vt__opening_open(&store->openings[VT__OPENING_MAIN], diag));
    rocksdb_options_set_create_if_missing(store->options, 0); /* opening again makes nothing new */
    vt__store_set_log(store, VT_STORE_LOG_WHOLE);             /* nor does it leave anything out */
    vt__gate_switch(store, VT__OPENING_MAIN);
    return vt_ok();
}

struct vt_err vt_store_open(const struct vt_store_options *options, struct vt_diag *diag,
                            struct vt_store **ret_store)
{
    VT_ASSERT(options->n_families <= VT_STORE_FAMILIES_MAX);
    struct vt_store *store = store_new(options);
    VT_CHECK(store != NULL, VT_EXHAUSTED, "out of memory");
    struct vt_err err = open_into(store, options, diag);
    if (vt_failed(err)) {
        vt_store_close(store);
        return err;
    }
    *ret_store = store;
    return vt_ok();
}

void vt_store_close(struct vt_store *store)
{
    if (store == NULL)
        return;
    VT_ASSERT(vt_store_n_live(store) == 0);
    vt__opening_close(&store->openings[VT__OPENING_BRIDGE]);
    vt__opening_close(&store->openings[VT__OPENING_MAIN]);
    vt__store_free_options(store);
    if (store->own_info_log)
        vt__info_log_remove(store->info_log_dir);
    vt__store_unlock(store->lock_fd);
    vt__gate_fini(store);
    free(store);
}
