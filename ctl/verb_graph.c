/* graph: what needs what, of a running sinit or of a configuration directory. */
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "init/format.h"
#include "ctl/match.h"
#include "init/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum edge_kind { EDGE_REQUIRES, EDGE_WANTS, EDGE_AFTER, EDGE_RESTART_WITH, EDGE_BEFORE };

enum { DEPTH_MAX = 200 };

static const char *const edge_names[] = {"requires", "wants", "after", "restart_with", "before"};

struct edge {
	char *target; /* a name, until it is looked up */
	uint32_t from, to;
	enum edge_kind kind;
};

struct graph {
	struct ctl *ctl;
	char **name;
	struct edge *edge;
	uint32_t names, edges;
	uint32_t name_room, edge_room;
	bool *shown;
	bool failed; /* out of memory */
};

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

static void add_name(struct graph *graph, const char *name)
{
	void *array = graph->name;

	if (!grow(&array, &graph->name_room, graph->names, sizeof(*graph->name)) ||
	    !(((char **)array)[graph->names] = strdup(name)))
		graph->failed = true;
	graph->name = array;
	graph->names += !graph->failed;
}

/* Adds an edge from the newest service to the one named in [0 .. length-1]. */
static void add_edge(struct graph *graph, enum edge_kind kind, const char *name, size_t length)
{
	void *array = graph->edge;

	if (graph->names == 0)
		return;
	if (!grow(&array, &graph->edge_room, graph->edges, sizeof(*graph->edge))) {
		graph->failed = true;
		return;
	}
	graph->edge = array;
	struct edge *edge = &graph->edge[graph->edges];
	*edge = (struct edge){.from = graph->names - 1, .kind = kind};
	edge->target = strndup(name, length);
	if (edge->target)
		graph->edges++;
	else
		graph->failed = true;
}

/* --- where it comes from ------------------------------------------------------ */

/* {"service":NAME}, then {"key":"requires","value":"A B"} and so on. */
static void take_setting(void *context, const char *line, const struct reply *reply)
{
	struct graph *graph = context;
	const char *service = reply_get(reply, "service");
	const char *key = reply_get(reply, "key");
	const char *value = reply_get(reply, "value");
	(void)line;

	if (service)
		add_name(graph, service);
	if (!key || !value)
		return;
	for (size_t kind = 0; kind < ARRAY_LEN(edge_names); kind++)
		if (strcmp(key, edge_names[kind]) == 0)
			for (; *value; value += strspn(value, " ")) {
				size_t length = strcspn(value, " ");
				add_edge(graph, (enum edge_kind)kind, value, length);
				value += length;
			}
}

static void take_list(struct graph *graph, const struct image *image, enum edge_kind kind, ref at)
{
	const struct image_list *list = image_list(image, at);

	for (uint32_t i = 0; i < list->count; i++) {
		const char *name = image_name(image, list->item[i]);
		add_edge(graph, kind, name, strlen(name));
	}
}

static void put_message(void *context, const char *line)
{
	(void)context;
	ctl_error("%s", line);
}

static int take_directory(struct graph *graph)
{
	struct config_input input = {.environ = environ};
	struct config_errors errors = {0};
	struct image *image;
	int error = config_load(graph->ctl->config, &input, &errors, &image);

	config_errors_write(&errors, put_message, NULL);
	config_errors_free(&errors);
	if (error)
		return CTL_FAILED;
	for (uint32_t i = 0; i < image->service_count; i++) {
		const struct service_settings *service = image_service(image, i);
		add_name(graph, image_name(image, i));
		take_list(graph, image, EDGE_REQUIRES, service->requires);
		take_list(graph, image, EDGE_WANTS, service->wants);
		take_list(graph, image, EDGE_AFTER, service->order_after);
		take_list(graph, image, EDGE_RESTART_WITH, service->restart_with);
	}
	config_free(image);
	return CTL_OK;
}

/* --- order -------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint32_t find(const struct graph *graph, const char *name)
{
	char **at = bsearch(&name, graph->name, graph->names, sizeof(*graph->name), by_text);

	return at ? (uint32_t)(at - graph->name) : UINT32_MAX;
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

/* Sorts names and edges, turns `before` round, leaves out what points nowhere. */
static int put_in_order(struct graph *graph)
{
	uint32_t kept = 0;
	char **unsorted = calloc(graph->names + 1, sizeof(*unsorted));

	graph->shown = calloc(graph->names + 1, sizeof(*graph->shown));
	if (graph->failed || !unsorted || !graph->shown) {
		free(unsorted);
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	if (graph->names) {
		memcpy(unsorted, graph->name, graph->names * sizeof(*unsorted));
		qsort(graph->name, graph->names, sizeof(*graph->name), by_text);
	}
	for (uint32_t i = 0; i < graph->edges; i++) {
		struct edge edge = graph->edge[i];
		edge.from = find(graph, unsorted[edge.from]);
		edge.to = find(graph, edge.target);
		free(edge.target);
		edge.target = NULL;
		if (edge.to == UINT32_MAX)
			continue;
		if (edge.kind == EDGE_BEFORE) {
			uint32_t to = edge.from;
			edge.from = edge.to;
			edge.to = to;
			edge.kind = EDGE_AFTER;
		}
		graph->edge[kept++] = edge;
	}
	graph->edges = kept;
	if (kept)
		qsort(graph->edge, kept, sizeof(*graph->edge), by_edge);
	free(unsorted);
	return CTL_OK;
}

/* --- output ------------------------------------------------------------------- */

static void put_dot(const struct graph *graph)
{
	static const char *const styles[] = {"", " [style=dashed]", " [style=dotted]",
	    " [style=dashed, color=gray, constraint=false]"};
	struct out *out = graph->ctl->out;

	out_add(out, "digraph sinit {\n\trankdir=LR;\n\tnode [shape=box];\n");
	for (uint32_t i = 0; i < graph->names; i++) {
		out_add(out, "\t");
		text_json(out_text(out), graph->name[i]);
		out_add(out, ";\n");
	}
	for (uint32_t i = 0; i < graph->edges; i++) {
		const struct edge *edge = &graph->edge[i];
		struct text *text = out_text(out);
		text_add(text, "\t");
		text_json(text, graph->name[edge->from]);
		text_add(text, " -> ");
		text_json(text, graph->name[edge->to]);
		text_addf(text, "%s; // %s\n", styles[edge->kind], edge_names[edge->kind]);
	}
	out_add(out, "}\n");
}

/* A line a service: {"name":"app","requires":["db"],"wants":[],...}. */
static void put_json(const struct graph *graph)
{
	uint32_t edge = 0;

	for (uint32_t node = 0; node < graph->names; node++) {
		uint32_t first = edge;
		struct text *text = out_text(graph->ctl->out);

		while (edge < graph->edges && graph->edge[edge].from == node)
			edge++;
		text_add(text, "{\"name\":");
		text_json(text, graph->name[node]);
		for (unsigned kind = 0; kind < EDGE_BEFORE; kind++) {
			const char *comma = "";

			text_addf(text, ",\"%s\":[", edge_names[kind]);
			for (uint32_t i = first; i < edge; i++) {
				if (graph->edge[i].kind != kind)
					continue;
				text = out_text(graph->ctl->out);
				text_add(text, comma);
				text_json(text, graph->name[graph->edge[i].to]);
				comma = ",";
			}
			text_add(text, "]");
		}
		text_add(text, "}\n");
	}
}

/* First of the edges that begin at `from`; they stand together. */
static uint32_t first_edge(const struct graph *graph, uint32_t from)
{
	uint32_t low = 0;
	uint32_t high = graph->edges;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (graph->edge[middle].from < from)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first edge behind those from `at` that lead to the same service. */
static uint32_t past(const struct graph *graph, uint32_t at)
{
	uint32_t next = at + 1;

	while (next < graph->edges && graph->edge[next].from == graph->edge[at].from &&
	       graph->edge[next].to == graph->edge[at].to)
		next++;
	return next;
}

/* The branches of one service. last[0 .. depth-1]: which levels above have ended. */
static void put_branches(struct graph *graph, uint32_t node, bool *last, unsigned depth)
{
	bool utf8 = graph->ctl->style.utf8;
	uint32_t next;

	for (uint32_t at = first_edge(graph, node);
	     at < graph->edges && graph->edge[at].from == node; at = next) {
		struct text *text = out_text(graph->ctl->out);
		uint32_t to = graph->edge[at].to;
		next = past(graph, at);
		last[depth] = next >= graph->edges || graph->edge[next].from != node;
		for (unsigned level = 0; level < depth; level++)
			text_add(text, last[level] ? "   " : utf8 ? "│  " : "|  ");
		if (last[depth])
			text_add(text, utf8 ? "└─ " : "`- ");
		else
			text_add(text, utf8 ? "├─ " : "|- ");
		for (uint32_t i = at; i < next; i++) {
			text_add(text, i > at ? ", " : "");
			text_add(text, edge_names[graph->edge[i].kind]);
		}
		text_add(text, " ");
		format_clean(text, graph->name[to]);
		uint32_t below = first_edge(graph, to);
		bool leaf = below >= graph->edges || graph->edge[below].from != to;
		bool deeper = !leaf && !graph->shown[to] && depth + 1 < DEPTH_MAX;
		text_add(text, leaf || deeper ? "\n" : " (see its own branches)\n");
		graph->shown[to] = true;
		if (deeper)
			put_branches(graph, to, last, depth + 1);
	}
}

static bool is_root(const struct graph *graph, uint32_t node)
{
	const struct ctl *ctl = graph->ctl;

	for (size_t i = 0; i < ctl->argc; i++)
		if (match_service(ctl->argv[i], graph->name[node]))
			return true;
	if (ctl->argc)
		return false;
	for (uint32_t i = 0; i < graph->edges; i++)
		if (graph->edge[i].to == node && graph->edge[i].kind != EDGE_RESTART_WITH)
			return false;
	return true;
}

static int put_trees(struct graph *graph)
{
	bool last[DEPTH_MAX];
	bool any = graph->ctl->argc == 0;

	for (uint32_t i = 0; i < graph->names; i++) {
		if (!is_root(graph, i))
			continue;
		any = true;
		out_clean(graph->ctl->out, graph->name[i]);
		out_add(graph->ctl->out, "\n");
		graph->shown[i] = true;
		put_branches(graph, i, last, 0);
	}
	if (any)
		return CTL_OK;
	ctl_error("there is no service %s; sinitctl graph shows all", graph->ctl->argv[0]);
	return CTL_UNKNOWN;
}

int ctl_graph(struct ctl *ctl)
{
	static const char *const all[] = {
	    "*", "requires", "wants", "after", "before", "restart_with"};
	struct graph graph = {.ctl = ctl};
	int code;

	if (ctl_has(ctl, OPT_CONFIG))
		code = take_directory(&graph);
	else
		code = client_call(ctl, "show", all, ARRAY_LEN(all), take_setting, &graph);
	if (code == CTL_OK)
		code = put_in_order(&graph);
	if (code == CTL_OK && ctl_has(ctl, OPT_DOT))
		put_dot(&graph);
	else if (code == CTL_OK && ctl_has(ctl, OPT_JSON))
		put_json(&graph);
	else if (code == CTL_OK)
		code = put_trees(&graph);
	for (uint32_t i = 0; i < graph.names; i++)
		free(graph.name[i]);
	free(graph.name);
	free(graph.edge);
	free(graph.shown);
	return code;
}
