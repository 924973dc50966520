/*
 * `vitrine doctor`: what is wrong with this machine or folder, and what to do. Findings are printed
 * as they come; the exit status is 1 when one of them is bad.
 */
#include "services/common/base/options.h"
#include "services/common/rpc/tls_options.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { WHAT_BYTES = 1024 };

struct doctor_options {
    const char *data_dir;
    struct vt_rpc_tls_flags tls;
    bool json;
};

static const struct vt_option option_table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = offsetof(struct doctor_options, data_dir),
     .argument = "DIR",
     .help = "a data folder to look at too; its server may run",
     .flag_only = true},
    VT_TLS_OPTIONS(struct doctor_options, tls),
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = offsetof(struct doctor_options, json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine doctor",
    .summary = "Say what is wrong with this machine or a data folder, and what to do.",
    .example = "vitrine doctor --data data",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

struct doctor_run {
    unsigned n[VT_DOCTOR_BAD + 1]; /* by level */
    json_t *findings;              /* NULL: they are printed */
};

const char *vt_doctor_level_name(enum vt_doctor_level level)
{
    static const char *const names[] = {"ok", "warn", "bad"};
    return names[level];
}

void vt_doctor_say(const struct vt_doctor *doctor, enum vt_doctor_level level, const char *check,
                   const char *todo, const char *format, ...)
{
    char what[WHAT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const struct vt_doctor_finding finding = {level, check, what, todo};
    doctor->found(doctor->ctx, &finding);
}

static void on_finding(void *ctx, const struct vt_doctor_finding *finding)
{
    struct doctor_run *run = ctx;
    const char *level = vt_doctor_level_name(finding->level);
    run->n[finding->level]++;
    if (run->findings != NULL) {
        json_array_append_new(run->findings, json_pack("{s:s, s:s, s:s, s:s}", "level", level,
                                                       "check", finding->check, "what",
                                                       finding->what, "do", finding->todo));
        return;
    }
    printf("%-4s  %s: %s\n", level, finding->check, finding->what);
    if (finding->todo[0] != '\0')
        printf("      to do: %s\n", finding->todo);
}

static void look(const struct vt_doctor *doctor)
{
    struct stat info;
    vt_doctor_check_machine(doctor);
    if (doctor->data_dir == NULL)
        return;
    if (stat(doctor->data_dir, &info) != 0 || !S_ISDIR(info.st_mode)) {
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "folder",
                      "check the path, and that its disk is mounted",
                      "%s is no folder we can reach: %s", doctor->data_dir,
                      strerror(errno != 0 ? errno : ENOTDIR));
        return;
    }
    vt_doctor_check_disk(doctor);
    vt_doctor_check_folder(doctor);
}

static struct vt_err print_json(const struct doctor_run *run)
{
    return vt_command_print_json(json_pack("{s:b, s:i, s:i, s:O}", "ok", run->n[VT_DOCTOR_BAD] == 0,
                                           "warn", (int)run->n[VT_DOCTOR_WARN], "bad",
                                           (int)run->n[VT_DOCTOR_BAD], "findings", run->findings));
}

static int run_doctor(void *target, const struct vt_options *options)
{
    const struct doctor_options *told = target;
    struct doctor_run run = {.findings = told->json ? json_array() : NULL};
    const struct vt_doctor doctor = {
        .data_dir = told->data_dir, .tls = told->tls, .found = on_finding, .ctx = &run};
    (void)options;
    look(&doctor);
    struct vt_err err = vt_ok();
    if (told->json)
        err = print_json(&run);
    else
        printf("\n%u ok, %u to look at, %u bad\n", run.n[VT_DOCTOR_OK], run.n[VT_DOCTOR_WARN],
               run.n[VT_DOCTOR_BAD]);
    json_decref(run.findings);
    if (vt_failed(err))
        return vt_command_fail(options_spec.command, err, NULL);
    return run.n[VT_DOCTOR_BAD] == 0 ? VT_EXIT_DONE : VT_EXIT_FAILED;
}

int vt_cmd_doctor(int argc, char **argv)
{
    struct doctor_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_doctor);
}
