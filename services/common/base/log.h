#ifndef VT_BASE_LOG_H
#define VT_BASE_LOG_H

#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Structured logs for programs (libraries return errors instead): one JSON object a line on
 * standard error, {"time":…,"level":…,"event":"bundle_swapped",…fields}. Any thread; a line is one
 * write(2). Event names are snake_case and stable. No customer id and no key is ever logged.
 */
enum vt_log_level { VT_LOG_DEBUG, VT_LOG_INFO, VT_LOG_WARN, VT_LOG_ERROR };

struct vt_log_field {
    const char *name;
    enum { VT_LOG_END, VT_LOG_TEXT, VT_LOG_INT, VT_LOG_REAL, VT_LOG_BOOL } kind;
    union {
        struct vt_slice text; /* escaped; broken UTF-8 is replaced */
        int64_t integer;
        double real;
    } value;
};

#define VT_F_STR(name_, text_)                                                                     \
    ((struct vt_log_field){(name_), VT_LOG_TEXT, {.text = vt_slice_str(text_)}})
#define VT_F_SLICE(name_, slice_) ((struct vt_log_field){(name_), VT_LOG_TEXT, {.text = (slice_)}})
#define VT_F_INT(name_, number_)                                                                   \
    ((struct vt_log_field){(name_), VT_LOG_INT, {.integer = (int64_t)(number_)}})
#define VT_F_REAL(name_, number_)                                                                  \
    ((struct vt_log_field){(name_), VT_LOG_REAL, {.real = (double)(number_)}})
#define VT_F_BOOL(name_, flag_)                                                                    \
    ((struct vt_log_field){(name_), VT_LOG_BOOL, {.integer = (flag_) ? 1 : 0}})

/* vt_log(VT_LOG_INFO, "listening", VT_F_INT("port", port)); */
#define vt_log(level_, ...) vt_log_pick_((level_), __VA_ARGS__, (struct vt_log_field){0})
#define vt_log_pick_(level_, event_, ...)                                                          \
    vt_log_write((level_), (event_), (const struct vt_log_field[]){__VA_ARGS__})

/* The least level that is written; VT_LOG_INFO until set. Any thread. */
void vt_log_set_level(enum vt_log_level level);
/* Whether a line of the level would be written: for those that are dear to put together. */
bool vt_log_wants(enum vt_log_level level);
/* `fields` ends with kind VT_LOG_END. */
void vt_log_write(enum vt_log_level level, const char *event, const struct vt_log_field *fields);
/* An error with its code, text and errno as fields. */
void vt_log_err(enum vt_log_level level, const char *event, struct vt_err err, const char *detail);

#endif
