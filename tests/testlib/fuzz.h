#ifndef VT_TESTLIB_FUZZ_H
#define VT_TESTLIB_FUZZ_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What the fuzz targets of the wire functions share. A case is one decoder of outside bytes. Where
 * the other side's encoder exists, it encodes what was decoded into *ret_again; else it leaves that
 * empty.
 */
typedef struct vt_err (*vt_fuzz_case_fn)(struct vt_slice body, struct vt_arena *arena,
                                         struct vt_diag *diag, struct vt_slice *ret_again);

/* What every fuzz target defines. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses the case, the rest is its body. Aborts unless a refusal is one that a
 * caller may get, says why in well-formed text, and what was encoded again decodes and encodes to
 * the same bytes. */
int vt_fuzz_run(const vt_fuzz_case_fn *cases, size_t n_cases, const uint8_t *data, size_t size);

/* Aborts when `holds` is false. */
void vt_fuzz_expect(bool holds);
/* Reads every byte of n slices, so that one out of bounds is seen. */
void vt_fuzz_read(const struct vt_slice *slices, size_t n);

#endif
