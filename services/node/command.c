#include "services/node/command.h"

#include <stdio.h>
#include <string.h>

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

int vt_command_fail(const char *command, struct vt_err err, const struct vt_diag *diag)
{
    bool told = diag != NULL && diag->text[0] != '\0';
    const char *field = told ? diag->field : "";
    fprintf(stderr, "%s: %s%s%s%s%s", command, field, field[0] != '\0' ? ": " : "",
            told ? diag->text : err.what, err.sys != 0 && !told ? ": " : "",
            err.sys != 0 && !told ? strerror(err.sys) : "");
    fputc('\n', stderr);
    return VT_EXIT_FAILED;
}
