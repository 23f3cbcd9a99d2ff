#include "ctl/edges.h"

#include "ctl/client.h"
#include "init/config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const edge_names[] = {"requires", "wants", "after", "restart_with", "before"};

static bool grow(void **array, uint32_t *room, uint32_t count, size_t size)
{
	if (count < *room)
		return true;
	uint32_t more = *room ? *room * 2 : 64;
	void *bigger = realloc(*array, more * size);
	if (!bigger)
		return false;
	*array = bigger;
	*room = more;
	return true;
}

static void add_name(struct edges *edges, const char *name)
{
	void *array = edges->name;

	if (!grow(&array, &edges->name_room, edges->names, sizeof(*edges->name)) ||
	    !(((char **)array)[edges->names] = strdup(name)))
		edges->failed = true;
	edges->name = array;
	edges->names += !edges->failed;
}

/* Adds an edge from the newest service to the one named in [0 .. length-1]. */
static void add_edge(struct edges *edges, enum edge_kind kind, const char *name, size_t length)
{
	void *array = edges->edge;

	if (edges->names == 0)
		return;
	if (!grow(&array, &edges->edge_room, edges->edges, sizeof(*edges->edge))) {
		edges->failed = true;
		return;
	}
	edges->edge = array;
	struct edge *edge = &edges->edge[edges->edges];
	*edge = (struct edge){.from = edges->names - 1, .kind = kind};
	edge->target = strndup(name, length);
	if (edge->target)
		edges->edges++;
	else
		edges->failed = true;
}

/* --- where it comes from ------------------------------------------------------ */

/* {"service":NAME}, then {"key":"requires","value":"A B"} and so on. */
static void take_setting(void *context, const char *line, const struct reply *reply)
{
	struct edges *edges = context;
	const char *service = reply_get(reply, "service");
	const char *key = reply_get(reply, "key");
	const char *value = reply_get(reply, "value");
	(void)line;

	if (service)
		add_name(edges, service);
	if (!key || !value)
		return;
	for (size_t kind = 0; kind < ARRAY_LEN(edge_names); kind++)
		if (strcmp(key, edge_names[kind]) == 0)
			for (; *value; value += strspn(value, " ")) {
				size_t length = strcspn(value, " ");
				add_edge(edges, (enum edge_kind)kind, value, length);
				value += length;
			}
}

int edges_of_sinit(struct edges *edges, const struct ctl *ctl)
{
	static const char *const all[] = {
	    "*", "requires", "wants", "after", "before", "restart_with"};

	return client_call(ctl, "show", all, ARRAY_LEN(all), take_setting, edges);
}

static void take_list(struct edges *edges, const struct image *image, enum edge_kind kind, ref at)
{
	const struct image_list *list = image_list(image, at);

	for (uint32_t i = 0; i < list->count; i++) {
		const char *name = image_name(image, list->item[i]);
		add_edge(edges, kind, name, strlen(name));
	}
}

static void put_message(void *context, const char *line)
{
	(void)context;
	ctl_error("%s", line);
}

int edges_of_directory(struct edges *edges, const struct ctl *ctl)
{
	struct config_input input = {.environ = environ};
	struct config_errors errors = {0};
	struct image *image;
	int error = config_load(ctl->config, &input, &errors, &image);

	config_errors_write(&errors, put_message, NULL);
	config_errors_free(&errors);
	if (error)
		return CTL_FAILED;
	for (uint32_t i = 0; i < image->service_count; i++) {
		const struct service_settings *service = image_service(image, i);
		add_name(edges, image_name(image, i));
		take_list(edges, image, EDGE_REQUIRES, service->requires);
		take_list(edges, image, EDGE_WANTS, service->wants);
		take_list(edges, image, EDGE_AFTER, service->order_after);
		take_list(edges, image, EDGE_RESTART_WITH, service->restart_with);
	}
	config_free(image);
	return CTL_OK;
}

/* --- order -------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

uint32_t edges_find(const struct edges *edges, const char *name)
{
	char **at = bsearch(&name, edges->name, edges->names, sizeof(*edges->name), by_text);

	return at ? (uint32_t)(at - edges->name) : EDGE_NONE;
}

static int by_edge(const void *a, const void *b)
{
	const struct edge *left = a;
	const struct edge *right = b;

	if (left->from != right->from)
		return left->from < right->from ? -1 : 1;
	if (left->to != right->to)
		return left->to < right->to ? -1 : 1;
	return (int)left->kind - (int)right->kind;
}

int edges_sort(struct edges *edges)
{
	uint32_t kept = 0;
	char **unsorted = calloc(edges->names + 1, sizeof(*unsorted));

	if (edges->failed || !unsorted) {
		free(unsorted);
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	if (edges->names) {
		memcpy(unsorted, edges->name, edges->names * sizeof(*unsorted));
		qsort(edges->name, edges->names, sizeof(*edges->name), by_text);
	}
	for (uint32_t i = 0; i < edges->edges; i++) {
		struct edge edge = edges->edge[i];
		edge.from = edges_find(edges, unsorted[edge.from]);
		edge.to = edges_find(edges, edge.target);
		free(edge.target);
		edge.target = NULL;
		if (edge.to == EDGE_NONE)
			continue;
		if (edge.kind == EDGE_BEFORE) {
			uint32_t to = edge.from;
			edge.from = edge.to;
			edge.to = to;
			edge.kind = EDGE_AFTER;
		}
		edges->edge[kept++] = edge;
	}
	edges->edges = kept;
	if (kept)
		qsort(edges->edge, kept, sizeof(*edges->edge), by_edge);
	free(unsorted);
	return CTL_OK;
}

uint32_t edges_first(const struct edges *edges, uint32_t from)
{
	uint32_t low = 0;
	uint32_t high = edges->edges;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (edges->edge[middle].from < from)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void edges_free(struct edges *edges)
{
	for (uint32_t i = 0; i < edges->names; i++)
		free(edges->name[i]);
	for (uint32_t i = 0; i < edges->edges; i++)
		free(edges->edge[i].target);
	free(edges->name);
	free(edges->edge);
	*edges = (struct edges){0};
}
