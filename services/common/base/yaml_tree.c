/*
 * From libyaml's events to a tree. Nodes and texts lie in one arena whose size follows from the
 * file's: every node stands for at least one byte of it, and no escape grows a text by more than
 * half. Depth is bounded, so that a hostile file costs no stack.
 */
#include "services/common/base/file.h"
#include "services/common/base/yaml.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { ARENA_PER_BYTE = 160, ARENA_EXTRA_BYTES = 4096, LOCATED_BYTES = 96 };

struct builder {
    struct vt_yaml *yaml;
    struct vt_diag *diag;
    yaml_parser_t parser;
    struct vt_yaml_node *open[VT_YAML_DEPTH_MAX]; /* containers, outermost first */
    struct vt_yaml_node *last[VT_YAML_DEPTH_MAX]; /* child of each */
    unsigned depth, n_documents;
    const char *key; /* read, its value comes next */
    uint64_t key_line;
};

static struct vt_err refuse(struct builder *builder, uint64_t line, const char *what)
{
    vt_diag_set(builder->diag, "", "%s:%" PRIu64 ": %s", builder->yaml->path, line, what);
    if (builder->diag != NULL)
        builder->diag->line = line;
    return VT_ERR(VT_INVALID, "a configuration file is wrong");
}

static uint64_t line_of(const yaml_event_t *event)
{
    return (uint64_t)event->start_mark.line + 1;
}

static struct vt_err copy_scalar(struct builder *builder, const yaml_event_t *event,
                                 struct vt_slice *ret_text)
{
    struct vt_slice text = vt_slice(event->data.scalar.value, event->data.scalar.length);
    if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)
        return refuse(builder, line_of(event), "a text has a NUL in it");
    *ret_text = vt_arena_copy(&builder->yaml->arena, text);
    VT_CHECK(ret_text->data != NULL, VT_EXHAUSTED, "a configuration file is too large");
    return vt_ok();
}

static struct vt_err read_key(struct builder *builder, const yaml_event_t *event)
{
    struct vt_slice key;
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.length == 0)
        return refuse(builder, line_of(event), "expected a line of the form 'key: value'");
    VT_TRY(copy_scalar(builder, event, &key));
    for (const struct vt_yaml_node *node = builder->open[builder->depth - 1]->first; node != NULL;
         node = node->next)
        if (strcmp(node->key, key.data) == 0) {
            char what[LOCATED_BYTES];
            (void)snprintf(what, sizeof what,
                           "key '%.40s' stands on line %" PRIu64 " already; keep one of them",
                           key.data, node->line);
            return refuse(builder, line_of(event), what);
        }
    builder->key = key.data;
    builder->key_line = line_of(event);
    return vt_ok();
}

static void append(struct builder *builder, struct vt_yaml_node *node)
{
    if (builder->depth == 0) {
        builder->yaml->root = node;
        return;
    }
    struct vt_yaml_node *parent = builder->open[builder->depth - 1];
    struct vt_yaml_node **last = &builder->last[builder->depth - 1];
    *(*last != NULL ? &(*last)->next : &parent->first) = node;
    *last = node;
    parent->n++;
}

static struct vt_err add_node(struct builder *builder, const yaml_event_t *event,
                              enum vt_yaml_kind kind)
{
    struct vt_yaml_node *node = vt_arena_array(&builder->yaml->arena, 1, sizeof *node);
    VT_CHECK(node != NULL, VT_EXHAUSTED, "a configuration file is too large");
    *node = (struct vt_yaml_node){.kind = kind, .key = builder->key};
    node->line = builder->key != NULL ? builder->key_line : line_of(event);
    builder->key = NULL;
    if (kind == VT_YAML_SCALAR)
        VT_TRY(copy_scalar(builder, event, &node->text));
    else if (builder->depth == VT_YAML_DEPTH_MAX)
        return refuse(builder, line_of(event), "maps and lists are nested too deeply");
    append(builder, node);
    if (kind != VT_YAML_SCALAR) {
        builder->open[builder->depth] = node;
        builder->last[builder->depth++] = NULL;
    }
    return vt_ok();
}

static struct vt_err on_value(struct builder *builder, const yaml_event_t *event,
                              enum vt_yaml_kind kind)
{
    bool in_map = builder->depth > 0 && builder->open[builder->depth - 1]->kind == VT_YAML_MAP;
    if (in_map && builder->key == NULL)
        return read_key(builder, event);
    return add_node(builder, event, kind);
}

static bool has_anchor(const yaml_event_t *event)
{
    return event->type == YAML_ALIAS_EVENT ||
           (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor != NULL) ||
           (event->type == YAML_SEQUENCE_START_EVENT &&
            event->data.sequence_start.anchor != NULL) ||
           (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor != NULL);
}

static struct vt_err on_event(struct builder *builder, const yaml_event_t *event)
{
    if (has_anchor(event))
        return refuse(builder, line_of(event), "anchors and aliases are not supported");
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return ++builder->n_documents > 1
                   ? refuse(builder, line_of(event), "a second document begins; one is allowed")
                   : vt_ok();
    case YAML_SCALAR_EVENT:
        return on_value(builder, event, VT_YAML_SCALAR);
    case YAML_SEQUENCE_START_EVENT:
        return on_value(builder, event, VT_YAML_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_value(builder, event, VT_YAML_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->depth--;
        return vt_ok();
    default:
        return vt_ok();
    }
}

static struct vt_err broken_syntax(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return VT_ERR(VT_EXHAUSTED, "no memory for a configuration file");
    return refuse(builder, (uint64_t)parser->problem_mark.line + 1,
                  parser->problem != NULL ? parser->problem : "not YAML");
}

static struct vt_err read_events(struct builder *builder)
{
    for (bool more = true; more;) {
        yaml_event_t event;
        if (yaml_parser_parse(&builder->parser, &event) == 0)
            return broken_syntax(builder);
        struct vt_err err = on_event(builder, &event);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        VT_TRY(err);
    }
    return vt_ok();
}

/* An empty file says nothing; a lone scalar or a list at the top is a mistake. */
static struct vt_err check_root(struct builder *builder)
{
    static struct vt_yaml_node empty = {.kind = VT_YAML_MAP, .line = 1};
    struct vt_yaml *yaml = builder->yaml;
    bool nothing =
        yaml->root == NULL || (yaml->root->kind == VT_YAML_SCALAR && yaml->root->text.len == 0);
    if (nothing)
        yaml->root = &empty;
    if (yaml->root->kind != VT_YAML_MAP)
        return refuse(builder, yaml->root->line, "expected lines of the form 'key: value'");
    return vt_ok();
}

static struct vt_err parse(struct builder *builder, const char *text, size_t len)
{
    VT_CHECK(vt_arena_init_owned(&builder->yaml->arena, len * ARENA_PER_BYTE + ARENA_EXTRA_BYTES),
             VT_EXHAUSTED, "no memory for a configuration file");
    VT_CHECK(yaml_parser_initialize(&builder->parser) != 0, VT_EXHAUSTED,
             "no memory for a configuration file");
    yaml_parser_set_input_string(&builder->parser, (const unsigned char *)text, len);
    struct vt_err err = read_events(builder);
    yaml_parser_delete(&builder->parser);
    VT_TRY(err);
    return check_root(builder);
}

struct vt_err vt_yaml_load(const char *path, struct vt_diag *diag, struct vt_yaml *ret_yaml)
{
    char *text = NULL;
    size_t len = 0;
    struct vt_yaml yaml = {.path = path};
    struct builder builder = {.yaml = &yaml, .diag = diag};
    VT_TRY(vt_file_read(path, VT_YAML_FILE_BYTES_MAX, diag, &text, &len));
    struct vt_err err = parse(&builder, text, len);
    free(text);
    if (vt_failed(err))
        vt_yaml_free(&yaml);
    else
        *ret_yaml = yaml;
    return err;
}

void vt_yaml_free(struct vt_yaml *yaml)
{
    vt_arena_fini(&yaml->arena);
    yaml->root = NULL;
}
