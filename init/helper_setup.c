/* Which helpers there are: at load, and by what the configuration wants. */
#include "init/helper_run.h"

#include "init/log.h"
#include "init/sinit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NO_NUMBER = -1 };

/* --- at load --------------------------------------------------------------------------------- */

void helpers_prepare(struct sinit *sinit, const struct image *image)
{
	struct helpers *h = &sinit->helpers;

	for (unsigned kind = 0; kind < HELPER_KINDS; kind++)
		h->helper[kind].channel = NO_NUMBER;
	h->notify_fd = h->stats_fd = NO_NUMBER;
	h->program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	helpers_open_notify(sinit);
	/* Only the pages of checks that there are will ever be touched. */
	h->stats_size =
	    supervisor_capacity(image->service_count) * PROBE_ROLES * sizeof(struct probe_stats);
	h->stats_fd = memfd_create("sinit-probes", MFD_CLOEXEC);
	if (h->stats_fd < 0 || ftruncate(h->stats_fd, (off_t)h->stats_size) < 0)
		return;
	h->stats = mmap(NULL, h->stats_size, PROT_READ | PROT_WRITE, MAP_SHARED, h->stats_fd, 0);
	if (h->stats == MAP_FAILED)
		h->stats = NULL;
}

/* --- what the configuration wants ------------------------------------------------------------ */

static void configure_http(struct sinit *sinit, const struct image *image)
{
	struct helpers *h = &sinit->helpers;
	const struct http_settings *http = image_http(image);

	if (http)
		helpers_read_token(h, image_string(image, http->token_file));
	if (http ? helpers_serve(h, image, http) : !h->sockets)
		return;
	if (http) {
		h->control = http->control;
		h->dashboard = http->dashboard;
		helpers_listen(sinit, image, http);
	} else {
		helpers_stop_listening(h);
	}
	h->helper[HELPER_RESPONDER].wanted = h->sockets > 0;
	h->helper[HELPER_RESPONDER].stale = true;
}

void helpers_configure(struct sinit *sinit)
{
	struct helpers *h = &sinit->helpers;
	const struct image *image = sinit->supervisor.set[sinit->supervisor.current].image;

	if (h->program < 0) {
		if (image->net_count || image->awaited)
			log_warning(NULL, "[net] and wait_for have no effect: /proc is not there, "
					  "so sinit cannot start its helpers");
		return;
	}
	h->helper[HELPER_PROBER].wanted = supervisor_has_network_probes(&sinit->supervisor);
	helpers_alert_configure(sinit, image);
	helpers_devices_configure(sinit, image);
	helpers_logger_configure(sinit, image);
	configure_http(sinit, image);
}
