/* Graphs: small ones by hand, random ones against what is slow and plainly right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/graph.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 12, EDGES = 40 };

struct sample {
	uint32_t nodes;
	uint32_t edges;
	uint32_t first[NODES + 1];
	uint32_t to[EDGES];
	bool reach[NODES][NODES]; /* by one edge or more */
};

static uint32_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % below;
}

static void make_sample(struct sample *sample)
{
	uint32_t from[EDGES];

	*sample = (struct sample){.nodes = 1 + next_random(NODES)};
	sample->edges = next_random(EDGES + 1);
	if (next_random(2))
		sample->edges %= sample->nodes + 1;
	for (uint32_t e = 0; e < sample->edges; e++) {
		from[e] = next_random(sample->nodes);
		sample->first[from[e]]++;
	}
	uint32_t sum = 0;
	for (uint32_t i = 0; i <= sample->nodes; i++) {
		uint32_t count = sample->first[i];
		sample->first[i] = sum;
		sum += count;
	}
	uint32_t next[NODES + 1];
	memcpy(next, sample->first, sizeof(next));
	for (uint32_t e = 0; e < sample->edges; e++) {
		uint32_t to = next_random(sample->nodes);
		sample->to[next[from[e]]++] = to;
		sample->reach[from[e]][to] = true;
	}
	for (uint32_t k = 0; k < sample->nodes; k++)
		for (uint32_t i = 0; i < sample->nodes; i++)
			for (uint32_t j = 0; j < sample->nodes; j++)
				if (sample->reach[i][k] && sample->reach[k][j])
					sample->reach[i][j] = true;
}

/* Scratch of the promised size, with a guard for ASan. */
static uint32_t *get_scratch(uint32_t nodes)
{
	uint32_t *scratch = malloc(GRAPH_SCRATCH(nodes) * sizeof(*scratch));

	memset(scratch, 0xa5, GRAPH_SCRATCH(nodes) * sizeof(*scratch));
	return scratch;
}

static bool has_edge(const struct sample *sample, uint32_t from, uint32_t to)
{
	for (uint32_t e = sample->first[from]; e < sample->first[from + 1]; e++)
		if (sample->to[e] == to)
			return true;
	return false;
}

static void check_components(const struct sample *sample, const uint32_t *component, uint32_t count)
{
	bool used[NODES] = {false};

	for (uint32_t i = 0; i < sample->nodes; i++) {
		assert_true(component[i] < count);
		used[component[i]] = true;
		for (uint32_t j = 0; j < sample->nodes; j++) {
			bool together = i == j || (sample->reach[i][j] && sample->reach[j][i]);
			assert_int_equal(component[i] == component[j], together);
			if (has_edge(sample, i, j))
				assert_true(component[j] <= component[i]);
		}
	}
	for (uint32_t c = 0; c < count; c++)
		assert_true(used[c]);
}

static void check_paths(const struct sample *sample, const struct graph *graph,
    const uint32_t *component, uint32_t *scratch)
{
	uint32_t path[NODES + 1];

	for (uint32_t i = 0; i < sample->nodes; i++)
		for (uint32_t j = 0; j < sample->nodes; j++) {
			uint32_t length = graph_path(graph, component, i, j, path, scratch);
			if (component[i] != component[j])
				continue;
			if (i == j && !sample->reach[i][i]) {
				assert_int_equal(length, 0);
				continue;
			}
			assert_in_range(length, 2, sample->nodes + 1);
			assert_int_equal(path[0], i);
			assert_int_equal(path[length - 1], j);
			for (uint32_t k = 0; k + 1 < length; k++) {
				assert_true(has_edge(sample, path[k], path[k + 1]));
				assert_int_equal(component[path[k]], component[i]);
			}
		}
}

/* The order, by looking for the best of those that may come next each time. */
static void slow_order(const struct sample *sample, const int32_t *rank, uint32_t *order)
{
	bool placed[NODES] = {false};

	for (uint32_t n = 0; n < sample->nodes; n++) {
		uint32_t best = GRAPH_NONE;
		bool best_free = false;
		for (uint32_t i = 0; i < sample->nodes; i++) {
			bool is_free = true;
			if (placed[i])
				continue;
			for (uint32_t j = 0; j < sample->nodes; j++)
				if (!placed[j] && has_edge(sample, j, i))
					is_free = false;
			if (best == GRAPH_NONE || is_free > best_free ||
			    (is_free == best_free && rank[i] < rank[best])) {
				best = i;
				best_free = is_free;
			}
		}
		placed[best] = true;
		order[n] = best;
	}
}

static bool is_acyclic(const struct sample *sample)
{
	for (uint32_t i = 0; i < sample->nodes; i++)
		if (sample->reach[i][i])
			return false;
	return true;
}

static void check_order(const struct sample *sample, const struct graph *graph, uint32_t *scratch)
{
	int32_t rank[NODES];
	uint32_t order[NODES];
	uint32_t expected[NODES];
	bool seen[NODES] = {false};

	for (uint32_t i = 0; i < sample->nodes; i++)
		rank[i] = (int32_t)next_random(4) - 2;
	graph_order(graph, rank, order, scratch);
	for (uint32_t i = 0; i < sample->nodes; i++) {
		assert_true(order[i] < sample->nodes);
		assert_false(seen[order[i]]);
		seen[order[i]] = true;
	}
	if (!is_acyclic(sample))
		return;
	slow_order(sample, rank, expected);
	assert_memory_equal(order, expected, sample->nodes * sizeof(*order));
}

static void test_random(void **state)
{
	unsigned acyclic = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct sample sample;
		uint32_t component[NODES];
		make_sample(&sample);
		struct graph graph = {sample.nodes, sample.first, sample.to};
		uint32_t *scratch = get_scratch(sample.nodes);
		uint32_t count = graph_components(&graph, component, scratch);
		check_components(&sample, component, count);
		check_paths(&sample, &graph, component, scratch);
		check_order(&sample, &graph, scratch);
		acyclic += is_acyclic(&sample);
		free(scratch);
	}
	/* Both kinds came up. */
	assert_in_range(acyclic, 1000, 19000);
}

static void test_empty(void **state)
{
	uint32_t first[1] = {0};
	struct graph graph = {0, first, NULL};
	uint32_t unused;

	(void)state;
	assert_int_equal(graph_components(&graph, &unused, &unused), 0);
	graph_order(&graph, NULL, &unused, &unused);
}

/* As deep as can be: nothing recurses. */
static void test_long_chain_and_ring(void **state)
{
	enum { LONG = 1000000 };
	uint32_t *first = malloc((LONG + 1) * sizeof(*first));
	uint32_t *to = malloc(LONG * sizeof(*to));
	uint32_t *component = malloc(LONG * sizeof(*component));
	uint32_t *order = malloc((LONG + 1) * sizeof(*order));
	int32_t *rank = calloc(LONG, sizeof(*rank));
	uint32_t *scratch = get_scratch(LONG);
	struct graph graph = {LONG, first, to};

	(void)state;
	for (uint32_t i = 0; i < LONG; i++) {
		first[i] = i;
		to[i] = i + 1;
	}
	first[LONG] = LONG;
	to[LONG - 1] = 0;
	assert_int_equal(graph_components(&graph, component, scratch), 1);
	assert_int_equal(graph_path(&graph, component, 0, 0, order, scratch), LONG + 1);
	first[LONG] = LONG - 1;
	assert_int_equal(graph_components(&graph, component, scratch), LONG);
	graph_order(&graph, rank, order, scratch);
	for (uint32_t i = 0; i < LONG; i++)
		assert_int_equal(order[i], i);
	free(first);
	free(to);
	free(component);
	free(order);
	free(rank);
	free(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_long_chain_and_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
