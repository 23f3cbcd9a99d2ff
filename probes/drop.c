#include "probes/drop.h"

#include "init/raw_syscall.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* 32-bit ARM has older calls of these names, for 16 bits. */
#ifdef SYS_setresuid32
enum { SETGROUPS = SYS_setgroups32, SETRESGID = SYS_setresgid32, SETRESUID = SYS_setresuid32 };
#else
enum { SETGROUPS = SYS_setgroups, SETRESGID = SYS_setresgid, SETRESUID = SYS_setresuid };
#endif

/* Of any use only as long as there is CAP_SETPCAP; the kernel says which is the last. */
static void drop_bounding(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/* Of those of `keep` that there are. */
static int keep_capabilities(uint32_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
	uint32_t kept = 0;

	if (keep && raw_syscall3(SYS_capget, (long)&header, (long)data, 0) == 0)
		kept = data[0].permitted & keep;
	memset(data, 0, sizeof(data));
	data[0].permitted = data[0].effective = kept;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return (int)raw_syscall3(SYS_capset, (long)&header, (long)data, 0);
}

/* Each by itself: one that is refused (an id that is not mapped in a user namespace) does not
 * spare the others. Not by the C library, which would bring along the means to tell other
 * threads of it. */
static void become_nobody(void)
{
	raw_syscall3(SETGROUPS, 0, 0, 0);
	raw_syscall3(SETRESGID, HELPER_UID, HELPER_UID, HELPER_UID);
	raw_syscall3(SETRESUID, HELPER_UID, HELPER_UID, HELPER_UID);
}

int drop_privileges(void)
{
	return drop_all_but(0);
}

/* The rest, once it is the user that it is to be. */
static int drop_the_rest(uint32_t keep)
{
	int error = keep_capabilities(keep);

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* last: a change of ids sets it anew */
	return error;
}

static void leave_directory(void)
{
	if (chdir("/") < 0) {
		/* nothing is opened by a relative name */
	}
}

int drop_all_but(uint32_t keep)
{
	leave_directory();
	umask(077);
	if (geteuid() == 0) {
		drop_bounding();
		if (keep)
			prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
		become_nobody();
	}
	return drop_the_rest(keep);
}

int drop_capabilities_but(uint32_t keep)
{
	leave_directory();
	umask(0);
	drop_bounding();
	return drop_the_rest(keep);
}
