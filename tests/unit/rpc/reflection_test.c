/* What the embedded contract tells, and how reflection answers questions of every kind. */
#include "proto/descriptors.h"
#include "services/common/rpc/descriptor_index.h"
#include "services/common/rpc/loopback.h"
#include "services/common/rpc/protowire.h"
#include "services/common/rpc/server_internal.h"
#include "tests/testlib/testlib.h"

#include <string.h>

enum { REPLY_FILES = 4, REPLY_NUMBERS = 5, REPLY_SERVICES = 6, REPLY_ERROR = 7 };

static unsigned char memory[1 << 20];

struct answer {
    struct vt_arena arena;
    struct vt_slice bytes;
};

static bool keep(void *ctx, struct vt_slice body)
{
    struct answer *answer = ctx;
    answer->bytes = vt_arena_copy(&answer->arena, body);
    return true;
}

/* Asks one question; gives the member of the reply's oneof, or an empty slice. */
static struct vt_slice ask(struct vt_slice question, uint32_t member)
{
    struct vt_rpc_server *server;
    struct answer answer = {0};
    vt_arena_init(&answer.arena, memory, sizeof memory);
    assert_ok(vt_rpc_server_new(&(struct vt_rpc_server_options){.n_threads = 1}, &server));
    struct vt_rpc_loopback_options options = {.methods = vt__reflection_methods,
                                              .n_methods = VT__N_REFLECTION_METHODS,
                                              .service = server->reflection,
                                              .on_message = keep,
                                              .message_ctx = &answer,
                                              .messages = &question,
                                              .n_messages = 1};
    assert_ok(vt_rpc_loopback_call(&options, vt__reflection_methods[0].path, vt_slice("", 0),
                                   &answer.arena)
                  .err);
    vt_rpc_server_free(server);
    struct vt_slice rest = answer.bytes;
    for (struct vt__wire_field field; vt__wire_next(&rest, &field);)
        if (field.number == member)
            return field.bytes;
    return (struct vt_slice){0};
}

static struct vt_slice question(uint32_t kind, const char *text)
{
    static unsigned char bytes[256];
    struct vt__wire_writer writer = {.data = bytes, .capacity = sizeof bytes};
    vt__wire_put_bytes(&writer, kind, vt_slice_str(text));
    return vt__wire_written(&writer);
}

static size_t count_fields(struct vt_slice message)
{
    size_t n = 0;
    for (struct vt__wire_field field; vt__wire_next(&message, &field);)
        n++;
    assert_int_equal(message.len, 0);
    return n;
}

static void symbols_of_every_kind_are_found(void **state)
{
    (void)state;
    struct vt__descriptor_index *index;
    size_t size = (size_t)(vt_proto_descriptors_end - vt_proto_descriptors);
    assert_ok(vt__descriptor_index_new(vt_slice(vt_proto_descriptors, size), &index));
    int file = vt__descriptor_file(index, vt_slice_str("vitrine/v1/recommendation.proto"));
    assert_int_not_equal(file, VT__NO_FILE);
    static const char *const names[] = {
        "vitrine.v1.RecommendationService", "vitrine.v1.RecommendationService.Recommend",
        "vitrine.v1.RecommendRequest",      "vitrine.v1.RecommendRequest.customer_id",
        "vitrine.v1.DiversityLevel",        "vitrine.v1.DIVERSITY_LEVEL_HIGH",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(vt__descriptor_symbol(index, vt_slice_str(names[i])), file);
    assert_int_equal(vt__descriptor_symbol(index, vt_slice_str("vitrine.v1.Nothing")), VT__NO_FILE);
    assert_int_equal(vt__descriptor_symbol(index, vt_slice_str("")), VT__NO_FILE);
    vt__descriptor_index_free(index);
}

static void damaged_descriptors_are_refused(void **state)
{
    (void)state;
    struct vt__descriptor_index *index;
    size_t size = (size_t)(vt_proto_descriptors_end - vt_proto_descriptors);
    assert_code(vt__descriptor_index_new(vt_slice(vt_proto_descriptors, size - 1), &index),
                VT_CORRUPT);
}

static void services_are_listed_once_each(void **state)
{
    (void)state;
    static const char *const names[] = {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    };
    struct vt_slice services = ask(question(7, ""), REPLY_SERVICES);
    size_t n = 0;
    for (struct vt__wire_field service, name; vt__wire_next(&services, &service); n++) {
        assert_true(n < 3 && vt__wire_next(&service.bytes, &name));
        assert_true(vt_slice_equal(name.bytes, vt_slice_str(names[n])));
    }
    assert_int_equal(n, 3);
}

static void file_comes_with_its_imports(void **state)
{
    (void)state;
    struct vt_slice files = ask(question(3, "vitrine/v1/recommendation.proto"), REPLY_FILES);
    assert_true(count_fields(files) >= 2);
    files = ask(question(4, "grpc.health.v1.Health.Check"), REPLY_FILES);
    assert_int_equal(count_fields(files), 1);
}

static void what_is_not_there_is_an_error_response(void **state)
{
    (void)state;
    static const char not_found[] = "\x08\x05";
    for (uint32_t kind = 3; kind <= 6; kind++) {
        struct vt_slice error = ask(question(kind, "no.such"), REPLY_ERROR);
        assert_true(error.len > 2);
        assert_memory_equal(error.data, not_found, 2);
    }
    assert_memory_equal(ask(question(1, "host only"), REPLY_ERROR).data, "\x08\x03", 2);
}

static void type_without_extensions_has_an_empty_list(void **state)
{
    (void)state;
    struct vt_slice numbers = ask(question(6, "vitrine.v1.RecommendRequest"), REPLY_NUMBERS);
    assert_int_equal(count_fields(numbers), 1); /* the type's name alone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_of_every_kind_are_found),
        cmocka_unit_test(damaged_descriptors_are_refused),
        cmocka_unit_test(services_are_listed_once_each),
        cmocka_unit_test(file_comes_with_its_imports),
        cmocka_unit_test(what_is_not_there_is_an_error_response),
        cmocka_unit_test(type_without_extensions_has_an_empty_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
