#include "probes/confine.h"

#include "init/base.h"
#include "init/raw_syscall.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* --- System calls -------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__arm__) && defined(__ARM_EABI__)
#define ARCHITECTURE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#if defined(ARCHITECTURE) && !defined(SANITIZED)

/* x32's numbers have this bit and are none of those below. 32-bit machines have further
 * names for calls whose time is of 64 bits. */
static const uint16_t allowed[] = {
    SYS_read,
    SYS_write,
    SYS_close,
    SYS_accept4,
    SYS_epoll_pwait,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
    SYS_epoll_ctl,
    SYS_shutdown,
    SYS_munmap,
    SYS_pread64, /* board_read_words() */
    SYS_madvise,
#ifdef SYS_clock_gettime
    SYS_clock_gettime, /* where the vDSO has no clock */
#endif
#ifdef SYS_clock_gettime64
    SYS_clock_gettime64,
#endif
#ifdef SYS_nanosleep
    SYS_nanosleep, /* board_read(), when PID 1 is in the middle of a record */
#endif
#ifdef SYS_clock_nanosleep
    SYS_clock_nanosleep,
#endif
#ifdef SYS_clock_nanosleep_time64
    SYS_clock_nanosleep_time64,
#endif
    SYS_restart_syscall,
    SYS_rt_sigreturn,
    SYS_exit,
    SYS_exit_group,
};

#ifdef SYS_mmap2
#define CALL_MMAP SYS_mmap2
#else
#define CALL_MMAP SYS_mmap
#endif

enum { EDGE = 4, TAIL = 6, CALLS = ARRAY_LEN(allowed) };

#define LOAD(field)                                                                                \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define ANSWER(what)          BPF_STMT(BPF_RET | BPF_K, what)

int confine_calls(void)
{
	struct sock_filter code[EDGE + CALLS + TAIL] = {
	    LOAD(arch),
	    EQUAL(ARCHITECTURE, 1, 0),
	    ANSWER(SECCOMP_RET_KILL_PROCESS),
	    LOAD(nr),
	};
	const struct sock_filter tail[TAIL] = {
	    EQUAL(CALL_MMAP, 0, 3),
	    LOAD(args[2]), /* the low half: all of these machines are little-endian */
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
	    ANSWER(SECCOMP_RET_ALLOW),
	    ANSWER(SECCOMP_RET_ERRNO | EPERM),
	    ANSWER(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	/* Each call jumps to the last row, the others fall through to mmap's. */
	for (unsigned i = 0; i < CALLS; i++)
		code[EDGE + i] =
		    (struct sock_filter)EQUAL(allowed[i], (uint8_t)(CALLS - 1 - i + TAIL - 1), 0);
	for (unsigned i = 0; i < TAIL; i++)
		code[EDGE + CALLS + i] = tail[i];
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -errno : 0;
}

#else

int confine_calls(void)
{
	return -ENOTSUP;
}

#endif
