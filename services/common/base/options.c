/*
 * From a table to a filled struct: defaults first, then the configuration file, the environment and
 * the flags, each through the same vt__option_set, so that a value means and may be the same
 * wherever it comes from. Runs once at start on the main thread; nothing here is shared.
 *
 * options_value.c judges and stores one value, options_yaml.c reads the file, options_help.c prints
 * the page, nearest_name.c finds what was meant.
 */
#include "services/common/base/options.h"

#include "services/common/base/options_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENV_NAME_BYTES = 96, OPTIONS_MAX = 256 };

void vt__option_env_name(const struct vt_option *option, char *ret_name, size_t size_bytes)
{
    snprintf(ret_name, size_bytes, "VITRINE_%s", option->name);
    for (char *c = ret_name; *c != '\0'; c++)
        *c = *c == '-' || *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

const char *vt__option_keep(struct vt__storage *storage, struct vt_slice text)
{
    struct vt__kept *kept = malloc(sizeof *kept + text.len + 1);
    if (kept == NULL)
        return NULL;
    if (text.len > 0)
        memcpy(kept->text, text.data, text.len);
    kept->text[text.len] = '\0';
    kept->next = storage->kept;
    storage->kept = kept;
    return kept->text;
}

static void suggest(const struct vt_options_spec *spec, struct vt_slice wrong, bool key,
                    const char *where, struct vt_diag *diag)
{
    const char *names[OPTIONS_MAX + 2];
    size_t n = 0;
    for (size_t i = 0; i < spec->n_options && n < OPTIONS_MAX; i++)
        if (!key || !spec->options[i].flag_only)
            names[n++] = spec->options[i].name;
    if (!key)
        names[n++] = "help";
    if (!key && spec->layered)
        names[n++] = "config";
    char name[VT_DIAG_FIELD_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)(wrong.len < 64 ? wrong.len : 64), wrong.data);
    const char *nearest = vt_nearest_name(name, names, n);
    const char *dashes = key ? "" : "--";
    if (nearest != NULL)
        vt_diag_set(diag, name, "%sunknown %s '%s%s', did you mean '%s%s'?", where,
                    key ? "key" : "option", dashes, name, dashes, nearest);
    else
        vt_diag_set(diag, name, "%sunknown %s '%s%s'; %s --help lists what there is", where,
                    key ? "key" : "option", dashes, name, spec->command);
}

struct vt_err vt__option_find(const struct vt_options_spec *spec, struct vt_slice name, bool key,
                              const char *where, struct vt_diag *diag,
                              const struct vt_option **ret_option)
{
    for (size_t i = 0; i < spec->n_options; i++) {
        const struct vt_option *option = &spec->options[i];
        if (vt_slice_equal(name, vt_slice_str(option->name)) && !(key && option->flag_only)) {
            *ret_option = option;
            return vt_ok();
        }
    }
    suggest(spec, name, key, where, diag);
    return VT_ERR(VT_INVALID, "unknown option");
}

/* What the walk over argv meets, in order. */
struct arguments {
    struct vt__assignment *flags; /* owned */
    size_t n_flags;
    const char **positional; /* the storage owns it */
    size_t n_positional;
    bool help;
};

/* --config where the table has no option of that name itself. */
static const struct vt_option implicit_config = {.name = "config", .kind = VT_OPTION_TEXT};

static struct vt_err find_flag(const struct vt_options_spec *spec, struct vt_slice name,
                               struct vt_diag *diag, const struct vt_option **ret_option)
{
    struct vt_diag unused;
    if (spec->layered && vt_slice_equal(name, vt_slice_str("config"))) {
        *ret_option = &implicit_config;
        vt_err_ignore(vt__option_find(spec, name, false, "", &unused, ret_option),
                      "the table need not have it");
        return vt_ok();
    }
    return vt__option_find(spec, name, false, "", diag, ret_option);
}

/* Reads the flag at argv[*index] and its value, which may be the next argument. */
static struct vt_err read_flag(const struct vt_options_spec *spec, int argc, char **argv,
                               int *index, struct vt_diag *diag, struct vt__assignment *ret_flag)
{
    const char *text = argv[*index] + (argv[*index][1] == '-' ? 2 : 1);
    const char *equals = strchr(text, '=');
    struct vt_slice name = vt_slice(text, equals != NULL ? (size_t)(equals - text) : strlen(text));
    const struct vt_option *option = NULL;
    VT_TRY(find_flag(spec, name, diag, &option));
    struct vt__assignment flag = {.option = option, .source = VT__SOURCE_FLAG};
    if (equals != NULL) {
        flag.value = vt_slice_str(equals + 1);
    } else if (option->kind == VT_OPTION_BOOL) {
        flag.value = vt_slice_str("true");
    } else if (*index + 1 < argc) {
        flag.value = vt_slice_str(argv[++*index]);
    } else {
        vt_diag_set(diag, option->name, "--%s needs a value: --%s %s", option->name, option->name,
                    option->argument != NULL ? option->argument : "VALUE");
        return VT_ERR(VT_INVALID, "an option lacks its value");
    }
    *ret_flag = flag;
    return vt_ok();
}

static bool is_flag(const char *argument)
{
    return argument[0] == '-' && argument[1] != '\0';
}

static struct vt_err read_arguments(const struct vt_options_spec *spec, int argc, char **argv,
                                    struct vt_diag *diag, struct arguments *arguments)
{
    bool only_positional = false;
    for (int i = 1; i < argc; i++) {
        if (only_positional || !is_flag(argv[i])) {
            arguments->positional[arguments->n_positional++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_positional = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            arguments->help = true;
            return vt_ok();
        } else {
            VT_TRY(read_flag(spec, argc, argv, &i, diag, &arguments->flags[arguments->n_flags]));
            arguments->n_flags++;
        }
    }
    return vt_ok();
}

static struct vt_err check_positional(const struct vt_options_spec *spec,
                                      const struct arguments *arguments, struct vt_diag *diag)
{
    if (arguments->n_positional < spec->min_positional) {
        vt_diag_set(diag, NULL, "needs %s; for example: %s",
                    spec->positional != NULL ? spec->positional : "an argument", spec->example);
        return VT_ERR(VT_INVALID, "an argument is missing");
    }
    if (arguments->n_positional > spec->max_positional) {
        vt_diag_set(diag, NULL, "does not know what to do with '%s'",
                    arguments->positional[spec->max_positional]);
        return VT_ERR(VT_INVALID, "there are too many arguments");
    }
    return vt_ok();
}

static struct vt_err set_defaults(struct vt__storage *storage, struct vt_diag *diag)
{
    for (size_t i = 0; i < storage->spec->n_options; i++) {
        const struct vt_option *option = &storage->spec->options[i];
        if (option->fallback == NULL)
            continue;
        struct vt__assignment assignment = {.option = option,
                                            .value = vt_slice_str(option->fallback),
                                            .source = VT__SOURCE_DEFAULT};
        VT_TRY(vt__option_set(storage, &assignment, diag));
    }
    return vt_ok();
}

static struct vt_err set_from_environment(struct vt__storage *storage, struct vt_diag *diag)
{
    for (size_t i = 0; i < storage->spec->n_options; i++) {
        const struct vt_option *option = &storage->spec->options[i];
        char name[ENV_NAME_BYTES];
        vt__option_env_name(option, name, sizeof name);
        const char *value = option->flag_only ? NULL : getenv(name);
        if (value == NULL)
            continue;
        struct vt__assignment assignment = {
            .option = option, .value = vt_slice_str(value), .source = VT__SOURCE_ENV};
        VT_TRY(vt__option_set(storage, &assignment, diag));
    }
    return vt_ok();
}

static struct vt_err set_from_flags(struct vt__storage *storage, const struct arguments *arguments,
                                    struct vt_diag *diag)
{
    for (size_t i = 0; i < arguments->n_flags; i++)
        if (arguments->flags[i].option != &implicit_config)
            VT_TRY(vt__option_set(storage, &arguments->flags[i], diag));
    return vt_ok();
}

static struct vt_err check_required(const struct vt__storage *storage, struct vt_diag *diag)
{
    for (size_t i = 0; i < storage->spec->n_options; i++) {
        const struct vt_option *option = &storage->spec->options[i];
        if (!option->required || storage->states[i].source != VT__SOURCE_NONE)
            continue;
        vt_diag_set(diag, option->name, "--%s %s is needed: %s", option->name,
                    option->argument != NULL ? option->argument : "VALUE", option->help);
        return VT_ERR(VT_INVALID, "a required option is missing");
    }
    return vt_ok();
}

static const char *config_path(const struct arguments *arguments)
{
    const char *path = NULL;
    for (size_t i = 0; i < arguments->n_flags; i++)
        if (strcmp(arguments->flags[i].option->name, "config") == 0)
            path = arguments->flags[i].value.data; /* of argv, so it ends with NUL */
    return path;
}

/* All sources in the order of their rank. */
static struct vt_err fill(struct vt__storage *storage, const struct arguments *arguments,
                          struct vt_diag *diag)
{
    VT_TRY(set_defaults(storage, diag));
    if (storage->spec->layered) {
        const char *path = config_path(arguments);
        if (path != NULL)
            VT_TRY(vt__options_load_yaml(storage, path, diag));
        VT_TRY(set_from_environment(storage, diag));
    }
    VT_TRY(set_from_flags(storage, arguments, diag));
    VT_TRY(check_positional(storage->spec, arguments, diag));
    return check_required(storage, diag);
}

static struct vt_err storage_new(const struct vt_options_spec *spec, int argc, void *target,
                                 struct vt_options *options, struct vt__storage **ret_storage)
{
    struct vt__storage *storage = calloc(1, sizeof *storage);
    options->storage = storage;
    VT_CHECK(storage != NULL, VT_EXHAUSTED, "no memory for options");
    storage->spec = spec;
    storage->target = target;
    storage->positional = calloc((size_t)argc + 1, sizeof *storage->positional);
    storage->states = calloc(spec->n_options + 1, sizeof *storage->states);
    VT_CHECK(storage->positional != NULL && storage->states != NULL, VT_EXHAUSTED,
             "no memory for options");
    *ret_storage = storage;
    return vt_ok();
}

struct vt_err vt_options_parse(const struct vt_options_spec *spec, int argc, char **argv,
                               void *target, struct vt_options *ret_options, bool *ret_help,
                               struct vt_diag *diag)
{
    VT_ASSERT(spec->n_options <= OPTIONS_MAX);
    struct vt_options options = {0};
    struct vt__storage *storage = NULL;
    struct arguments arguments = {0};
    struct vt_err err = storage_new(spec, argc, target, &options, &storage);
    if (vt_failed(err))
        goto done;
    err = VT_ERR(VT_EXHAUSTED, "no memory for options");
    arguments.positional = storage->positional;
    arguments.flags = calloc((size_t)argc + 1, sizeof *arguments.flags);
    if (arguments.flags == NULL)
        goto done;
    err = read_arguments(spec, argc, argv, diag, &arguments);
    if (!vt_failed(err) && !arguments.help)
        err = fill(storage, &arguments, diag);
    if (!vt_failed(err) && arguments.help)
        vt_options_print_help(spec);
done:
    free(arguments.flags);
    if (vt_failed(err)) {
        vt_options_fini(&options);
        return err;
    }
    options.positional = arguments.positional;
    options.n_positional = arguments.n_positional;
    *ret_options = options;
    *ret_help = arguments.help;
    return vt_ok();
}

static void free_lists(struct vt__storage *storage)
{
    for (size_t i = 0; i < storage->spec->n_options; i++) {
        const struct vt_option *option = &storage->spec->options[i];
        if (option->kind != VT_OPTION_LIST || storage->states[i].capacity == 0)
            continue;
        struct vt_option_list *list = (void *)((char *)storage->target + option->offset);
        free(list->items);
        *list = (struct vt_option_list){0};
    }
}

void vt_options_fini(struct vt_options *options)
{
    struct vt__storage *storage = options->storage;
    if (storage == NULL)
        return;
    if (storage->states != NULL)
        free_lists(storage);
    while (storage->kept != NULL) {
        struct vt__kept *kept = storage->kept;
        storage->kept = kept->next;
        free(kept);
    }
    free(storage->positional);
    free(storage->states);
    free(storage);
    *options = (struct vt_options){0};
}
