/*
 * A chain of splitmix64's mixer over 64-bit words: each word is added to the state and mixed, so
 * order counts. One pass at about a nanosecond a word. Structs are taken field by field, since
 * padding has no value.
 */
#include "models/train/fingerprint.h"

#include "models/dataset/mix.h"

#include <string.h>

static void add(uint64_t *state, uint64_t word)
{
    *state = vt_mix64(*state + VT_MIX64_STEP + word);
}

static void add_f64(uint64_t *state, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    add(state, bits);
}

static void add_text(uint64_t *state, const char *text)
{
    size_t len = strlen(text);
    add(state, len);
    for (size_t i = 0; i < len; i++)
        add(state, (unsigned char)text[i]);
}

uint64_t vt_train_data_fingerprint(const struct vt_train_input *input,
                                   const struct vt_dataset_options *dataset)
{
    uint64_t state = input->n;
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        add_f64(&state, (double)dataset->event_weights[type]);
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        add_f64(&state, (double)dataset->value_exponents[type]);
    add_f64(&state, dataset->decay_half_life_days);
    for (uint64_t i = 0; i < input->n; i++) {
        const struct vt_interaction *event = &input->interactions[i];
        add(&state, event->user);
        add(&state, (uint64_t)event->item << 16 | event->type);
        add(&state, (uint64_t)event->time_ms);
        add_f64(&state, (double)event->value);
    }
    return state;
}

static void add_matrix(uint64_t *state, const struct vt_sparse *matrix)
{
    add(state, matrix->n_rows);
    add(state, matrix->n_cols);
    for (uint32_t row = 0; row < matrix->n_rows; row++)
        add(state, matrix->starts[row + 1]);
    for (uint64_t e = 0; e < matrix->n_entries; e++) {
        uint32_t bits;
        memcpy(&bits, &matrix->values[e], sizeof bits);
        add(state, (uint64_t)matrix->columns[e] << 32 | bits);
    }
}

uint64_t vt_train_factors_fingerprint(const struct vt_sparse *matrix,
                                      const struct vt_algorithm *algorithm,
                                      const struct vt_algorithm_options *options)
{
    const struct vt_ials_options *ials = &options->ials;
    uint64_t state = 0;
    add_text(&state, vt_algorithm_name(algorithm));
    add(&state, ials->factors);
    add_f64(&state, ials->regularization);
    add_f64(&state, ials->regularization_exponent);
    add_f64(&state, ials->unobserved_weight);
    add_f64(&state, ials->init_stddev);
    add(&state, (uint64_t)ials->solver << 32 | ials->cg_steps);
    add(&state, ials->block_size);
    add(&state, options->seed);
    add_matrix(&state, matrix);
    return state;
}

uint64_t vt_train_matrix_fingerprint(const struct vt_sparse *matrix)
{
    uint64_t state = 0;
    add_matrix(&state, matrix);
    return state;
}

uint64_t vt_train_mix_floats(uint64_t fingerprint, const float *numbers, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        add_f64(&fingerprint, (double)numbers[i]);
    return fingerprint;
}
