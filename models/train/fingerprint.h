#ifndef VT_TRAIN_FINGERPRINT_H
#define VT_TRAIN_FINGERPRINT_H

#include "models/train/train.h"

#include <stdint.h>

/* 64 bits that tell two inputs apart by chance alone (not against an adversary): of the events in
 * their order, with how they are weighed. What a schedule asks whether anything is new by. */
uint64_t vt_train_data_fingerprint(const struct vt_train_input *input,
                                   const struct vt_dataset_options *dataset);

/* The same of a matrix and of what the factors trained on it depend on: a checkpoint of another
 * fingerprint is of another training. Threads, iterations and budgets do not enter. */
uint64_t vt_train_factors_fingerprint(const struct vt_sparse *matrix,
                                      const struct vt_algorithm *algorithm,
                                      const struct vt_algorithm_options *options);

/* Of a matrix alone. */
uint64_t vt_train_matrix_fingerprint(const struct vt_sparse *matrix);

/* `fingerprint` and n numbers. */
uint64_t vt_train_mix_floats(uint64_t fingerprint, const float *numbers, uint64_t n);

#endif
