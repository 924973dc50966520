#ifndef VT_NODE_NOTIFY_H
#define VT_NODE_NOTIFY_H

#include <stdint.h>

/*
 * The service manager's side channel, sd_notify(3): lines like "READY=1" in one datagram to the
 * socket that NOTIFY_SOCKET names. Without that variable nobody is told and nothing is done. What
 * the manager does not take is lost: it never stops the service. One thread, never in a hot path.
 */
void vt_notify(const char *state);

/* How often the manager wants to hear "WATCHDOG=1" from this process, in ms; 0: not at all. Twice
 * as often is what sd_watchdog_enabled(3) advises. */
int64_t vt_notify_watchdog_ms(void);

#endif
