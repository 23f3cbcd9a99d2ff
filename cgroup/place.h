/* Where sinit is in the tree of cgroups, out of what /proc/self/cgroup and
 * /proc/self/mountinfo say (cgroups(7), cgroup_namespaces(7), proc_pid_mountinfo(5)).
 *
 * Pure: owns nothing. May call: base. */
#ifndef SINIT_CGROUP_PLACE_H
#define SINIT_CGROUP_PLACE_H

#include <stdbool.h>

enum { CGROUP_PATH = 1024 }; /* longest path, with NUL; a longer one is not shown */

enum cgroup_place_kind {
	CGROUP_PLACE_FOUND,     /* `path` is the directory */
	CGROUP_PLACE_READ_ONLY, /* likewise, but it cannot be written */
	CGROUP_PLACE_ABSENT,    /* neither v2 nor v1 is mounted */
	CGROUP_PLACE_V1,        /* only v1 is mounted */
	CGROUP_PLACE_HIDDEN,    /* what is mounted does not show sinit's own cgroup */
};

struct cgroup_place {
	enum cgroup_place_kind kind;
	bool hybrid;             /* v1 is mounted, too, and may have the controllers */
	bool top;                /* sinit's own cgroup is the root of its cgroup namespace */
	char mount[CGROUP_PATH]; /* where v2 is mounted; "" if it is not */
	char path[CGROUP_PATH];  /* sinit's own cgroup; "" if not known */
};

/* `self` and `mounts` are the whole texts of the two files. Of several mounts the first that
 * can be written and shows the cgroup is taken. */
void cgroup_place_find(const char *self, const char *mounts, struct cgroup_place *ret);

#endif
