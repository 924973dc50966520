/* vitrine health: grpc.health.v1 of a service, for probes of containers without a shell. */
#include "grpc/health/v1/health.pb-c.h"
#include "services/client/client.h"
#include "services/client/session.h"

#include <stdio.h>

static int print_health(const struct vt_client *client, const void *message)
{
    const Grpc__Health__V1__HealthCheckResponse *answer = message;
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
        &grpc__health__v1__health_check_response__serving_status__descriptor, (int)answer->status);
    printf(client->json ? "{\"status\":\"%s\"}\n" : "%s\n",
           value != NULL ? value->name : "UNKNOWN");
    return answer->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING ? 0
                                                                                              : 1;
}

int vt_client_health(const struct vt_client *client, const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)service;
    return vt__session_ask(client, "/grpc.health.v1.Health/Check", NULL, &request.base,
                           &grpc__health__v1__health_check_response__descriptor, print_health);
}
