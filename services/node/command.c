/*
 * What every subcommand does around its work, once: arguments in, exit status out, mistakes on
 * standard error with the command's name, results on standard output. One thread.
 */
#include "services/node/command.h"

#include <stdio.h>
#include <string.h>

static void print_error(const char *command, struct vt_err err, const struct vt_diag *diag)
{
    bool told = diag != NULL && diag->text[0] != '\0';
    const char *field = told ? diag->field : "";
    fprintf(stderr, "%s: %s%s%s%s%s\n", command, field, field[0] != '\0' ? ": " : "",
            told ? diag->text : err.what, err.sys != 0 && !told ? ": " : "",
            err.sys != 0 && !told ? strerror(err.sys) : "");
}

int vt_command_fail(const char *command, struct vt_err err, const struct vt_diag *diag)
{
    print_error(command, err, diag);
    return VT_EXIT_FAILED;
}

int vt_command_refuse(const char *command, struct vt_err err, const struct vt_diag *diag)
{
    print_error(command, err, diag);
    fprintf(stderr, "see %s --help\n", command);
    return VT_EXIT_USAGE;
}

struct vt_err vt_command_print_json(json_t *object)
{
    bool printed = object != NULL && json_dumpf(object, stdout, JSON_COMPACT) == 0;
    json_decref(object);
    VT_CHECK(printed, VT_INTERNAL, "a number of the result is not finite, or memory is short");
    putchar('\n');
    return vt_ok();
}

int vt_command_run(const struct vt_options_spec *spec, int argc, char **argv, void *target,
                   int (*run)(void *target, const struct vt_options *options))
{
    struct vt_options options = {0};
    struct vt_diag diag = {0};
    bool help = false;
    struct vt_err err = vt_options_parse(spec, argc, argv, target, &options, &help, &diag);
    int status = VT_EXIT_DONE;
    if (vt_failed(err)) {
        fprintf(stderr, "%s: %s\n", spec->command, diag.text[0] != '\0' ? diag.text : err.what);
        status = VT_EXIT_USAGE;
    } else if (!help) {
        status = run(target, &options);
    }
    vt_options_fini(&options);
    return status;
}
