/* Dependencies: names to indexes, and the edges that follow from them. */
#include "init/base.h"
#include "init/loader.h"
#include "init/value.h"

#include <string.h>

/* Order edges in the order of their owners, `after` before `before`. */
struct edges {
	struct order_edge *edge;
	uint32_t count;
	uint32_t room;
};

static void add_edge(struct loader *loader, struct edges *edges, struct order_edge edge)
{
	if (edges->count == edges->room) {
		uint32_t room = edges->room ? edges->room * 2 : 256;
		struct order_edge *bigger = arena_get(&loader->arena, room * sizeof(*bigger));
		if (!bigger) {
			loader->no_memory = true;
			return;
		}
		if (edges->count)
			memcpy(bigger, edges->edge, edges->count * sizeof(*bigger));
		edges->edge = bigger;
		edges->room = room;
	}
	edges->edge[edges->count++] = edge;
}

/* --- Names --- */

const char *loader_nearest(const struct loader *loader, const char *name, const struct draft *but)
{
	unsigned best = value_slips(name) + 1;
	const char *nearest = NULL;

	/* Once no more messages are kept, there is no use in looking. */
	if (loader->errors->errors.count == CONFIG_MAX_MESSAGES)
		return NULL;
	for (uint32_t i = 0; i < loader->count; i++)
		if (loader->drafts[i] != but)
			value_nearer(name, loader->drafts[i]->name, &best, &nearest);
	return nearest;
}

static void unknown_service(struct loader *loader, struct draft *draft, const struct entry *entry,
    const char *item, size_t length)
{
	char name[IMAGE_MAX_NAME + 2] = "";
	const char *key = schema_name(schema_at(entry->key));

	memcpy(name, item, length < sizeof(name) ? length : sizeof(name) - 1);
	const char *nearest = loader_nearest(loader, name, draft);
	if (nearest)
		loader_error(loader, draft, entry->file, entry->line,
		    "%s = %s: no such service; did you mean '%s'?", key, name, nearest);
	else
		loader_error(loader, draft, entry->file, entry->line,
		    "%s = %s: no such service; each needs a section [service %s]", key, name, name);
}

/* A service that names itself. In [defaults] it means all the others. */
static void names_itself(struct loader *loader, struct draft *draft, const struct entry *entry)
{
	bool order = entry->key == KEY_SERVICE_after || entry->key == KEY_SERVICE_before;
	const char *key = schema_name(schema_at(entry->key));

	for (const struct entry *e = loader->defaults.first; e; e = e->next)
		if (e == entry)
			return;
	if (order)
		loader_warning(loader, entry->file, entry->line,
		    "%s = %s: dropped, since a service cannot come before itself", key,
		    draft->name);
	else
		loader_error(loader, draft, entry->file, entry->line,
		    "%s: dependency cycle: %s -> %s", key, draft->name, draft->name);
}

/* Reads a list of names into loader->list, each service once. */
static const struct image_list *read_names(
    struct loader *loader, struct draft *draft, unsigned key, uint32_t stamp)
{
	const struct entry *entry = loader_effective(loader, draft, key);
	const char *at = entry ? entry->value : "";

	loader->list->count = 0;
	for (;;) {
		at += strspn(at, " \t");
		size_t length = strcspn(at, " \t");
		uint32_t index;
		if (!length)
			return loader->list;
		const struct draft *other = loader_find(loader, at, length, &index);
		if (!other) {
			unknown_service(loader, draft, entry, at, length);
		} else if (other == draft) {
			names_itself(loader, draft, entry);
		} else if (loader->mark[index] != stamp) {
			loader->mark[index] = stamp;
			loader->list->item[loader->list->count++] = index;
		}
		at += length;
	}
}

static void read_links(struct loader *loader, uint32_t index, struct edges *edges, uint32_t *stamp)
{
	struct draft *draft = loader->drafts[index];

	for (unsigned key = KEY_SERVICE_requires; key <= KEY_SERVICE_restart_with; key++) {
		const struct image_list *list = read_names(loader, draft, key, ++*stamp);
		if (key == KEY_SERVICE_after || key == KEY_SERVICE_before) {
			for (uint32_t i = 0; i < list->count; i++) {
				bool after = key == KEY_SERVICE_after;
				struct order_edge edge = {
				    .from = after ? index : list->item[i],
				    .to = after ? list->item[i] : index,
				    .owner = index,
				    .key = (uint8_t)key,
				};
				add_edge(loader, edges, edge);
			}
			continue;
		}
		ref at = builder_list(&loader->builder, list);
		memcpy((char *)builder_service(&loader->builder, index) + schema_at(key)->offset,
		    &at, sizeof(at));
	}
}

_Static_assert(KEY_SERVICE_restart_with - KEY_SERVICE_requires == 4,
    "the keys that name services stand together");

/* --- COMMAND waits for everything that is enabled --- */

static bool list_has(const struct image_list *list, uint32_t index)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->item[i] == index)
			return true;
	return false;
}

/* But not for what comes after it by its own wish. */
static void add_main_wants(struct loader *loader, const struct edges *edges, uint32_t *stamp)
{
	const struct image *image = builder_image(&loader->builder);
	uint32_t main_service = image->main_service;
	struct image_list *list = loader->list;

	if (main_service == IMAGE_NONE)
		return;
	uint32_t mark = ++*stamp;
	loader->mark[main_service] = mark;
	for (uint32_t i = 0; i < edges->count; i++)
		if (edges->edge[i].to == main_service)
			loader->mark[edges->edge[i].from] = mark;
	const struct image_list *given =
	    image_list(image, image_service(image, main_service)->wants);
	list->count = 0;
	for (uint32_t i = 0; i < loader->count; i++) {
		const struct service_settings *service = image_service(image, i);
		bool waits = list_has(image_list(image, service->requires), main_service) ||
			     list_has(image_list(image, service->wants), main_service);
		bool all = service->enabled && !waits && loader->mark[i] != mark;
		if (all || list_has(given, i))
			list->item[list->count++] = i;
	}
	ref at = builder_list(&loader->builder, list);
	builder_service(&loader->builder, main_service)->wants = at;
}

/* --- The lists that follow --- */

/* `after` and `before` as they are now, without what was dropped. */
static void store_order_keys(struct loader *loader, const struct edges *edges)
{
	struct image_list *list = loader->list;

	for (uint32_t i = 0; i < edges->count;) {
		uint32_t owner = edges->edge[i].owner;
		uint8_t key = edges->edge[i].key;
		list->count = 0;
		for (;
		     i < edges->count && edges->edge[i].owner == owner && edges->edge[i].key == key;
		     i++) {
			const struct order_edge *edge = &edges->edge[i];
			if (!edge->dropped)
				list->item[list->count++] =
				    key == KEY_SERVICE_after ? edge->to : edge->from;
		}
		ref at = builder_list(&loader->builder, list);
		memcpy((char *)builder_service(&loader->builder, owner) + schema_at(key)->offset,
		    &at, sizeof(at));
	}
}

/* Stores a list of services, each once and without those already marked with `stamp`. */
static ref store_list(struct loader *loader, const uint32_t *items, uint32_t count, uint32_t stamp)
{
	struct image_list *list = loader->list;

	list->count = 0;
	for (uint32_t i = 0; i < count; i++)
		if (loader->mark[items[i]] != stamp) {
			loader->mark[items[i]] = stamp;
			list->item[list->count++] = items[i];
		}
	return builder_list(&loader->builder, list);
}

/* order_after: who waits by order alone for whom. */
static void store_order_after(struct loader *loader, const struct edges *edges, uint32_t *stamp)
{
	struct pair *pairs = arena_get(&loader->arena, (edges->count + 1) * sizeof(*pairs));
	struct graph graph;
	uint32_t count = 0;

	for (uint32_t i = 0; pairs && i < edges->count; i++)
		if (!edges->edge[i].dropped)
			pairs[count++] = (struct pair){edges->edge[i].to, edges->edge[i].from};
	/* Grouped by target and then by who waits, so that each list comes out ascending. */
	if (!loader_graph(loader, pairs, count, &graph))
		return;
	for (uint32_t to = 0; to < graph.nodes; to++)
		for (uint32_t e = graph.first[to]; e < graph.first[to + 1]; e++)
			pairs[e] = (struct pair){graph.to[e], to};
	if (!loader_graph(loader, pairs, count, &graph))
		return;
	for (uint32_t i = 0; i < graph.nodes; i++) {
		const struct image *image = builder_image(&loader->builder);
		const struct service_settings *service = image_service(image, i);
		const struct image_list *hard[] = {
		    image_list(image, service->requires), image_list(image, service->wants)};
		++*stamp;
		for (size_t h = 0; h < ARRAY_LEN(hard); h++)
			for (uint32_t j = 0; j < hard[h]->count; j++)
				loader->mark[hard[h]->item[j]] = *stamp;
		ref at = store_list(
		    loader, graph.to + graph.first[i], graph.first[i + 1] - graph.first[i], *stamp);
		builder_service(&loader->builder, i)->order_after = at;
	}
}

/* The list at byte `member` of a service's settings. */
static const struct image_list *list_of(const struct image *image, uint32_t index, size_t member)
{
	ref at;

	memcpy(&at, (const char *)image_service(image, index) + member, sizeof(at));
	return image_list(image, at);
}

bool loader_member_graph(struct loader *loader, const size_t *members, size_t member_count,
    bool reverse, struct graph *ret_graph)
{
	const struct image *image = builder_image(&loader->builder);
	size_t total = 0;
	uint32_t count = 0;

	for (uint32_t i = 0; i < loader->count; i++)
		for (size_t m = 0; m < member_count; m++)
			total += list_of(image, i, members[m])->count;
	if (total > UINT32_MAX)
		return false;
	struct pair *pairs = arena_get(&loader->arena, (total + 1) * sizeof(*pairs));
	for (uint32_t i = 0; pairs && i < loader->count; i++)
		for (size_t m = 0; m < member_count; m++) {
			const struct image_list *list = list_of(image, i, members[m]);
			for (uint32_t j = 0; j < list->count; j++)
				pairs[count++] = reverse ? (struct pair){list->item[j], i}
							 : (struct pair){i, list->item[j]};
		}
	return loader_graph(loader, pairs, count, ret_graph);
}

/* Who has a service in one of the given members, as a list in member `result`. */
static void store_reverse(struct loader *loader, const size_t *members, size_t member_count,
    size_t result, uint32_t *stamp)
{
	struct graph graph;

	if (!loader_member_graph(loader, members, member_count, true, &graph))
		return;
	for (uint32_t i = 0; i < graph.nodes; i++) {
		ref at = store_list(loader, graph.to + graph.first[i],
		    graph.first[i + 1] - graph.first[i], ++*stamp);
		memcpy((char *)builder_service(&loader->builder, i) + result, &at, sizeof(at));
	}
}

void loader_links(struct loader *loader)
{
	static const size_t waits[] = {
	    offsetof(struct service_settings, requires),
	    offsetof(struct service_settings, wants),
	    offsetof(struct service_settings, order_after),
	};
	static const size_t restart_with[] = {offsetof(struct service_settings, restart_with)};
	struct edges edges = {0};
	uint32_t stamp = 0;

	for (uint32_t i = 0; i < loader->count && !loader->no_memory; i++)
		read_links(loader, i, &edges, &stamp);
	add_main_wants(loader, &edges, &stamp);
	if (loader->no_memory || loader->builder.failed)
		return;
	loader_cycles(loader, edges.edge, edges.count);
	store_order_keys(loader, &edges);
	store_order_after(loader, &edges, &stamp);
	store_reverse(
	    loader, waits, ARRAY_LEN(waits), offsetof(struct service_settings, dependents), &stamp);
	store_reverse(loader, restart_with, ARRAY_LEN(restart_with),
	    offsetof(struct service_settings, restarts), &stamp);
}
