/* graph: what needs what, of a running sinit or of a configuration directory. */
#include "ctl/edges.h"
#include "ctl/match.h"
#include "init/format.h"

#include <stdlib.h>

enum { DEPTH_MAX = 200 };

struct graph {
	struct ctl *ctl;
	struct edges all;
	bool *shown;
};

/* --- output ------------------------------------------------------------------- */

static void put_dot(const struct graph *graph)
{
	static const char *const styles[] = {"", " [style=dashed]", " [style=dotted]",
	    " [style=dashed, color=gray, constraint=false]"};
	struct out *out = graph->ctl->out;

	out_add(out, "digraph sinit {\n\trankdir=LR;\n\tnode [shape=box];\n");
	for (uint32_t i = 0; i < graph->all.names; i++) {
		out_add(out, "\t");
		text_json(out_text(out), graph->all.name[i]);
		out_add(out, ";\n");
	}
	for (uint32_t i = 0; i < graph->all.edges; i++) {
		const struct edge *edge = &graph->all.edge[i];
		struct text *text = out_text(out);
		text_add(text, "\t");
		text_json(text, graph->all.name[edge->from]);
		text_add(text, " -> ");
		text_json(text, graph->all.name[edge->to]);
		text_addf(text, "%s; // %s\n", styles[edge->kind], edge_names[edge->kind]);
	}
	out_add(out, "}\n");
}

/* A line a service: {"name":"app","requires":["db"],"wants":[],...}. */
static void put_json(const struct graph *graph)
{
	uint32_t edge = 0;

	for (uint32_t node = 0; node < graph->all.names; node++) {
		uint32_t first = edge;
		struct text *text = out_text(graph->ctl->out);

		while (edge < graph->all.edges && graph->all.edge[edge].from == node)
			edge++;
		text_add(text, "{\"name\":");
		text_json(text, graph->all.name[node]);
		for (unsigned kind = 0; kind < EDGE_BEFORE; kind++) {
			const char *comma = "";

			text_addf(text, ",\"%s\":[", edge_names[kind]);
			for (uint32_t i = first; i < edge; i++) {
				if (graph->all.edge[i].kind != kind)
					continue;
				text = out_text(graph->ctl->out);
				text_add(text, comma);
				text_json(text, graph->all.name[graph->all.edge[i].to]);
				comma = ",";
			}
			text_add(text, "]");
		}
		text_add(text, "}\n");
	}
}

/* The first edge behind those from `at` that lead to the same service. */
static uint32_t past(const struct graph *graph, uint32_t at)
{
	uint32_t next = at + 1;

	while (next < graph->all.edges && graph->all.edge[next].from == graph->all.edge[at].from &&
	       graph->all.edge[next].to == graph->all.edge[at].to)
		next++;
	return next;
}

/* The branches of one service. last[0 .. depth-1]: which levels above have ended. */
static void put_branches(struct graph *graph, uint32_t node, bool *last, unsigned depth)
{
	bool utf8 = graph->ctl->style.utf8;
	uint32_t next;

	for (uint32_t at = edges_first(&graph->all, node);
	     at < graph->all.edges && graph->all.edge[at].from == node; at = next) {
		struct text *text = out_text(graph->ctl->out);
		uint32_t to = graph->all.edge[at].to;
		next = past(graph, at);
		last[depth] = next >= graph->all.edges || graph->all.edge[next].from != node;
		for (unsigned level = 0; level < depth; level++)
			text_add(text, last[level] ? "   " : utf8 ? "│  " : "|  ");
		if (last[depth])
			text_add(text, utf8 ? "└─ " : "`- ");
		else
			text_add(text, utf8 ? "├─ " : "|- ");
		for (uint32_t i = at; i < next; i++) {
			text_add(text, i > at ? ", " : "");
			text_add(text, edge_names[graph->all.edge[i].kind]);
		}
		text_add(text, " ");
		format_clean(text, graph->all.name[to]);
		uint32_t below = edges_first(&graph->all, to);
		bool leaf = below >= graph->all.edges || graph->all.edge[below].from != to;
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
		if (match_service(ctl->argv[i], graph->all.name[node]))
			return true;
	if (ctl->argc)
		return false;
	for (uint32_t i = 0; i < graph->all.edges; i++)
		if (graph->all.edge[i].to == node && graph->all.edge[i].kind != EDGE_RESTART_WITH)
			return false;
	return true;
}

static int put_trees(struct graph *graph)
{
	bool last[DEPTH_MAX];
	bool any = graph->ctl->argc == 0;

	for (uint32_t i = 0; i < graph->all.names; i++) {
		if (!is_root(graph, i))
			continue;
		any = true;
		out_clean(graph->ctl->out, graph->all.name[i]);
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
	struct graph graph = {.ctl = ctl};
	int code = ctl_has(ctl, OPT_CONFIG) ? edges_of_directory(&graph.all, ctl)
					    : edges_of_sinit(&graph.all, ctl);

	if (code == CTL_OK)
		code = edges_sort(&graph.all);
	graph.shown = calloc(graph.all.names + 1, sizeof(*graph.shown));
	if (code == CTL_OK && !graph.shown) {
		ctl_error("out of memory");
		code = CTL_FAILED;
	}
	if (code == CTL_OK && ctl_has(ctl, OPT_DOT))
		put_dot(&graph);
	else if (code == CTL_OK && ctl_has(ctl, OPT_JSON))
		put_json(&graph);
	else if (code == CTL_OK)
		code = put_trees(&graph);
	edges_free(&graph.all);
	free(graph.shown);
	return code;
}
