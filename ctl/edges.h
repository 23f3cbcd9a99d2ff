/* What needs what: the edges between services, as a running sinit or a configuration
 * directory has them.
 *
 * Owns its names and edges; edges_free() gives them back. May call: client, config. */
#ifndef SINIT_CTL_EDGES_H
#define SINIT_CTL_EDGES_H

#include "ctl/ctl.h"

/* By how much it binds. BEFORE is turned round into AFTER by edges_sort(). */
enum edge_kind { EDGE_REQUIRES, EDGE_WANTS, EDGE_AFTER, EDGE_RESTART_WITH, EDGE_BEFORE };

enum { EDGE_NONE = UINT32_MAX };

extern const char *const edge_names[EDGE_BEFORE + 1]; /* as in the configuration */

struct edge {
	char *target;      /* a name, until edges_sort() has looked it up */
	uint32_t from, to; /* `from` needs `to`: indices of names */
	enum edge_kind kind;
};

/* Zero it before use. */
struct edges {
	char **name;
	struct edge *edge;
	uint32_t names, edges;
	uint32_t name_room, edge_room;
	bool failed; /* out of memory */
};

/* Asks the sinit of ctl->rundir, or reads the directory ctl->config. CTL_OK, or an exit code
 * after saying why. */
int edges_of_sinit(struct edges *edges, const struct ctl *ctl);
int edges_of_directory(struct edges *edges, const struct ctl *ctl);

/* Sorts names, and edges by both their ends, and leaves out those that point nowhere. CTL_OK, or
 * CTL_FAILED after saying why. To be called before the rest is used. */
int edges_sort(struct edges *edges);

/* Index of a name, or EDGE_NONE. */
uint32_t edges_find(const struct edges *edges, const char *name);

/* First of the edges that begin at `from`; they stand together. */
uint32_t edges_first(const struct edges *edges, uint32_t from);

void edges_free(struct edges *edges);

#endif
