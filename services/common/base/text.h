#ifndef VT_BASE_TEXT_H
#define VT_BASE_TEXT_H

#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms) without NUL; else
 * *ret_offset is the first bad byte. Any thread. O(n). */
bool vt_text_valid(struct vt_slice bytes, size_t *ret_offset);
/* Bytes (1..4) of the well-formed UTF-8 sequence that begins at `offset`, NUL counting as one; 0
 * when there is none, also at the end. Any thread. O(1). */
size_t vt_text_sequence_bytes(struct vt_slice bytes, size_t offset);

#endif
