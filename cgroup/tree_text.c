/* Why there are no slices, or not all limits, in words. */
#include "cgroup/tree.h"

#include "init/base.h"

#include <errno.h>
#include <string.h>

/* What container engines need to be told. */
#define WRITABLE                                                                                   \
	"docker run --cgroupns=private -v /sys/fs/cgroup:/sys/fs/cgroup:rw, or with podman the "   \
	"default; Kubernetes: a container runtime with writable cgroups (containerd: "             \
	"cgroup_writable = true)"

static void add_place(const struct cgroup_tree *tree, struct text *text)
{
	switch (tree->place.kind) {
	case CGROUP_PLACE_FOUND:
		break;
	case CGROUP_PLACE_READ_ONLY:
		text_addf(text, "%s is mounted read-only; try " WRITABLE, tree->place.mount);
		break;
	case CGROUP_PLACE_ABSENT:
		text_add(text, "cgroup v2 is not mounted; in a container try " WRITABLE
			       ", elsewhere mount -t cgroup2 none /sys/fs/cgroup");
		break;
	case CGROUP_PLACE_V1:
		text_add(text, "only cgroup v1 is mounted; boot the machine with "
			       "systemd.unified_cgroup_hierarchy=1 or cgroup_no_v1=all");
		break;
	case CGROUP_PLACE_HIDDEN:
		text_add(text, "what is mounted does not show sinit's own cgroup; try a cgroup "
			       "namespace of its own: " WRITABLE);
		break;
	}
}

static void add_refused(const struct cgroup_tree *tree, struct text *text)
{
	text_addf(text, "%s%s%s: %s", tree->path, tree->path[0] ? ": " : "", tree->what,
	    strerror(tree->error));
	if (tree->error == EROFS)
		text_add(text, "; try " WRITABLE);
	else if (tree->error == EACCES || tree->error == EPERM)
		text_add(text, "; the cgroup must belong to sinit's user: "
			       "systemd-run --user --scope -p Delegate=yes sinit, or root");
}

void cgroup_tree_explain(const struct cgroup_tree *tree, struct text *text)
{
	switch ((enum cgroup_fault)tree->fault) {
	case CGROUP_FINE:
		break;
	case CGROUP_OFF:
		text_add(text, "cgroups = off");
		break;
	case CGROUP_NO_PLACE:
		add_place(tree, text);
		break;
	case CGROUP_NOT_V2:
		text_addf(text, "cgroup_root = %s is not in a cgroup v2 file system", tree->path);
		break;
	case CGROUP_NOT_OURS:
		text_add(text,
		    "sinit runs in the root cgroup of the machine, which is not its own; "
		    "give it a cgroup (cgroup namespace), or set cgroup_root");
		break;
	case CGROUP_THREADED:
		text_addf(text,
		    "%s is part of a threaded tree of cgroups (see cgroup.type), in which "
		    "services can have none; give sinit another one",
		    tree->path);
		break;
	case CGROUP_TAKEN:
		text_addf(text, "another sinit has %s; set cgroup_root", tree->path);
		break;
	case CGROUP_REFUSED:
		add_refused(tree, text);
		break;
	}
}

void cgroup_tree_explain_controller(
    const struct cgroup_tree *tree, enum cgroup_controller controller, struct text *text)
{
	const char *name = cgroup_controller_name(controller);
	int error = tree->controller_error[controller];

	if (!(tree->offered & 1u << controller)) {
		text_addf(text,
		    "the controller %s is not offered by the cgroup above "
		    "(%s/cgroup.controllers)%s",
		    name, tree->path,
		    tree->place.hybrid ? ": cgroup v1, which is mounted too, may have it" : "");
		return;
	}
	text_addf(text, "the controller %s cannot be enabled in %s/cgroup.subtree_control: %s",
	    name, tree->path, error ? strerror(error) : "the kernel did not do it");
	if (error == EBUSY)
		text_add(text,
		    "; processes that are not sinit's are in that cgroup: start sinit in "
		    "one of its own (systemd-run --scope -p Delegate=yes), or set cgroup_root");
}
