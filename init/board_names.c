/* Apart from the board itself, since it is pure. */
#include "init/base.h"
#include "init/board.h"

const char *event_kind_name(enum event_kind kind)
{
	static const char *const names[] = {
	    [EV_START] = "start",
	    [EV_READY] = "ready",
	    [EV_EXIT] = "exit",
	    [EV_BACKOFF] = "backoff",
	    [EV_RESTART] = "restart",
	    [EV_STOP] = "stop",
	    [EV_DONE] = "done",
	    [EV_FAILED] = "failed",
	    [EV_FATAL] = "fatal",
	    [EV_HEALTHY] = "healthy",
	    [EV_UNHEALTHY] = "unhealthy",
	    [EV_OOM] = "oom",
	    [EV_RELOAD] = "reload",
	    [EV_SHUTDOWN] = "shutdown",
	    [EV_ALERT] = "alert",
	    [EV_RECOVERED] = "recovered",
	    [EV_CONFIG] = "config",
	    [EV_MEMORY] = "memory",
	};
	_Static_assert(ARRAY_LEN(names) == EV_KIND_COUNT, "a name for each kind");

	return (unsigned)kind < EV_KIND_COUNT ? names[kind] : "unknown";
}
