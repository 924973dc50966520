#ifndef VT_BASE_TEXT_H
#define VT_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "services/common/base/slice.h"

/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms) without NUL; else
 * *ret_offset is the first bad byte. Any thread. O(n). */
bool vt_text_valid(struct vt_slice bytes, size_t *ret_offset);

#endif
