/* Between the routes (site.c) and the answers (site_pages.c). */
#ifndef SINIT_PROBES_SITE_INTERNAL_H
#define SINIT_PROBES_SITE_INTERNAL_H

#include "probes/site.h"

/* One request on its way. */
struct call {
	const struct http_request *request;
	const struct route *route;
	char name[BOARD_NAME]; /* what stands for * in the pattern */
	struct http_answer *answer;
	struct responder_order *order;
};

/* Each fills in call->answer, whose status is 200 and whose type is JSON until then. */
void site_get_health(struct site *site, struct call *call);
void site_get_health_all(struct site *site, struct call *call);
void site_get_health_of(struct site *site, struct call *call);
void site_get_ready_of(struct site *site, struct call *call);
void site_get_ready(struct site *site, struct call *call);
void site_get_startup(struct site *site, struct call *call);
void site_get_status(struct site *site, struct call *call);
void site_get_service(struct site *site, struct call *call);
void site_get_service_health(struct site *site, struct call *call);
void site_get_summary(struct site *site, struct call *call);
void site_get_events(struct site *site, struct call *call);
void site_get_metrics(struct site *site, struct call *call);
void site_get_dashboard(struct site *site, struct call *call);

#endif
