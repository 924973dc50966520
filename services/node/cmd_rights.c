/*
 * vitrine export and vitrine erase: what a customer may ask for. With --data they go through the
 * server that holds the folder, by its admin socket; where none runs they own the store themselves.
 * Then an erasure is carried out to its end, since nobody would be there to do it later.
 */
#include "services/client/client.h"
#include "services/common/base/clock.h"
#include "services/common/rpc/tls_options.h"
#include "services/ingest/times.h"
#include "services/node/admin_socket.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/identity_argument.h"
#include "services/node/token_key.h"
#include "services/profile/erase.h"
#include "services/profile/export.h"
#include "services/profile/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, CALL_BYTES = 64 << 10 };
static const char ACTOR[] = "command line";

struct rights_options {
    const char *customer, *identity, *data, *target, *out, *again_from, *since;
    struct vt_rpc_tls_flags tls;
    int64_t timeout_ms;
    bool now, validate_only, json;
    struct vt_client_person person; /* of `customer` and `identity` */
};

#define TEXT(name_, field_, argument_, help_)                                                      \
    {                                                                                              \
        .name = (name_), .kind = VT_OPTION_TEXT,                                                   \
        .offset = offsetof(struct rights_options, field_), .argument = (argument_),                \
        .help = (help_)                                                                            \
    }
#define FLAG(name_, field_, help_)                                                                 \
    {                                                                                              \
        .name = (name_), .kind = VT_OPTION_BOOL,                                                   \
        .offset = offsetof(struct rights_options, field_), .help = (help_)                         \
    }
/* clang-format off */
#define WHO                                                                                        \
    TEXT("customer", customer, "ID", "the customer"),                                              \
    TEXT("identity", identity, "TYPE:ID[@CHANNEL]", "the same by another id: visitor:v-17"),       \
    TEXT("data", data, "DIR", "the data folder; its server may run"),                              \
    TEXT("target", target, "ADDR", "the service to ask instead"),                                  \
    VT_TLS_OPTIONS(struct rights_options, tls)
/* clang-format on */
static const struct vt_option export_table[] = {
    WHO,
    TEXT("out", out, "FILE", "where the lines go; without it: standard output"),
};
static const struct vt_option erase_table[] = {
    WHO,
    {.name = "timeout",
     .kind = VT_OPTION_DURATION,
     .offset = offsetof(struct rights_options, timeout_ms),
     .argument = "TIME",
     .fallback = "10m",
     .help = "how long to wait",
     .min = 1,
     .max = 24 * 3600 * 1000},
    FLAG("now", now, "wait until nothing is left on the disk, instead of within --erase-within"),
    FLAG("validate-only", validate_only, "say who would be erased, and erase nobody"),
    TEXT("again-from", again_from, "FILE",
         "after restoring a backup: erase whom this newer audit log tells of; with --since"),
    TEXT("since", since, "TIME", "when that backup was made: 2026-06-30T12:00:00Z"),
    FLAG("json", json, "print the response as JSON"),
};
static const struct vt_options_spec export_spec = {
    .command = "vitrine export",
    .summary = "Writes everything held about a customer, as lines of JSON.",
    .example = "vitrine export --data data --customer C000042 --out C000042.jsonl",
    .options = export_table,
    .n_options = sizeof export_table / sizeof export_table[0],
};
static const struct vt_options_spec erase_spec = {
    .command = "vitrine erase",
    .summary = "Forgets a customer: every id, the profile, the history, the rows of the log.",
    .example = "vitrine erase --data data --customer C000042 --now",
    .options = erase_table,
    .n_options = sizeof erase_table / sizeof erase_table[0],
};

/* ---- the arguments ---- */

static struct vt_err judge(struct rights_options *options, struct vt_diag *diag)
{
    if ((options->customer != NULL) == (options->identity != NULL)) {
        vt_diag_set(diag, "customer", "say whose data: --customer or --identity, one of them");
        return VT_ERR(VT_INVALID, "nobody is named, or two are");
    }
    if ((options->data != NULL) == (options->target != NULL)) {
        vt_diag_set(diag, "data", "say where: --data or --target, one of them");
        return VT_ERR(VT_INVALID, "no place is named, or two are");
    }
    struct vt_identity identity = {VT_IDENTITY_MEMBER, vt_slice(NULL, 0),
                                   vt_slice_str(options->customer)};
    if (options->customer == NULL)
        VT_TRY(vt_identity_argument(options->identity, diag, &identity));
    VT_CHECK(vt_identity_valid(&identity, diag), VT_INVALID, "not a customer's id");
    options->person.identity = identity;
    return vt_ok();
}

static struct vt_client client_of(const struct rights_options *options, const char *target)
{
    return (struct vt_client){.target = target,
                              .tls = options->tls,
                              .timeout_ms = (uint32_t)options->timeout_ms,
                              .json = options->json};
}

/* ---- where ---- */

/* The store, or the address of the server that has it. */
struct place {
    struct vt_profile *profile; /* owned; NULL: ask `target` */
    char target[PATH_BYTES];
};

static struct vt_err find_server(const char *data_dir, struct place *place)
{
    struct vt_rpc_channel *channel = NULL;
    VT_TRY(vt_admin_connect(data_dir, &channel));
    vt_rpc_channel_free(channel);
    snprintf(place->target, sizeof place->target, "unix:%s/admin.sock", data_dir);
    return vt_ok();
}

static struct vt_err open_store(const char *data_dir, struct vt_diag *diag, struct place *place)
{
    unsigned char key[VT_TOKEN_KEY_BYTES];
    char live[PATH_BYTES];
    snprintf(live, sizeof live, "%s/live", data_dir);
    if (access(live, F_OK) != 0) { /* before a key is made in a folder that is none of ours */
        vt_diag_set(diag, data_dir, "holds no store");
        return VT_ERR_SYS(VT_NOT_FOUND, errno, "there is no store");
    }
    VT_TRY(vt_token_key_load(data_dir, diag, key));
    const struct vt_profile_options options = {.data_dir = data_dir,
                                               .clock = vt_clock_system(),
                                               .audit_key = key,
                                               .consent_default = true};
    return vt_profile_open(&options, diag, &place->profile);
}

static struct vt_err find_place(const struct rights_options *options, struct vt_diag *diag,
                                struct place *place)
{
    if (options->target != NULL) {
        snprintf(place->target, sizeof place->target, "%s", options->target);
        return vt_ok();
    }
    struct vt_err held = open_store(options->data, diag, place);
    if (held.code != VT_UNAVAILABLE || vt_failed(find_server(options->data, place)))
        return held; /* when no server answers, `diag` names who holds the folder */
    vt_diag_clear(diag);
    return vt_ok();
}

/* ---- export ---- */

static struct vt_err write_lines(struct vt_export *export, FILE *out, struct vt_diag *diag)
{
    for (bool more = true; more;) {
        struct vt_slice line;
        VT_TRY(vt_export_next(export, diag, &line, &more));
        if (!more)
            break;
        fwrite(line.data, 1, line.len, out);
        if (putc('\n', out) == EOF)
            return VT_ERR_SYS(VT_EXHAUSTED, errno, "cannot write what was exported");
    }
    return vt_ok();
}

static int export_alone(struct vt_profile *profile, const struct rights_options *options, FILE *out)
{
    struct vt_export *export = NULL;
    struct vt_diag diag = {0};
    struct vt_err err = vt_export_open(profile, &options->person.identity, ACTOR, &diag, &export);
    if (!vt_failed(err))
        err = write_lines(export, out, &diag);
    vt_export_close(export);
    return vt_failed(err) ? vt_command_fail(export_spec.command, err, &diag) : VT_EXIT_DONE;
}

static int export_to(struct place *place, const struct rights_options *options, FILE *out)
{
    struct vt_client client = client_of(options, place->target);
    int status = place->profile != NULL ? export_alone(place->profile, options, out)
                                        : vt_client_export(&client, &options->person, out);
    bool written = fflush(out) == 0 && ferror(out) == 0;
    if (status != VT_EXIT_DONE || written)
        return status;
    return vt_command_fail(export_spec.command,
                           VT_ERR_SYS(VT_EXHAUSTED, errno, "cannot write what was exported"), NULL);
}

/* For nobody else's eyes; under its name only when it is whole. */
static int export_to_file(struct place *place, const struct rights_options *options)
{
    char beside[PATH_BYTES];
    struct vt_diag diag = {0};
    snprintf(beside, sizeof beside, "%s.part", options->out);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out == NULL) {
        vt_diag_set(&diag, "out", "%s: %s", beside, strerror(errno));
        return vt_command_fail(export_spec.command,
                               VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot write there"), &diag);
    }
    int status = export_to(place, options, out);
    bool kept = status == VT_EXIT_DONE && fsync(fd) == 0 && rename(beside, options->out) == 0;
    int failure = errno;
    fclose(out);
    if (kept)
        return VT_EXIT_DONE;
    unlink(beside);
    return status != VT_EXIT_DONE
               ? status
               : vt_command_fail(export_spec.command,
                                 VT_ERR_SYS(VT_UNAVAILABLE, failure, "cannot keep the file"), NULL);
}

static int export_customer(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    struct rights_options *options = target;
    struct place place = {.profile = NULL};
    struct vt_diag diag = {0};
    struct vt_err err = judge(options, &diag);
    if (vt_failed(err))
        return vt_command_refuse(export_spec.command, err, &diag);
    err = find_place(options, &diag, &place);
    if (vt_failed(err))
        return vt_command_fail(export_spec.command, err, &diag);
    int status =
        options->out != NULL ? export_to_file(&place, options) : export_to(&place, options, stdout);
    vt_profile_close(place.profile);
    return status;
}

int vt_cmd_export(int argc, char **argv)
{
    struct rights_options options = {0};
    return vt_command_run(&export_spec, argc, argv, &options, export_customer);
}

/* ---- erase again ---- */

static struct vt_err parse_since(const char *text, struct vt_diag *diag, int64_t *ret_ms)
{
    struct vt_zone *utc = NULL;
    bool assumed;
    VT_TRY(vt_zone_new("UTC", diag, &utc));
    bool parsed = text != NULL && vt_time_parse(utc, vt_slice_str(text), ret_ms, &assumed);
    vt_zone_free(utc);
    if (parsed)
        return vt_ok();
    vt_diag_set(diag, "since", "say when the restored backup was made: 2026-06-30T12:00:00Z");
    return VT_ERR(VT_INVALID, "not a time");
}

static struct vt_err judge_again(const struct rights_options *options, struct vt_diag *diag,
                                 int64_t *ret_since_ms)
{
    if (options->data == NULL || options->customer != NULL || options->identity != NULL) {
        vt_diag_set(diag, "again-from", "takes --data and --since, and names nobody");
        return VT_ERR(VT_INVALID, "arguments that do not go together");
    }
    return parse_since(options->since, diag, ret_since_ms);
}

/* Before the restored store is served: what is erased again must not have been told meanwhile. */
static int erase_again(const struct rights_options *options)
{
    struct place place = {.profile = NULL};
    struct vt_diag diag = {0};
    int64_t since_ms = 0;
    uint64_t n_erased = 0;
    struct vt_err err = judge_again(options, &diag, &since_ms);
    if (vt_failed(err))
        return vt_command_refuse(erase_spec.command, err, &diag);
    err = open_store(options->data, &diag, &place);
    if (!vt_failed(err))
        err = vt_profile_reapply_erasures(place.profile, options->again_from, since_ms, &diag,
                                          &n_erased);
    vt_profile_close(place.profile);
    if (!vt_failed(err) && options->json)
        err = vt_command_print_json(json_pack("{s:I}", "erased", (json_int_t)n_erased));
    else if (!vt_failed(err))
        printf("%llu customers erased again\n", (unsigned long long)n_erased);
    return vt_failed(err) ? vt_command_fail(erase_spec.command, err, &diag) : VT_EXIT_DONE;
}

/* ---- erase ---- */

static int erase_alone(struct vt_profile *profile, const struct rights_options *options)
{
    struct vt_diag diag = {0};
    struct vt_arena arena;
    struct vt_erasure_result result;
    const struct vt_erasure erasure = {
        .now = true, .validate_only = options->validate_only, .actor = ACTOR};
    if (!vt_arena_init_owned(&arena, CALL_BYTES))
        return vt_command_fail(erase_spec.command, VT_ERR(VT_EXHAUSTED, "out of memory"), NULL);
    struct vt_request request = {.arena = &arena, .diag = &diag, .deadline_ns = INT64_MAX};
    struct vt_err err =
        vt_profile_erase(profile, &request, &options->person.identity, &erasure, &result);
    vt_arena_fini(&arena);
    if (vt_failed(err))
        return vt_command_fail(erase_spec.command, err, &diag);
    const struct vt_client_erased erased = {.receipt = result.receipt,
                                            .customer_number = result.customer_number,
                                            .n_customers = result.n_customers,
                                            .done = result.done,
                                            .complete_by_ms = result.complete_by_ms};
    return vt_client_print_erased(options->json, &erased);
}

static int erase_customer(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    struct rights_options *options = target;
    struct place place = {.profile = NULL};
    struct vt_diag diag = {0};
    if (options->again_from != NULL)
        return erase_again(options);
    struct vt_err err = judge(options, &diag);
    if (vt_failed(err))
        return vt_command_refuse(erase_spec.command, err, &diag);
    err = find_place(options, &diag, &place);
    if (vt_failed(err))
        return vt_command_fail(erase_spec.command, err, &diag);
    struct vt_client client = client_of(options, place.target);
    int status = place.profile != NULL ? erase_alone(place.profile, options)
                                       : vt_client_erase(&client, &options->person, options->now,
                                                         options->validate_only);
    vt_profile_close(place.profile);
    return status;
}

int vt_cmd_erase(int argc, char **argv)
{
    struct rights_options options = {0};
    return vt_command_run(&erase_spec, argc, argv, &options, erase_customer);
}
