/*
 * A channel to several replicas of a service, "10.0.0.1:7400,10.0.0.2:7400": calls go to them in
 * turn, and a caller should not notice when one of them dies or hangs. Three things of gRPC's do it
 * together, set by one service config:
 *
 * - round_robin leaves out an address whose connection is gone;
 * - a read that failed with UNAVAILABLE, or that its replica has not begun to answer after
 *   ATTEMPT_TIMEOUT, is asked once more; reads only, and no more of them than the
 *   throttle's tokens allow (a tenth of what succeeds, beyond a first burst);
 * - outlier detection leaves out, for seconds, a replica where half of the calls of half a second
 *   fail: one that is stopped keeps its connection, and keepalive takes 13 s to notice. A refusal
 *   counts as a failure there too, whatever its code: a client that is refused half of what it asks
 *   loses half of the replicas for a while, never all of them.
 *
 * Names are not lists: a DNS name that has several addresses works without any of this list.
 */
#include "services/common/rpc/failover.h"

#include <stdio.h>
#include <string.h>

/* perAttemptRecvTimeout is read only where the channel enables hedging (channel.c). */
#define ATTEMPT_TIMEOUT "0.2s"

static const char failover_config[] =
    "{\"loadBalancingConfig\":[{\"outlier_detection_experimental\":{"
    "\"interval\":\"0.5s\",\"baseEjectionTime\":\"2s\",\"maxEjectionTime\":\"10s\","
    "\"maxEjectionPercent\":50,"
    "\"failurePercentageEjection\":{\"threshold\":50,\"enforcementPercentage\":100,"
    "\"minimumHosts\":2,\"requestVolume\":5},"
    "\"childPolicy\":[{\"round_robin\":{}}]}}],"
    "\"methodConfig\":[{\"name\":["
    "{\"service\":\"vitrine.v1.RecommendationService\",\"method\":\"Recommend\"},"
    "{\"service\":\"vitrine.v1.RecommendationService\",\"method\":\"Rank\"},"
    "{\"service\":\"vitrine.v1.RecommendationService\",\"method\":\"SimilarItems\"}],"
    "\"retryPolicy\":{\"maxAttempts\":2,\"initialBackoff\":\"0.005s\",\"maxBackoff\":\"0.05s\","
    "\"backoffMultiplier\":2,\"perAttemptRecvTimeout\":\"" ATTEMPT_TIMEOUT "\","
    "\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}],"
    "\"retryThrottling\":{\"maxTokens\":1000,\"tokenRatio\":0.1}}";

const char *vt__failover_config(void)
{
    return failover_config;
}

/* True when each address of the list begins with one of `first` and none is empty. */
static bool all_begin_with(const char *list, const char *first)
{
    size_t n = 0;
    for (const char *address = list; address != NULL; n++) {
        if (*address == '\0' || strchr(first, *address) == NULL || n == VT__TARGETS_MAX)
            return false;
        const char *comma = strchr(address, ',');
        address = comma != NULL ? comma + 1 : NULL;
    }
    return true;
}

struct vt_err vt__target_for_grpc(const char *target, char *ret_target, size_t size,
                                  bool *ret_is_several)
{
    bool is_several = strchr(target, ',') != NULL;
    const char *family = NULL;
    if (!is_several || strncmp(target, "ipv4:", 5) == 0 || strncmp(target, "ipv6:", 5) == 0)
        family = "";
    else if (all_begin_with(target, "0123456789"))
        family = "ipv4:";
    else if (all_begin_with(target, "["))
        family = "ipv6:";
    VT_CHECK(family != NULL, VT_INVALID,
             "several addresses must be numeric, HOST:PORT,HOST:PORT, and at most 16");
    int len = snprintf(ret_target, size, "%s%s", family, target);
    VT_CHECK(len >= 0 && (size_t)len < size, VT_INVALID, "an address of over 1 KiB");
    *ret_is_several = is_several;
    return vt_ok();
}

void vt__target_first_host(const char *target, char *ret_host, size_t size)
{
    if (strncmp(target, "ipv4:", 5) == 0 || strncmp(target, "ipv6:", 5) == 0)
        target += 5;
    size_t len = strcspn(target, ",");
    while (len > 0 && target[len - 1] != ':')
        len--;
    if (len > 0)
        len--;
    bool bracketed = target[0] == '[' && len >= 2;
    snprintf(ret_host, size, "%.*s", (int)(bracketed ? len - 2 : len),
             bracketed ? target + 1 : target);
}
