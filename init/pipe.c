#include "init/pipe.h"

#include "init/raw_syscall.h"
#include "reaper/leave.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PATIENCE = 500, /* ms */
	STACK_BYTES = 16384,
};

/* There is one, and it stays: a child that is held uses it for as long. */
struct question {
	_Alignas(16) char stack[STACK_BYTES];
	_Atomic uint32_t asking; /* 0 when the child has left this memory, set_tid_address(2) */
	int fd, left;
	int error; /* -errno */
};

static int ask(void *context)
{
	struct question *question = context;

	raw_syscall3(SYS_set_tid_address, (long)&question->asking, 0,
	    0); /* musl's clone() refuses its flag */
	question->error =
	    (int)raw_syscall3(SYS_ioctl, question->fd, FIONREAD, (long)&question->left);
	return 0;
}

int pipe_left(int fd, int *ret)
{
	static struct question question;
	pid_t child;

	if (atomic_load(&question.asking))
		return -EBUSY;
	question.fd = fd;
	atomic_store(&question.asking, 1);
	/* No signal tells of its end: it is waited for here. One that was held is reaped like any
	 * orphan. */
	child =
	    clone(ask, question.stack + STACK_BYTES, CLONE_VM | CLONE_FS | CLONE_FILES, &question);
	if (child < 0) {
		atomic_store(&question.asking, 0);
		return -errno;
	}
	if (!leave_wait(&question.asking, PATIENCE))
		return -ETIMEDOUT;
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
	*ret = question.left;
	return question.error;
}

static int close_it(void *context)
{
	const int *fd = context;

	raw_syscall3(SYS_close, *fd, 0, 0);
	return 0;
}

/* The child has the same descriptors, but a copy of this memory:
 * there may be many that are held. */
void pipe_close(int fd)
{
	_Alignas(16) char stack[STACK_BYTES];

	if (fd >= 0 && clone(close_it, stack + STACK_BYTES, CLONE_FILES | SIGCHLD, &fd) < 0)
		close(fd);
}
