/* Cycles of dependencies. */
#include "init/base.h"
#include "init/loader.h"

#include <string.h>

/* Rounds in which one edge of each knot of orders is dropped; after that all of what is
 * still knotted is. Bounds the time that a hostile configuration takes. */
enum { ROUNDS = 64 };

/* Names of a cycle that a message shows. */
enum { PATH_SHOWN = 300 };

bool loader_graph(
    struct loader *loader, const struct pair *pairs, uint32_t count, struct graph *ret_graph)
{
	uint32_t *first = arena_get(&loader->arena, (loader->count + 2) * sizeof(*first));
	uint32_t *to = arena_get(&loader->arena, ((size_t)count + 1) * sizeof(*to));

	if (!pairs || !first || !to) {
		loader->no_memory = true;
		return false;
	}
	/* A counting sort. While it fills, first[n + 1] is the next place of node n, and in
	 * the end where the node behind it begins. */
	uint32_t *next = first + 1;
	for (uint32_t i = 0; i < count; i++)
		next[pairs[i].from]++;
	uint32_t sum = 0;
	for (uint32_t i = 0; i < loader->count; i++) {
		uint32_t edges = next[i];
		next[i] = sum;
		sum += edges;
	}
	for (uint32_t i = 0; i < count; i++)
		to[next[pairs[i].from]++] = pairs[i].to;
	*ret_graph = (struct graph){loader->count, first, to};
	return true;
}

/* Memory for one look at a graph. */
struct look {
	uint32_t *component;
	uint32_t *path;
	uint32_t *scratch;
};

static bool start_look(struct loader *loader, struct look *look)
{
	size_t nodes = loader->count;

	look->component = arena_get(&loader->arena, (nodes + 1) * sizeof(uint32_t));
	look->path = arena_get(&loader->arena, (nodes + 1) * sizeof(uint32_t));
	look->scratch = arena_get(&loader->arena, (GRAPH_SCRATCH(nodes) + 1) * sizeof(uint32_t));
	if (!look->component || !look->path || !look->scratch)
		loader->no_memory = true;
	return !loader->no_memory;
}

/* "a -> b -> c -> a" */
static void print_path(
    const struct loader *loader, struct text *text, const uint32_t *path, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		text_addf(text, "%s%s", i ? " -> " : "", loader->drafts[path[i]]->name);
	if (text->cut)
		memcpy(text->data + text->used - 3, "...", 3);
}

static bool has(const struct image *image, ref at, uint32_t index)
{
	const struct image_list *list = image_list(image, at);

	for (uint32_t i = 0; i < list->count; i++)
		if (list->item[i] == index)
			return true;
	return false;
}

/* The line that makes service a depend on b. */
static const struct entry *cause(struct loader *loader, uint32_t a, uint32_t b, bool restart)
{
	const struct image *image = builder_image(&loader->builder);
	unsigned key = restart                                            ? KEY_SERVICE_restart_with
		       : has(image, image_service(image, a)->requires, b) ? KEY_SERVICE_requires
									  : KEY_SERVICE_wants;

	return loader_effective(loader, loader->drafts[a], key);
}

/* Tells of one cycle, and breaks all services in its knot. */
static void report_cycle(struct loader *loader, const struct graph *graph, const struct look *look,
    uint32_t start, bool restart)
{
	char buffer[PATH_SHOWN];
	struct text text;
	uint32_t length =
	    graph_path(graph, look->component, start, start, look->path, look->scratch);

	if (!length)
		return;
	const struct draft *draft = loader->drafts[start];
	const struct entry *entry = cause(loader, start, look->path[1], restart);
	uint32_t file = entry ? entry->file : draft->file;
	uint32_t line = entry ? entry->line : draft->line;
	text_init(&text, buffer, sizeof(buffer));
	print_path(loader, &text, look->path, length);
	for (uint32_t i = 0; i < graph->nodes; i++)
		if (look->component[i] == look->component[start])
			loader_error(loader, loader->drafts[i], file, line, "%s: %s cycle: %s",
			    entry ? schema_name(schema_at(entry->key)) : "main",
			    restart ? "restart" : "dependency", buffer);
}

/* The cycles of a graph in which there must be none. */
static void report_cycles(
    struct loader *loader, const struct graph *graph, const struct look *look, bool restart)
{
	uint32_t components = graph_components(graph, look->component, look->scratch);
	uint32_t *size = arena_get(&loader->arena, (components + 1) * sizeof(*size));

	if (!size) {
		loader->no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < graph->nodes; i++)
		size[look->component[i]]++;
	for (uint32_t i = 0; i < graph->nodes; i++) {
		/* COMMAND has no line to be blamed for what it waits for. */
		if (size[look->component[i]] < 2 || loader->drafts[i]->is_main)
			continue;
		size[look->component[i]] = 0;
		report_cycle(loader, graph, look, i, restart);
	}
}

/* --- Orders that close cycles --- */

/* All edges: what must be waited for, and the orders that are left. */
static bool whole_graph(struct loader *loader, const struct graph *hard,
    const uint32_t *hard_component, const struct order_edge *edges, uint32_t count,
    struct pair *pairs, struct graph *ret_graph)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < hard->nodes; i++)
		for (uint32_t e = hard->first[i]; e < hard->first[i + 1]; e++)
			/* Cycles of these are broken services already. */
			if (hard_component[i] != hard_component[hard->to[e]])
				pairs[used++] = (struct pair){i, hard->to[e]};
	for (uint32_t i = 0; i < count; i++)
		if (!edges[i].dropped)
			pairs[used++] = (struct pair){edges[i].from, edges[i].to};
	return loader_graph(loader, pairs, used, ret_graph);
}

static void drop_edge(struct loader *loader, const struct graph *graph, const struct look *look,
    struct order_edge *edge)
{
	char buffer[PATH_SHOWN];
	struct text text;
	const struct draft *draft = loader->drafts[edge->owner];
	const struct entry *entry = loader_effective(loader, draft, edge->key);
	uint32_t other = edge->owner == edge->from ? edge->to : edge->from;

	edge->dropped = true;
	if (loader->errors->warnings.count == CONFIG_MAX_MESSAGES) {
		loader->errors->warnings.dropped++;
		return;
	}
	text_init(&text, buffer, sizeof(buffer));
	text_addf(&text, "%s -> ", loader->drafts[edge->from]->name);
	uint32_t length =
	    graph_path(graph, look->component, edge->to, edge->from, look->path, look->scratch);
	print_path(loader, &text, look->path, length);
	loader_warning(loader, entry->file, entry->line,
	    "%s = %s: dropped, since it closes a cycle: %s", schema_name(schema_at(edge->key)),
	    loader->drafts[other]->name, buffer);
}

/* Drops one order edge of each knot, the last, or all of them. Returns whether there was a
 * knot. Every edge inside a component is on a cycle. */
static bool drop_edges(struct loader *loader, const struct graph *graph, const struct look *look,
    struct order_edge *edges, uint32_t count, bool all)
{
	uint32_t components = graph_components(graph, look->component, look->scratch);
	bool *done = arena_get(&loader->arena, components + 1);
	bool found = false;

	if (!done) {
		loader->no_memory = true;
		return false;
	}
	for (uint32_t i = count; i-- > 0;) {
		uint32_t component = look->component[edges[i].from];
		if (edges[i].dropped || component != look->component[edges[i].to] ||
		    (done[component] && !all))
			continue;
		done[component] = true;
		found = true;
		drop_edge(loader, graph, look, &edges[i]);
	}
	return found;
}

void loader_cycles(struct loader *loader, struct order_edge *edges, uint32_t count)
{
	static const size_t waits[] = {
	    offsetof(struct service_settings, requires),
	    offsetof(struct service_settings, wants),
	};
	static const size_t restart_with[] = {offsetof(struct service_settings, restart_with)};
	struct graph hard;
	struct graph graph;
	struct look look;
	struct look hard_look;

	if (!start_look(loader, &look) || !start_look(loader, &hard_look) ||
	    !loader_member_graph(loader, restart_with, 1, false, &graph) ||
	    !loader_member_graph(loader, waits, ARRAY_LEN(waits), false, &hard))
		return;
	report_cycles(loader, &graph, &look, true);
	report_cycles(loader, &hard, &hard_look, false);
	struct pair *pairs = arena_get(
	    &loader->arena, ((size_t)hard.first[hard.nodes] + count + 1) * sizeof(*pairs));
	if (!pairs)
		loader->no_memory = true;
	bool more = count > 0;
	for (unsigned round = 0; more && !loader->no_memory; round++) {
		if (!whole_graph(loader, &hard, hard_look.component, edges, count, pairs, &graph))
			return;
		more = drop_edges(loader, &graph, &look, edges, count, round >= ROUNDS);
	}
}
