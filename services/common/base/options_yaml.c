/*
 * A configuration file, event by event, so that every value still knows its line. Configuration is
 * scalars in maps, and sequences of scalars for options that repeat. Anchors, aliases and several
 * documents are refused: nobody needs them here, and aliases let a small file grow without bound.
 */
#include "services/common/base/file.h"
#include "services/common/base/options_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { FILE_BYTES_MAX = 1 << 20, DEPTH_MAX = 4, KEY_BYTES_MAX = 128 };

struct reader {
    struct vt__storage *storage;
    const char *path;
    struct vt_diag *diag;
    yaml_parser_t parser;
    char key[KEY_BYTES_MAX];       /* the dotted path down to here */
    size_t key_len[DEPTH_MAX + 1]; /* how much of it belongs to each depth */
    unsigned depth;                /* open maps */
    bool has_key;                  /* a key was read, its value comes next */
    bool in_sequence;
};

static struct vt_err refuse(struct reader *reader, uint64_t line, const char *what)
{
    vt_diag_set(reader->diag, reader->key, "%s:%" PRIu64 ": %s", reader->path, line, what);
    if (reader->diag != NULL)
        reader->diag->line = line;
    return VT_ERR(VT_INVALID, "a configuration file is wrong");
}

static struct vt_err refuse_twice(struct reader *reader, uint64_t line, uint64_t first_line)
{
    char what[96];
    snprintf(what, sizeof what, "key '%.40s' stands on line %" PRIu64 " already; keep one of them",
             reader->key, first_line);
    return refuse(reader, line, what);
}

static uint64_t line_of(const yaml_event_t *event)
{
    return (uint64_t)event->start_mark.line + 1;
}

static struct vt_slice scalar_of(const yaml_event_t *event)
{
    return vt_slice(event->data.scalar.value, event->data.scalar.length);
}

static struct vt_err read_key(struct reader *reader, const yaml_event_t *event)
{
    struct vt_slice name = scalar_of(event);
    size_t outer = reader->key_len[reader->depth - 1];
    size_t dot = outer > 0 ? 1 : 0;
    if (outer + dot + name.len >= sizeof reader->key || memchr(name.data, '\0', name.len) != NULL)
        return refuse(reader, line_of(event), "a key is too long, or has a NUL");
    if (dot == 1)
        reader->key[outer] = '.';
    memcpy(reader->key + outer + dot, name.data, name.len);
    reader->key_len[reader->depth] = outer + dot + name.len;
    reader->key[reader->key_len[reader->depth]] = '\0';
    reader->has_key = true;
    return vt_ok();
}

static struct vt_err find_option(struct reader *reader, uint64_t line,
                                 const struct vt_option **ret_option)
{
    char where[VT_DIAG_TEXT_BYTES / 2];
    snprintf(where, sizeof where, "%s:%" PRIu64 ": ", reader->path, line);
    struct vt_err err = vt__option_find(reader->storage->spec, vt_slice_str(reader->key), true,
                                        where, reader->diag, ret_option);
    if (vt_failed(err) && reader->diag != NULL)
        reader->diag->line = line;
    return err;
}

static struct vt_err read_value(struct reader *reader, const yaml_event_t *event)
{
    uint64_t line = line_of(event);
    const struct vt_option *option = NULL;
    VT_TRY(find_option(reader, line, &option));
    const struct vt__storage *storage = reader->storage;
    const struct vt__option_state *state = &storage->states[option - storage->spec->options];
    if (state->source == VT__SOURCE_FILE && !reader->in_sequence)
        return refuse_twice(reader, line, state->line);
    struct vt__assignment assignment = {.option = option,
                                        .value = scalar_of(event),
                                        .source = VT__SOURCE_FILE,
                                        .path = reader->path,
                                        .line = line};
    return vt__option_set(reader->storage, &assignment, reader->diag);
}

static struct vt_err on_scalar(struct reader *reader, const yaml_event_t *event)
{
    if (reader->depth == 0)
        return refuse(reader, line_of(event), "expected lines of the form 'key: value'");
    if (!reader->has_key)
        return read_key(reader, event);
    VT_TRY(read_value(reader, event));
    reader->has_key = reader->in_sequence;
    return vt_ok();
}

static struct vt_err on_map_start(struct reader *reader, const yaml_event_t *event)
{
    if (reader->depth > 0 && (!reader->has_key || reader->in_sequence))
        return refuse(reader, line_of(event), "a map can not stand here; give plain values");
    if (reader->depth == DEPTH_MAX)
        return refuse(reader, line_of(event), "maps are nested too deeply");
    reader->depth++;
    reader->has_key = false;
    return vt_ok();
}

static void on_map_end(struct reader *reader)
{
    reader->depth--;
    reader->key[reader->key_len[reader->depth]] = '\0';
    reader->has_key = false;
}

static struct vt_err on_sequence_start(struct reader *reader, const yaml_event_t *event)
{
    if (!reader->has_key || reader->in_sequence)
        return refuse(reader, line_of(event), "a list can not stand here");
    const struct vt_option *option = NULL;
    VT_TRY(find_option(reader, line_of(event), &option));
    const struct vt__storage *storage = reader->storage;
    const struct vt__option_state *state = &storage->states[option - storage->spec->options];
    if (option->kind != VT_OPTION_LIST)
        return refuse(reader, line_of(event), "this key takes one value, not a list");
    if (state->source == VT__SOURCE_FILE)
        return refuse_twice(reader, line_of(event), state->line);
    reader->in_sequence = true;
    return vt_ok();
}

static bool has_anchor(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return true;
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor != NULL;
    default:
        return false;
    }
}

static struct vt_err on_event(struct reader *reader, const yaml_event_t *event)
{
    if (has_anchor(event))
        return refuse(reader, line_of(event), "anchors and aliases are not supported");
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(reader, event);
    case YAML_MAPPING_START_EVENT:
        return on_map_start(reader, event);
    case YAML_MAPPING_END_EVENT:
        on_map_end(reader);
        return vt_ok();
    case YAML_SEQUENCE_START_EVENT:
        return on_sequence_start(reader, event);
    case YAML_SEQUENCE_END_EVENT:
        reader->in_sequence = false;
        reader->has_key = false;
        return vt_ok();
    default:
        return vt_ok();
    }
}

static struct vt_err broken_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_MEMORY_ERROR)
        return VT_ERR(VT_EXHAUSTED, "no memory for a configuration file");
    return refuse(reader, (uint64_t)parser->problem_mark.line + 1, problem);
}

/* Through all events; the second document of a file is refused. */
static struct vt_err read_events(struct reader *reader)
{
    unsigned n_documents = 0;
    for (bool more = true; more;) {
        yaml_event_t event;
        if (yaml_parser_parse(&reader->parser, &event) == 0)
            return broken_syntax(reader);
        bool second = event.type == YAML_DOCUMENT_START_EVENT && ++n_documents > 1;
        struct vt_err err =
            second ? refuse(reader, line_of(&event), "a second document begins; one is allowed")
                   : on_event(reader, &event);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        VT_TRY(err);
    }
    return vt_ok();
}

struct vt_err vt__options_load_yaml(struct vt__storage *storage, const char *path,
                                    struct vt_diag *diag)
{
    char *text = NULL;
    size_t len = 0;
    VT_TRY(vt_file_read(path, FILE_BYTES_MAX, diag, &text, &len));
    struct reader reader = {.storage = storage, .path = path, .diag = diag};
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "no memory for a configuration file");
    if (yaml_parser_initialize(&reader.parser) != 0) {
        yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, len);
        err = read_events(&reader);
        yaml_parser_delete(&reader.parser);
    }
    free(text);
    return err;
}
