#ifndef VT_BASE_OPTIONS_INTERNAL_H
#define VT_BASE_OPTIONS_INTERNAL_H

#include "services/common/base/options.h"
#include "services/common/base/slice.h"

/* Between the files of the option parser; nobody else includes it. One thread. */

/* Where values come from, weakest first. */
enum vt__source {
    VT__SOURCE_NONE,
    VT__SOURCE_DEFAULT,
    VT__SOURCE_FILE,
    VT__SOURCE_ENV,
    VT__SOURCE_FLAG
};

/* A text we keep for as long as the options live. */
struct vt__kept {
    struct vt__kept *next;
    char text[];
};

struct vt__option_state {
    enum vt__source source; /* of the value that stands */
    uint64_t line;          /* of the configuration file that set it, else 0 */
    size_t capacity;        /* of a list's items */
};

/* What vt_options.storage points to. */
struct vt__storage {
    struct vt__kept *kept;
    const struct vt_options_spec *spec;
    void *target;                    /* borrowed */
    const char **positional;         /* owned; the texts are argv's */
    struct vt__option_state *states; /* owned, one per option of the spec */
    const char *config_path;         /* from --config, or NULL */
};

/* One value on its way in, with where it stands for messages. */
struct vt__assignment {
    const struct vt_option *option;
    struct vt_slice value;
    enum vt__source source;
    const char *path; /* of the configuration file */
    uint64_t line;
};

/* Judges the value and puts it into the target; VT_INVALID with what would be right in `diag`. */
VT_MUST_USE struct vt_err vt__option_set(struct vt__storage *storage,
                                         const struct vt__assignment *assignment,
                                         struct vt_diag *diag);
/* Reads the file and sets every key in it. */
VT_MUST_USE struct vt_err vt__options_load_yaml(struct vt__storage *storage, const char *path,
                                                struct vt_diag *diag);
/* The option a flag (or, with `key`, a configuration key) names; else VT_INVALID with the nearest
 * right name. `where` begins the message. */
VT_MUST_USE struct vt_err vt__option_find(const struct vt_options_spec *spec, struct vt_slice name,
                                          bool key, const char *where, struct vt_diag *diag,
                                          const struct vt_option **ret_option);
/* Writes VITRINE_MAX_IN_FLIGHT for max-in-flight. */
void vt__option_env_name(const struct vt_option *option, char *ret_name, size_t size_bytes);
/* A copy that lives as long as the storage; NULL without memory. */
const char *vt__option_keep(struct vt__storage *storage, struct vt_slice text);

#endif
