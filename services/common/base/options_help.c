/*
 * The page of --help, made from the table that the parser reads, so that it can not be wrong about
 * names, defaults and limits.
 */
#include "services/common/base/options_internal.h"

#include <stdio.h>
#include <string.h>

enum { LEFT_COLUMNS = 28, PAGE_COLUMNS = 96, DETAIL_BYTES = 1024 };

/* Words of `text` in the right column, the first line where the cursor is. */
static void print_wrapped(const char *text)
{
    size_t column = LEFT_COLUMNS;
    for (const char *word = text; *word != '\0';) {
        size_t len = strcspn(word, " ");
        if (column > LEFT_COLUMNS && column + 1 + len > PAGE_COLUMNS) {
            printf("\n%*s", LEFT_COLUMNS, "");
            column = LEFT_COLUMNS;
        }
        printf("%s%.*s", column > LEFT_COLUMNS ? " " : "", (int)len, word);
        column += len + (column > LEFT_COLUMNS ? 1 : 0);
        word += len;
        word += strspn(word, " ");
    }
    putchar('\n');
}

static void print_left(const char *text)
{
    int len = printf("  %s", text);
    if (len < LEFT_COLUMNS - 1)
        printf("%*s", LEFT_COLUMNS - len, "");
    else
        printf("\n%*s", LEFT_COLUMNS, "");
}

static void print_option(const struct vt_option *option)
{
    char left[128], detail[DETAIL_BYTES];
    snprintf(left, sizeof left, "%s%s%s%s", option->name[1] == '\0' ? "-" : "--", option->name,
             option->argument != NULL ? " " : "", option->argument != NULL ? option->argument : "");
    bool show_fallback = option->fallback != NULL && option->kind != VT_OPTION_BOOL;
    snprintf(detail, sizeof detail, "%s%s%s%s%s%s%s%s%s", option->help,
             option->choices != NULL ? " (" : "", option->choices != NULL ? option->choices : "",
             option->choices != NULL ? ")" : "", show_fallback ? " [" : "",
             show_fallback ? option->fallback : "", show_fallback ? "]" : "",
             option->required ? " (required)" : "",
             option->kind == VT_OPTION_LIST ? " (may be repeated)" : "");
    print_left(left);
    print_wrapped(detail);
}

static bool has_option(const struct vt_options_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_options; i++)
        if (strcmp(spec->options[i].name, name) == 0)
            return true;
    return false;
}

void vt_options_print_help(const struct vt_options_spec *spec)
{
    printf("%s: %s\n\nusage: %s [options]%s%s\n\n", spec->command, spec->summary, spec->command,
           spec->positional != NULL ? " " : "", spec->positional != NULL ? spec->positional : "");
    for (size_t i = 0; i < spec->n_options; i++)
        print_option(&spec->options[i]);
    if (spec->layered && !has_option(spec, "config"))
        print_option(&(struct vt_option){
            .name = "config", .argument = "FILE", .help = "YAML file with these keys"});
    print_option(&(struct vt_option){.name = "help", .help = "this page"});
    if (spec->layered)
        puts("\nA default gives way to the --config file, that to the environment (VITRINE_ and "
             "the option's\nname in capitals, '_' for '-'), and that to a flag.");
    if (spec->example != NULL)
        printf("\nexample:\n  %s\n", spec->example);
}
