#include "init/graph.h"
#include "init/image.h"

/* Edges lead from what is waited for to who waits: `dependents` has them all. */
static uint32_t count_edges(const struct image *image)
{
	uint32_t edges = 0;

	for (uint32_t i = 0; i < image->service_count; i++)
		edges += image_list(image, image_service(image, i)->dependents)->count;
	return edges;
}

size_t image_order_scratch(const struct image *image)
{
	size_t nodes = image->service_count;

	return nodes + 1 + count_edges(image) + nodes + GRAPH_SCRATCH(nodes);
}

void image_order(const struct image *image, uint32_t *order, uint32_t *scratch)
{
	uint32_t nodes = image->service_count;
	uint32_t *first = scratch;
	uint32_t *to = first + nodes + 1;
	uint32_t edges = 0;
	int32_t *rank = (int32_t *)(to + count_edges(image));

	for (uint32_t i = 0; i < nodes; i++) {
		const struct service_settings *service = image_service(image, i);
		const struct image_list *list = image_list(image, service->dependents);
		first[i] = edges;
		for (uint32_t j = 0; j < list->count; j++)
			to[edges++] = list->item[j];
		rank[i] = service->priority;
	}
	first[nodes] = edges;
	struct graph graph = {nodes, first, to};
	graph_order(&graph, rank, order, (uint32_t *)rank + nodes);
}
