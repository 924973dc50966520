#ifndef VT_INGEST_TEXT_CLEAN_H
#define VT_INGEST_TEXT_CLEAN_H

#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Texts as people mean them, by ICU. All work in a buffer of the caller. Any thread. */

enum { VT_CLEAN_TEXT_BYTES = 4096 };

/* Unicode NFC, white space of any kind collapsed to single spaces and trimmed, controls dropped.
 * `text` is UTF-8. False when the result is longer than the buffer. */
bool vt_text_clean(struct vt_slice text, char buffer[VT_CLEAN_TEXT_BYTES], struct vt_slice *ret);
/* For comparing: NFKC with case folded, only letters and digits, single spaces between words. */
bool vt_text_fold(struct vt_slice text, char buffer[VT_CLEAN_TEXT_BYTES], struct vt_slice *ret);
/* For keys: NFKC with case folded, white space trimmed and collapsed; punctuation stays. */
bool vt_key_fold(struct vt_slice text, char buffer[VT_CLEAN_TEXT_BYTES], struct vt_slice *ret);
/* ISO 8859-1 (with the Windows-1252 extras) to UTF-8; false when the buffer is too small. */
bool vt_text_from_latin1(struct vt_slice bytes, char *buffer, size_t buffer_bytes,
                         struct vt_slice *ret);
/* Without white space at both ends. */
struct vt_slice vt_text_trim(struct vt_slice text);

#endif
