#ifndef VT_BASE_OPTIONS_H
#define VT_BASE_OPTIONS_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One table says what a command can be told; from it come flags, YAML keys, environment variables,
 * defaults, limits, `--help` and the nearest right name for a wrong one. Sources, later wins:
 * default < YAML file < environment < flag. A YAML key equals the flag without dashes ("http",
 * "source-weights.factor" or nested maps joined by a dot); the environment name is VITRINE_ and
 * the flag in capitals with underscores.
 */
enum vt_option_kind {
    VT_OPTION_BOOL,     /* bool; flag without value, or =true/false */
    VT_OPTION_U32,      /* uint32_t, min..max */
    VT_OPTION_U64,      /* uint64_t, min..max */
    VT_OPTION_F64,      /* double, min..max, finite */
    VT_OPTION_TEXT,     /* const char *; NULL when not given and no default */
    VT_OPTION_CHOICE,   /* const char *, one of `choices` ("a|b|c") */
    VT_OPTION_DURATION, /* int64_t milliseconds; "250ms" "5s" "10m" "1h" "14d" */
    VT_OPTION_SIZE,     /* uint64_t bytes; "4096" "512KiB" "64MiB" "2GiB" */
    VT_OPTION_LIST,     /* struct vt_option_list; the flag may be repeated */
};

struct vt_option_list {
    const char **items; /* owned by the options; NULL-terminated */
    size_t n;
};

struct vt_option {
    const char *name; /* "max-in-flight", without dashes */
    enum vt_option_kind kind;
    size_t offset;        /* offsetof(struct my_options, field) */
    const char *argument; /* "DIR", "N" … for --help */
    const char *help;
    const char *fallback; /* default as text; NULL: zero/NULL */
    double min, max;      /* of numbers; both 0: no limit */
    const char *choices;
    bool required;
    bool flag_only; /* not a configuration key (--config itself, --json …) */
};

struct vt_options_spec {
    const char *command; /* "vitrine train" */
    const char *summary; /* one sentence */
    const char *example; /* a command line that works */
    const struct vt_option *options;
    size_t n_options;
    const char *positional; /* "FILE..." for --help; NULL: none allowed */
    size_t min_positional, max_positional;
    bool layered; /* also YAML (--config FILE) and environment */
};

/* What was parsed and must outlive the target's texts. Zero it first. */
struct vt_options {
    const char *const *positional;
    size_t n_positional;
    void *storage; /* owned */
};

/* Fills `target` (a struct laid out as the table says). VT_INVALID with file, line and the nearest
 * right name in `diag`. `--help` prints the page and sets *ret_help. */
VT_MUST_USE struct vt_err vt_options_parse(const struct vt_options_spec *spec, int argc,
                                           char **argv, void *target,
                                           struct vt_options *ret_options, bool *ret_help,
                                           struct vt_diag *diag);
/* Frees the texts that the target borrowed; zero is allowed. */
void vt_options_fini(struct vt_options *options);
/* The page of --help. */
void vt_options_print_help(const struct vt_options_spec *spec);
/* The candidate nearest to `wrong` by edit distance, or NULL when none is near. */
const char *vt_nearest_name(const char *wrong, const char *const *names, size_t n_names);

#endif
