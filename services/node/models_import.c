/*
 * Factors from a notebook, put into service. Reading comes first and judges every file whole; the
 * version is made in memory (models/train/import.c) and written like a trained one, so that a
 * mistake at any point leaves the folder as it was.
 */
#include "services/node/models_import.h"

#include "models/kernels/kernels.h"
#include "models/train/import.h"
#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/node/models_items.h"
#include "services/node/training_data.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct import {
    const struct vt_models_import *command;
    struct vt_import_options options;
    struct vt_interactions interactions;
    struct vt_catalog catalog;
    struct vt_slice file; /* mapped */
    struct vt_npy factors;
    uint32_t *numbers;
    uint32_t n_numbers;
    struct vt_train_result result;
};

/* The decoder does not know the file's name. */
static void name_file(const char *path, struct vt_diag *diag)
{
    const struct vt_diag told = *diag;
    vt_diag_set(diag, "item-factors", "%s: %s", path, told.text);
}

static struct vt_err read_factors(struct import *import, struct vt_diag *diag)
{
    VT_TRY(vt_file_map(import->command->factors_path, diag, &import->file));
    struct vt_err err = vt_npy_decode(import->file, diag, &import->factors);
    if (vt_failed(err))
        name_file(import->command->factors_path, diag);
    return err;
}

static struct vt_err read_events(struct import *import, struct vt_diag *diag)
{
    if (import->command->train_path == NULL)
        return vt_training_data_read(import->command->data_dir, diag, &import->interactions,
                                     &import->catalog);
    vt_training_data_weigh_adjacency(&import->options.dataset);
    return vt_adjacency_read(import->command->train_path, diag, &import->interactions);
}

static int compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* A number given with '#' must be one that an event or the catalog has. */
static struct vt_err check_known(const struct import *import, const struct vt_ids *ids,
                                 struct vt_diag *diag)
{
    for (uint32_t i = 0; i < import->n_numbers; i++) {
        const uint32_t number = import->numbers[i];
        if (vt_catalog_find(&import->catalog, number) != NULL ||
            bsearch(&number, ids->item_ids, ids->n_items, sizeof number, compare_u32) != NULL)
            continue;
        vt_diag_set(diag, "items",
                    "line %" PRIu32 ": there is no item number %" PRIu32
                    ", neither in the catalog nor in an event",
                    i + 1, number);
        return VT_ERR(VT_INVALID, "an item is not known");
    }
    return vt_ok();
}

static struct vt_err read_items(struct import *import, struct vt_diag *diag)
{
    const char *path = import->command->items_path;
    struct vt_ids ids;
    VT_TRY(
        vt_models_items_read(path, &import->catalog, diag, &import->numbers, &import->n_numbers));
    if (import->n_numbers != import->factors.rows) {
        vt_diag_set(diag, "items",
                    "%s names %" PRIu32 " items, but %s has %" PRIu64
                    " rows: each row needs its item, in the same order",
                    path, import->n_numbers, import->command->factors_path, import->factors.rows);
        return VT_ERR(VT_INVALID, "items and factors differ in number");
    }
    VT_TRY(vt_ids_collect(import->interactions.list, import->interactions.n, &ids));
    struct vt_err err = check_known(import, &ids, diag);
    vt_ids_free(&ids);
    return err;
}

static struct vt_err run(struct import *import, struct vt_diag *diag)
{
    VT_TRY(read_factors(import, diag));
    VT_TRY(read_events(import, diag));
    VT_TRY(read_items(import, diag));
    const struct vt_import_input input = {.factors = &import->factors,
                                          .numbers = import->numbers,
                                          .interactions = import->interactions.list,
                                          .n = import->interactions.n};
    VT_TRY(vt_import_run(&input, &import->options, diag, &import->result));
    return vt_train_store(import->command->data_dir, vt_clock_unix_ms(vt_clock_system()),
                          import->command->activate, diag, &import->result);
}

static void import_fini(struct import *import)
{
    vt_train_result_free(&import->result);
    vt_interactions_free(&import->interactions);
    vt_catalog_free(&import->catalog);
    vt_file_unmap(import->file);
    free(import->numbers);
}

static struct vt_err run_locked(struct import *import, struct vt_diag *diag,
                                char ret_version[VT_VERSION_BYTES_MAX])
{
    int lock;
    VT_TRY(vt_kernels_check(diag));
    VT_TRY(vt_train_lock(import->command->data_dir, diag, &lock));
    struct vt_err err = run(import, diag);
    vt_train_unlock(lock);
    if (!vt_failed(err))
        snprintf(ret_version, VT_VERSION_BYTES_MAX, "%s", import->result.version);
    return err;
}

struct vt_err vt_models_import(const struct vt_models_import *command, struct vt_diag *diag,
                               char ret_version[VT_VERSION_BYTES_MAX])
{
    struct import *import = calloc(1, sizeof *import);
    VT_CHECK(import != NULL, VT_EXHAUSTED, "out of memory for the import");
    import->command = command;
    vt_import_options_default(&import->options);
    import->options.regularization = command->regularization;
    import->options.regularization_exponent = command->regularization_exponent;
    import->options.unobserved_weight = command->unobserved_weight;
    struct vt_err err = run_locked(import, diag, ret_version);
    import_fini(import);
    free(import);
    return err;
}
