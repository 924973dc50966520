#include "services/common/base/file.h"
#include "services/common/base/options.h"
#include "tests/testlib/testlib.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct values {
    bool dry_run, json;
    uint32_t port;
    uint64_t seed, room;
    double weight;
    const char *data, *role;
    int64_t timeout_ms;
    struct vt_option_list map;
    uint32_t n;
};

#define FIELD(name_) offsetof(struct values, name_)

static const struct vt_option table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = FIELD(data),
     .argument = "DIR",
     .help = "the folder that holds everything",
     .required = true},
    {.name = "dry-run", .kind = VT_OPTION_BOOL, .offset = FIELD(dry_run), .help = "only look"},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = FIELD(json),
     .help = "JSON",
     .flag_only = true},
    {.name = "port",
     .kind = VT_OPTION_U32,
     .offset = FIELD(port),
     .argument = "N",
     .help = "port",
     .fallback = "7400",
     .min = 1,
     .max = 65535},
    {.name = "seed", .kind = VT_OPTION_U64, .offset = FIELD(seed), .help = "seed"},
    {.name = "room",
     .kind = VT_OPTION_SIZE,
     .offset = FIELD(room),
     .help = "size",
     .fallback = "1KiB",
     .max = 1ull << 40},
    {.name = "source-weights.factor",
     .kind = VT_OPTION_F64,
     .offset = FIELD(weight),
     .help = "weight",
     .fallback = "0.5",
     .min = -1,
     .max = 1},
    {.name = "role",
     .kind = VT_OPTION_CHOICE,
     .offset = FIELD(role),
     .help = "what to run",
     .fallback = "all",
     .choices = "all|profile|candidate|ranking"},
    {.name = "timeout",
     .kind = VT_OPTION_DURATION,
     .offset = FIELD(timeout_ms),
     .help = "wait",
     .fallback = "5s",
     .min = 0,
     .max = 3600000},
    {.name = "map",
     .kind = VT_OPTION_LIST,
     .offset = FIELD(map),
     .argument = "A=B",
     .help = "columns",
     .fallback = "x=y,z=w"},
    {.name = "n", .kind = VT_OPTION_U32, .offset = FIELD(n), .help = "how many", .fallback = "10"},
};

static const struct vt_options_spec spec = {
    .command = "vitrine try",
    .summary = "tries things",
    .example = "vitrine try --data d",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .positional = "FILE...",
    .max_positional = 2,
    .layered = true,
};

struct trial {
    struct values values;
    struct vt_options options;
    struct vt_diag diag;
    bool help;
};

/* Parses the words of `line`, cut at spaces; "--data d" is given unless it begins with '!'. */
static struct vt_err try_line(struct trial *trial, const char *line)
{
    static char words[1024];
    char *argv[32] = {(char[]){"try"}, (char[]){"--data"}, (char[]){"d"}};
    int argc = line[0] == '!' ? 1 : 3;
    snprintf(words, sizeof words, "%s", line[0] == '!' ? line + 1 : line);
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    *trial = (struct trial){0};
    return vt_options_parse(&spec, argc, argv, &trial->values, &trial->options, &trial->help,
                            &trial->diag);
}

struct config {
    char *folder;
    char path[PATH_MAX];
    char line[PATH_MAX + 16];
};

static void config_write(struct config *config, const char *yaml)
{
    config->folder = vt_test_folder_new();
    snprintf(config->path, sizeof config->path, "%.3000s/c.yaml", config->folder);
    snprintf(config->line, sizeof config->line, "--config %s", config->path);
    assert_ok(vt_file_write_atomic(config->path, vt_slice_str(yaml), NULL));
}

static void defaults_stand_when_nothing_is_said(void **state)
{
    (void)state;
    struct trial trial;
    assert_ok(try_line(&trial, ""));
    assert_int_equal(trial.values.port, 7400);
    assert_float_equal(trial.values.weight, 0.5, 0);
    assert_string_equal(trial.values.role, "all");
    assert_int_equal(trial.values.timeout_ms, 5000);
    assert_int_equal(trial.values.map.n, 2);
    assert_string_equal(trial.values.map.items[1], "z=w");
    assert_null(trial.values.map.items[2]);
    assert_false(trial.values.dry_run);
    vt_options_fini(&trial.options);
}

static void flags_are_read_in_all_their_spellings(void **state)
{
    (void)state;
    struct trial trial;
    assert_ok(try_line(&trial,
                       "--port=80 --seed 18446744073709551615 --dry-run --json=false "
                       "--timeout 14m --room 512KiB --map a=b one --map c=d -n 3 -- --two"));
    assert_int_equal(trial.values.port, 80);
    assert_true(trial.values.seed == UINT64_MAX);
    assert_true(trial.values.dry_run);
    assert_int_equal(trial.values.timeout_ms, 14 * 60000);
    assert_true(trial.values.room == 512 << 10);
    assert_int_equal(trial.values.map.n, 2);
    assert_string_equal(trial.values.map.items[0], "a=b");
    assert_int_equal(trial.values.n, 3);
    assert_int_equal(trial.options.n_positional, 2);
    assert_string_equal(trial.options.positional[0], "one");
    assert_string_equal(trial.options.positional[1], "--two");
    vt_options_fini(&trial.options);
}

static void wrong_flags_say_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } wrong[] = {
        {"--prot 1", "unknown option '--prot', did you mean '--port'?"},
        {"--tiemout 1s", "did you mean '--timeout'?"},
        {"--confg x", "did you mean '--config'?"},
        {"--xylophone 1", "vitrine try --help lists what there is"},
        {"--port", "--port needs a value: --port N"},
        {"--port 0", "--port: '0' is not a whole number from 1 to 65535"},
        {"--port 65536", "--port: '65536' is not a whole number from 1 to 65535"},
        {"--port -1", "'-1' is not a whole number"},
        {"--port 1x", "'1x' is not a whole number"},
        {"--port=", "'' is not a whole number"},
        {"--n 4294967296", "-n: '4294967296' is not a whole number"},
        {"--seed 18446744073709551616", "is not a whole number"},
        {"--source-weights.factor nan", "'nan' is not a finite number from -1 to 1"},
        {"--source-weights.factor 1e999", "is not a finite number"},
        {"--source-weights.factor 0x1", "is not a finite number"},
        {"--source-weights.factor 1.01", "is not a finite number from -1 to 1"},
        {"--role rank", "--role: 'rank' is not one of all|profile|candidate|ranking"},
        {"--role all|profile", "is not one of"},
        {"--timeout 5", "'5' is not a duration such as 250ms, 5s"},
        {"--timeout 1.5s", "is not a duration"},
        {"--timeout 61m", "is not a duration"},
        {"--timeout 9223372036854775807d", "is not a duration"},
        {"--room 5KB", "'5KB' is not a size such as 4096, 512KiB"},
        {"--room 1.5MiB", "is not a size"},
        {"--room 2TiB", "is not a size"},
        {"--room 17179869184GiB", "is not a size"},
        {"--dry-run=yes", "'yes' is not true or false"},
        {"--data \xFF", "is not UTF-8 text"},
        {"one two three", "does not know what to do with 'three'"},
        {"!", "--data DIR is needed: the folder that holds everything"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct trial trial;
        assert_code(try_line(&trial, wrong[i].line), VT_INVALID);
        if (strstr(trial.diag.text, wrong[i].says) == NULL)
            fail_msg("%s: says '%s', not '%s'", wrong[i].line, trial.diag.text, wrong[i].says);
    }
}

static void later_sources_win(void **state)
{
    (void)state;
    struct config config;
    struct trial trial;
    config_write(&config, "port: 1\nseed: 1\nrole: profile\nmap: [f=1, f=2, f=3]\n");
    setenv("VITRINE_SEED", "2", 1);
    setenv("VITRINE_ROLE", "candidate", 1);
    setenv("VITRINE_SOURCE_WEIGHTS_FACTOR", "0.25", 1);
    strcat(config.line, " --role ranking");
    struct vt_err err = try_line(&trial, config.line);
    unsetenv("VITRINE_SEED");
    unsetenv("VITRINE_ROLE");
    unsetenv("VITRINE_SOURCE_WEIGHTS_FACTOR");
    assert_ok(err);
    assert_int_equal(trial.values.port, 1);
    assert_int_equal(trial.values.seed, 2);
    assert_float_equal(trial.values.weight, 0.25, 0);
    assert_string_equal(trial.values.role, "ranking");
    assert_int_equal(trial.values.map.n, 3);
    vt_options_fini(&trial.options);
    vt_test_folder_remove(config.folder);
}

static void yaml_takes_dotted_keys_and_nested_maps(void **state)
{
    (void)state;
    static const char *const same[] = {"source-weights.factor: -0.5\n",
                                       "source-weights:\n  factor: -0.5\n",
                                       "{source-weights: {factor: -0.5}}"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct config config;
        struct trial trial;
        config_write(&config, same[i]);
        assert_ok(try_line(&trial, config.line));
        assert_float_equal(trial.values.weight, -0.5, 0);
        vt_options_fini(&trial.options);
        vt_test_folder_remove(config.folder);
    }
}

static void empty_yaml_changes_nothing(void **state)
{
    (void)state;
    static const char *const empty[] = {"", "# nothing\n", "{}\n", "---\n{}\n...\n"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        struct config config;
        struct trial trial;
        config_write(&config, empty[i]);
        assert_ok(try_line(&trial, config.line));
        assert_int_equal(trial.values.port, 7400);
        vt_options_fini(&trial.options);
        vt_test_folder_remove(config.folder);
    }
}

static void wrong_yaml_names_file_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        uint64_t line;
        const char *says;
    } wrong[] = {
        {"seed: 1\nprot: 2\n", 2, "c.yaml:2: unknown key 'prot', did you mean 'port'?"},
        {"\n\nport: many\n", 3, "c.yaml:3: key 'port': 'many' is not a whole number from 1 to"},
        {"json: true\n", 1, "unknown key 'json'"}, /* flag only */
        {"port: 1\nport: 2\n", 2, "key 'port' stands on line 1 already"},
        {"port: [1]\n", 1, "takes one value, not a list"},
        {"map:\n  - a\n  - [b]\n", 3, "a list can not stand here"},
        {"map:\n  - a: b\n", 2, "a map can not stand here"},
        {"map: [a]\nmap: [b]\n", 2, "stands on line 1 already"},
        {"- port\n", 1, "a list can not stand here"},
        {"port\n", 1, "expected lines of the form 'key: value'"},
        {"a: {b: {c: {d: {e: 1}}}}\n", 1, "maps are nested too deeply"},
        {"port: &p 1\n", 1, "anchors and aliases"},
        {"seed: 1\nport: *p\n", 2, "anchors and aliases"},
        {"port: 1\n---\nport: 2\n", 2, "a second document"},
        {"seed: 1\nport: }\n", 2, "c.yaml:2: "},
        {"data: \"a\\0b\"\n", 1, "is not UTF-8 text without NUL"},
        {"role: \xFF\n", 1, "c.yaml:"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct config config;
        struct trial trial;
        config_write(&config, wrong[i].yaml);
        assert_code(try_line(&trial, config.line), VT_INVALID);
        if (trial.diag.line != wrong[i].line || strstr(trial.diag.text, wrong[i].says) == NULL)
            fail_msg("%s: line %d, '%s'", wrong[i].yaml, (int)trial.diag.line, trial.diag.text);
        vt_test_folder_remove(config.folder);
    }
}

static void missing_file_and_wrong_environment_are_named(void **state)
{
    (void)state;
    struct trial trial;
    assert_code(try_line(&trial, "--config /nowhere/c.yaml"), VT_NOT_FOUND);
    assert_non_null(strstr(trial.diag.text, "/nowhere/c.yaml"));
    setenv("VITRINE_PORT", "high", 1);
    struct vt_err err = try_line(&trial, "");
    unsetenv("VITRINE_PORT");
    assert_code(err, VT_INVALID);
    assert_non_null(strstr(trial.diag.text, "environment VITRINE_PORT: 'high'"));
}

static void large_file_is_refused(void **state)
{
    (void)state;
    struct config config;
    struct trial trial;
    config_write(&config, "");
    assert_int_equal(truncate(config.path, (1 << 20) + 1), 0);
    assert_code(try_line(&trial, config.line), VT_EXHAUSTED);
    vt_test_folder_remove(config.folder);
}

static void help_wins_over_what_is_missing(void **state)
{
    (void)state;
    struct trial trial;
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    FILE *page = tmpfile();
    dup2(fileno(page), STDOUT_FILENO);
    struct vt_err err = try_line(&trial, "!--help");
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    char text[8192];
    rewind(page);
    text[fread(text, 1, sizeof text - 1, page)] = '\0';
    fclose(page);
    assert_ok(err);
    assert_true(trial.help);
    for (size_t i = 0; i < spec.n_options; i++)
        assert_non_null(strstr(text, table[i].name));
    assert_non_null(strstr(text, "vitrine try --data d"));
    assert_non_null(strstr(text, "(all|profile|candidate|ranking) [all]"));
    vt_options_fini(&trial.options);
}

static void nearest_name_forgives_little(void **state)
{
    (void)state;
    static const char *const names[] = {"train", "tune", "serve", "recommend"};
    assert_string_equal(vt_nearest_name("tarin", names, 4), "train");
    assert_string_equal(vt_nearest_name("recomend", names, 4), "recommend");
    assert_string_equal(vt_nearest_name("servee", names, 4), "serve");
    assert_null(vt_nearest_name("x", names, 4));
    assert_null(vt_nearest_name("", names, 4));
    assert_null(vt_nearest_name("completely-different", names, 4));
    char long_name[200];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_null(vt_nearest_name(long_name, names, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_when_nothing_is_said),
        cmocka_unit_test(flags_are_read_in_all_their_spellings),
        cmocka_unit_test(wrong_flags_say_what_would_be_right),
        cmocka_unit_test(later_sources_win),
        cmocka_unit_test(yaml_takes_dotted_keys_and_nested_maps),
        cmocka_unit_test(empty_yaml_changes_nothing),
        cmocka_unit_test(wrong_yaml_names_file_line_and_key),
        cmocka_unit_test(missing_file_and_wrong_environment_are_named),
        cmocka_unit_test(large_file_is_refused),
        cmocka_unit_test(help_wins_over_what_is_missing),
        cmocka_unit_test(nearest_name_forgives_little),
    };
    return cmocka_run_group_tests_name("base/options", tests, NULL, NULL);
}
