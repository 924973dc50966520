/*
 * The file of a checkpoint: a header of little-endian words, the points of the curve, the factors,
 * those of the best iteration where they are others, and the sha256 of all before it as 64 hex
 * digits. Sizes are checked against the length before anything is allocated.
 */
#include "models/train/checkpoint.h"

#include "services/common/base/file.h"
#include "services/common/base/sha256.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORDS = 10, /* of the header, 32 bits each */
    DIGEST_BYTES = VT_SHA256_HEX_BYTES - 1,
    ROWS_MAX = 1 << 28,
    STRIDE_MAX = 2048,
};
#define MAGIC "VTTRAIN1"
#define HEADER_BYTES (sizeof MAGIC - 1 + WORDS * sizeof(uint32_t))
#define FILE_BYTES_MAX (UINT64_C(1) << 36)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian");

enum word {
    WORD_FINGERPRINT_LOW,
    WORD_FINGERPRINT_HIGH,
    WORD_ITERATION,
    WORD_COMPLETE,
    WORD_BEST_ITERATION,
    WORD_N_ITEMS,
    WORD_DIM,
    WORD_ROW_STRIDE,
    WORD_N_POINTS,
    WORD_HAS_BEST,
};
_Static_assert(WORD_HAS_BEST + 1 == WORDS, "the header has as many words as names");

void vt_train_checkpoint_free(struct vt_train_checkpoint *checkpoint)
{
    free(checkpoint->items);
    free(checkpoint->best);
    checkpoint->items = checkpoint->best = NULL;
}

static uint64_t factor_bytes(uint64_t n_items, uint64_t row_stride)
{
    return n_items * row_stride * sizeof(float);
}

/* ---- writing ---- */

static void put(char **at, const void *bytes, size_t n)
{
    memcpy(*at, bytes, n);
    *at += n;
}

static void encode(const struct vt_train_checkpoint *checkpoint, char *at)
{
    const size_t factors = factor_bytes(checkpoint->n_items, checkpoint->row_stride);
    const uint32_t words[WORDS] = {
        [WORD_FINGERPRINT_LOW] = (uint32_t)checkpoint->fingerprint,
        [WORD_FINGERPRINT_HIGH] = (uint32_t)(checkpoint->fingerprint >> 32),
        [WORD_ITERATION] = checkpoint->iteration,
        [WORD_COMPLETE] = checkpoint->complete,
        [WORD_BEST_ITERATION] = checkpoint->best_iteration,
        [WORD_N_ITEMS] = checkpoint->n_items,
        [WORD_DIM] = checkpoint->dim,
        [WORD_ROW_STRIDE] = checkpoint->row_stride,
        [WORD_N_POINTS] = checkpoint->curve.n,
        [WORD_HAS_BEST] = checkpoint->best != NULL,
    };
    put(&at, MAGIC, sizeof MAGIC - 1);
    put(&at, words, sizeof words);
    put(&at, checkpoint->curve.points, checkpoint->curve.n * sizeof *checkpoint->curve.points);
    put(&at, checkpoint->items, factors);
    if (checkpoint->best != NULL)
        put(&at, checkpoint->best, factors);
}

static size_t content_bytes(const struct vt_train_checkpoint *checkpoint)
{
    return HEADER_BYTES + checkpoint->curve.n * sizeof(struct vt_curve_point) +
           (checkpoint->best != NULL ? 2 : 1) *
               factor_bytes(checkpoint->n_items, checkpoint->row_stride);
}

struct vt_err vt_train_checkpoint_write(const char *path,
                                        const struct vt_train_checkpoint *checkpoint,
                                        struct vt_diag *diag)
{
    const size_t content = content_bytes(checkpoint);
    char *bytes = malloc(content + VT_SHA256_HEX_BYTES);
    VT_CHECK(bytes != NULL, VT_EXHAUSTED, "out of memory for a checkpoint");
    encode(checkpoint, bytes);
    struct vt_err err = vt_sha256(vt_slice(bytes, content), bytes + content);
    if (!vt_failed(err))
        err = vt_file_write_atomic(path, vt_slice(bytes, content + DIGEST_BYTES), diag);
    free(bytes);
    return err;
}

/* ---- reading ---- */

static struct vt_err damaged(struct vt_diag *diag, const char *how)
{
    vt_diag_set(diag, "checkpoint", "the checkpoint of a training is damaged: %s", how);
    return VT_ERR(VT_CORRUPT, "a checkpoint is damaged");
}

static bool words_are_sound(const uint32_t words[WORDS])
{
    return words[WORD_ITERATION] >= 1 && words[WORD_COMPLETE] <= 1 && words[WORD_HAS_BEST] <= 1 &&
           words[WORD_BEST_ITERATION] <= words[WORD_ITERATION] && words[WORD_N_ITEMS] >= 1 &&
           words[WORD_N_ITEMS] <= ROWS_MAX && words[WORD_DIM] >= 1 &&
           words[WORD_ROW_STRIDE] >= words[WORD_DIM] && words[WORD_ROW_STRIDE] <= STRIDE_MAX &&
           words[WORD_N_POINTS] <= VT_BUNDLE_CURVE_MAX;
}

static struct vt_train_checkpoint from_words(const uint32_t words[WORDS])
{
    return (struct vt_train_checkpoint){
        .fingerprint = (uint64_t)words[WORD_FINGERPRINT_HIGH] << 32 | words[WORD_FINGERPRINT_LOW],
        .iteration = words[WORD_ITERATION],
        .complete = words[WORD_COMPLETE] == 1,
        .best_iteration = words[WORD_BEST_ITERATION],
        .n_items = words[WORD_N_ITEMS],
        .dim = words[WORD_DIM],
        .row_stride = words[WORD_ROW_STRIDE],
        .curve = {.n = words[WORD_N_POINTS]},
    };
}

static float *take_factors(const char **at, size_t bytes)
{
    float *factors = malloc(bytes);
    if (factors != NULL)
        memcpy(factors, *at, bytes);
    *at += bytes;
    return factors;
}

static bool all_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static struct vt_err take_arrays(const char *at, bool has_best,
                                 struct vt_train_checkpoint *checkpoint, struct vt_diag *diag)
{
    const size_t points = checkpoint->curve.n * sizeof *checkpoint->curve.points;
    const size_t factors = factor_bytes(checkpoint->n_items, checkpoint->row_stride);
    memcpy(checkpoint->curve.points, at, points);
    at += points;
    checkpoint->items = take_factors(&at, factors);
    checkpoint->best = has_best ? take_factors(&at, factors) : NULL;
    VT_CHECK(checkpoint->items != NULL && (!has_best || checkpoint->best != NULL), VT_EXHAUSTED,
             "out of memory for a checkpoint");
    if (!all_finite(checkpoint->items, factors / sizeof(float)) ||
        (has_best && !all_finite(checkpoint->best, factors / sizeof(float))))
        return damaged(diag, "a factor is not a finite number");
    return vt_ok();
}

static struct vt_err check_digest(struct vt_slice bytes, struct vt_diag *diag)
{
    char digest[VT_SHA256_HEX_BYTES];
    const size_t content = bytes.len - DIGEST_BYTES;
    VT_TRY(vt_sha256(vt_slice(bytes.data, content), digest));
    return memcmp(digest, bytes.data + content, DIGEST_BYTES) == 0
               ? vt_ok()
               : damaged(diag, "its sha256 is not that of its content");
}

struct vt_err vt_train_checkpoint_parse(struct vt_slice bytes, struct vt_diag *diag,
                                        struct vt_train_checkpoint *ret_checkpoint)
{
    uint32_t words[WORDS];
    if (bytes.len < HEADER_BYTES + DIGEST_BYTES || memcmp(bytes.data, MAGIC, sizeof MAGIC - 1) != 0)
        return damaged(diag, "it does not begin as one");
    memcpy(words, bytes.data + sizeof MAGIC - 1, sizeof words);
    if (!words_are_sound(words))
        return damaged(diag, "its header has impossible numbers");
    struct vt_train_checkpoint checkpoint = from_words(words);
    const bool has_best = words[WORD_HAS_BEST] == 1;
    const uint64_t want =
        HEADER_BYTES + checkpoint.curve.n * sizeof(struct vt_curve_point) +
        (has_best ? 2 : 1) * factor_bytes(checkpoint.n_items, checkpoint.row_stride) + DIGEST_BYTES;
    if (bytes.len != want)
        return damaged(diag, "it is shorter or longer than its header says");
    VT_TRY(check_digest(bytes, diag));
    struct vt_err err = take_arrays(bytes.data + HEADER_BYTES, has_best, &checkpoint, diag);
    if (vt_failed(err))
        vt_train_checkpoint_free(&checkpoint);
    else
        *ret_checkpoint = checkpoint;
    return err;
}

struct vt_err vt_train_checkpoint_read(const char *path, struct vt_diag *diag,
                                       struct vt_train_checkpoint *ret_checkpoint)
{
    char *text;
    size_t len;
    VT_TRY(vt_file_read(path, FILE_BYTES_MAX, diag, &text, &len));
    struct vt_err err = vt_train_checkpoint_parse(vt_slice(text, len), diag, ret_checkpoint);
    free(text);
    return err;
}
