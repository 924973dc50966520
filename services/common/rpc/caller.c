/*
 * Who is at the other end of a gRPC call: read from what libgrpc knows of the connection. A port
 * with TLS has verified a certificate, whose URIs name roles. The admin socket is opened with
 * libgrpc's "local" credentials, which encrypt nothing but mark its connections, since a Unix
 * socket's peer has no name to tell it by. What remains is a plaintext port. Certificate and socket
 * are facts of the connection; vitrine-role is the call's own word and is only carried to the rule
 * (access.c).
 */
#include "services/common/rpc/server_internal.h"

#include <grpc/grpc_security.h>

/* As libgrpc names it; its headers have constants for the other kinds only. */
#define LOCAL_TRANSPORT "local"

static void read_certificate(const grpc_auth_context *context, struct vt__caller *caller)
{
    grpc_auth_property_iterator uris =
        grpc_auth_context_find_properties_by_name(context, GRPC_PEER_URI_PROPERTY_NAME);
    caller->certified = true;
    for (const grpc_auth_property *uri; (uri = grpc_auth_property_iterator_next(&uris)) != NULL;)
        caller->roles |= vt__access_roles_of_uri(vt_slice(uri->value, uri->value_length));
}

/* "ssl", "local" or "insecure"; "" when nobody said. */
static struct vt_slice kind_of(const grpc_auth_context *context)
{
    grpc_auth_property_iterator kinds = grpc_auth_context_find_properties_by_name(
        context, GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME);
    const grpc_auth_property *kind = grpc_auth_property_iterator_next(&kinds);
    return kind != NULL ? vt_slice(kind->value, kind->value_length) : (struct vt_slice){0};
}

static void read_connection(const struct vt__server_call *call, struct vt__caller *caller)
{
    bool plaintext = call->worker->server->options.tls == NULL;
    grpc_auth_context *context = grpc_call_auth_context(call->grpc);
    struct vt_slice kind = kind_of(context);
    if (vt_slice_equal(kind, vt_slice_str(GRPC_SSL_TRANSPORT_SECURITY_TYPE)))
        read_certificate(context, caller);
    else if (vt_slice_equal(kind, vt_slice_str(LOCAL_TRANSPORT)))
        caller->roles = VT_CALLER_ANY | VT__CALLER_ADMIN;
    else
        caller->roles = plaintext ? VT_CALLER_ANY : 0;
    grpc_auth_context_release(context);
}

static void read_choice(const struct vt__server_call *call, struct vt__caller *caller)
{
    struct vt_slice wanted = vt_slice_str(VT__ROLE_METADATA);
    for (size_t i = 0; i < call->metadata.count; i++)
        if (vt_slice_equal(vt__slice_view(&call->metadata.metadata[i].key), wanted)) {
            caller->chosen = vt__slice_view(&call->metadata.metadata[i].value);
            caller->n_chosen++;
        }
}

void vt__caller_read(const struct vt__server_call *call, struct vt__caller *ret_caller)
{
    struct vt__caller caller = {0};
    read_connection(call, &caller);
    read_choice(call, &caller);
    *ret_caller = caller;
}

bool vt__call_is_admin(const struct vt__server_call *call)
{
    struct vt__caller caller = {0};
    read_connection(call, &caller);
    return (caller.roles & VT__CALLER_ADMIN) != 0;
}
