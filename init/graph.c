#include "init/graph.h"

#include <stdbool.h>
#include <string.h>

/* Tarjan's algorithm with its two stacks in arrays. */
struct tarjan {
	const struct graph *graph;
	uint32_t *component;
	uint32_t *low;  /* 0: not seen; else the least number reachable */
	uint32_t *edge; /* the next edge to look at */
	uint32_t *path; /* nodes being visited */
	uint32_t *open; /* nodes that are in no component yet */
	uint32_t depth;
	uint32_t opened;
	uint32_t number;
	uint32_t components;
};

static void enter(struct tarjan *t, uint32_t node)
{
	t->low[node] = ++t->number;
	t->edge[node] = t->graph->first[node];
	t->path[t->depth++] = node;
	t->open[t->opened++] = node;
}

/* All edges of the node have been followed. `own` is its number: whoever is open with a
 * higher one can be reached from it. */
static void leave(struct tarjan *t, uint32_t node, uint32_t own)
{
	t->depth--;
	if (t->low[node] == own) {
		uint32_t member;
		do {
			member = t->open[--t->opened];
			t->component[member] = t->components;
		} while (member != node);
		t->components++;
	}
	if (t->depth) {
		uint32_t parent = t->path[t->depth - 1];
		if (t->component[node] == GRAPH_NONE && t->low[node] < t->low[parent])
			t->low[parent] = t->low[node];
	}
}

static void visit(struct tarjan *t, uint32_t start, uint32_t *own)
{
	enter(t, start);
	own[start] = t->number;
	while (t->depth) {
		uint32_t node = t->path[t->depth - 1];
		if (t->edge[node] == t->graph->first[node + 1]) {
			leave(t, node, own[node]);
			continue;
		}
		uint32_t next = t->graph->to[t->edge[node]++];
		if (!t->low[next]) {
			enter(t, next);
			own[next] = t->number;
		} else if (t->component[next] == GRAPH_NONE && own[next] < t->low[node]) {
			t->low[node] = own[next];
		}
	}
}

uint32_t graph_components(const struct graph *graph, uint32_t *component, uint32_t *scratch)
{
	uint32_t nodes = graph->nodes;
	uint32_t *own = scratch + 4 * (size_t)nodes;
	struct tarjan tarjan = {
	    .graph = graph,
	    .component = component,
	    .low = scratch,
	    .edge = scratch + nodes,
	    .path = scratch + 2 * (size_t)nodes,
	    .open = scratch + 3 * (size_t)nodes,
	};

	for (uint32_t i = 0; i < nodes; i++) {
		component[i] = GRAPH_NONE;
		tarjan.low[i] = 0;
	}
	for (uint32_t i = 0; i < nodes; i++)
		if (!tarjan.low[i])
			visit(&tarjan, i, own);
	return tarjan.components;
}

/* Writes the way back from `last` to `from` into path[], turned round. */
static uint32_t trace(const uint32_t *before, uint32_t from, uint32_t last, uint32_t *path)
{
	uint32_t length = 0;

	for (uint32_t node = last; node != from; node = before[node])
		path[length++] = node;
	path[length++] = from;
	for (uint32_t i = 0; i < length / 2; i++) {
		uint32_t swap = path[i];
		path[i] = path[length - 1 - i];
		path[length - 1 - i] = swap;
	}
	return length;
}

uint32_t graph_path(const struct graph *graph, const uint32_t *component, uint32_t from,
    uint32_t to, uint32_t *path, uint32_t *scratch)
{
	uint32_t *before = scratch;
	uint32_t *queue = scratch + graph->nodes;
	uint32_t head = 0;
	uint32_t tail = 0;

	for (uint32_t i = 0; i < graph->nodes; i++)
		before[i] = GRAPH_NONE;
	before[from] = from;
	queue[tail++] = from;
	while (head < tail) {
		uint32_t node = queue[head++];
		for (uint32_t e = graph->first[node]; e < graph->first[node + 1]; e++) {
			uint32_t next = graph->to[e];
			if (next == to) {
				uint32_t length = trace(before, from, node, path);
				path[length] = to;
				return length + 1;
			}
			if (component[next] == component[from] && before[next] == GRAPH_NONE) {
				before[next] = node;
				queue[tail++] = next;
			}
		}
	}
	return 0;
}

/* The nodes that may come next: a binary heap, least first. */
struct heap {
	const int32_t *rank;
	uint32_t *node;
	uint32_t count;
};

static bool less(const struct heap *heap, uint32_t a, uint32_t b)
{
	return heap->rank[a] != heap->rank[b] ? heap->rank[a] < heap->rank[b] : a < b;
}

static void heap_add(struct heap *heap, uint32_t node)
{
	uint32_t at = heap->count++;

	while (at && less(heap, node, heap->node[(at - 1) / 2])) {
		heap->node[at] = heap->node[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->node[at] = node;
}

static uint32_t heap_take(struct heap *heap)
{
	uint32_t least = heap->node[0];
	uint32_t last = heap->node[--heap->count];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && less(heap, heap->node[child + 1], heap->node[child]))
			child++;
		if (!less(heap, heap->node[child], last))
			break;
		heap->node[at] = heap->node[child];
		at = child;
	}
	heap->node[at] = last;
	return least;
}

void graph_order(const struct graph *graph, const int32_t *rank, uint32_t *order, uint32_t *scratch)
{
	uint32_t nodes = graph->nodes;
	uint32_t *waits = scratch; /* edges that lead to it from nodes not placed yet */
	struct heap heap = {.rank = rank, .node = scratch + nodes};
	uint32_t placed = 0;

	memset(waits, 0, nodes * sizeof(*waits));
	for (uint32_t e = 0; e < graph->first[nodes]; e++)
		waits[graph->to[e]]++;
	for (uint32_t i = 0; i < nodes; i++)
		if (!waits[i])
			heap_add(&heap, i);
	while (heap.count) {
		uint32_t node = heap_take(&heap);
		order[placed++] = node;
		for (uint32_t e = graph->first[node]; e < graph->first[node + 1]; e++)
			if (--waits[graph->to[e]] == 0)
				heap_add(&heap, graph->to[e]);
	}
	for (uint32_t i = 0; i < nodes; i++)
		if (waits[i])
			heap_add(&heap, i);
	while (heap.count)
		order[placed++] = heap_take(&heap);
}
