#include "probes/drop.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of any use only as long as there is CAP_SETPCAP; the kernel says which is the last. */
static void drop_bounding(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/* capset(2) by number: not every C library declares it. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	syscall(SYS_capset, &header, none);
}

/* Each by itself: one that is refused (an id that is not mapped in a user namespace) does not
 * spare the others. */
static void become_nobody(void)
{
	int refused = 0;

	refused |= setgroups(0, NULL);
	refused |= setresgid(HELPER_UID, HELPER_UID, HELPER_UID);
	refused |= setresuid(HELPER_UID, HELPER_UID, HELPER_UID);
	(void)refused; /* what is left then is an id without capabilities */
}

void drop_privileges(void)
{
	if (chdir("/") < 0) {
		/* nothing is opened by a relative name */
	}
	umask(077);
	if (geteuid() == 0) {
		drop_bounding();
		become_nobody();
	}
	drop_capabilities();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* last: a change of ids sets it anew */
}
