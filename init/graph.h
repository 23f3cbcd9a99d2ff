/* Directed graphs: cycles and orders. The configuration uses it for dependencies.
 *
 * Pure: all memory is the caller's, nothing recurses, and every function is linear in the
 * nodes and edges (graph_order() with a logarithm).
 */
#ifndef SINIT_INIT_GRAPH_H
#define SINIT_INIT_GRAPH_H

#include <stdint.h>

/* The edges of node n lead to to[first[n]] ... to[first[n + 1] - 1]. */
struct graph {
	uint32_t nodes;
	const uint32_t *first; /* nodes + 1 numbers, ascending */
	const uint32_t *to;    /* first[nodes] nodes */
};

#define GRAPH_NONE UINT32_MAX

/* Words of scratch memory that each of the functions below needs at most. */
#define GRAPH_SCRATCH(nodes) ((nodes)*5u)

/* Finds the strongly connected components: nodes are in the same one if and only if they
 * have the same component[]. Numbers are such that an edge never leads to a higher one.
 * Returns the number of components. A node that is alone in its component may still have an
 * edge to itself. */
uint32_t graph_components(const struct graph *graph, uint32_t *component, uint32_t *scratch);

/* Finds a shortest path from `from` to `to` that uses only nodes of their component: puts
 * its nodes, both ends included, into path[] and returns how many; 0 if there is none. With
 * from == to it is a cycle, and the node stands at both ends. path[] needs nodes + 1. */
uint32_t graph_path(const struct graph *graph, const uint32_t *component, uint32_t from,
    uint32_t to, uint32_t *path, uint32_t *scratch);

/* Orders all nodes so that every edge leads from an earlier to a later one; among those
 * that may come next, the one with the least rank[] comes first, then the least number.
 * Nodes on cycles come last, by rank. */
void graph_order(
    const struct graph *graph, const int32_t *rank, uint32_t *order, uint32_t *scratch);

#endif
