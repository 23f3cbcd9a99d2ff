/* The guest's end of the line to the tests: runs what they say, one request after the other.
 *
 *   agent DEVICE
 *
 * The device is a terminal, or a port of virtio-serial. Says "hello\n" when it is there. A request
 * is a line "run ID MS TEXT INPUT\n", the last two being lengths, and then so many bytes of each: a
 * text for sh, and its standard input. The answer is "ID STATUS LENGTH\n" and as many bytes of
 * output. STATUS is as a shell has it; 124 when it was not done after MS ms, and then its process
 * group is killed. What the text leaves running in the background stays. At the end of the line the
 * agent ends, too. */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static FILE *in;
static int line;

static void send_all(const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = write(line, at, size);

		if (n < 0)
			err(1, "write");
		at += n;
		size -= (size_t)n;
	}
}

static void receive(void *data, size_t size)
{
	if (fread(data, 1, size, in) != size)
		exit(0);
}

/* A file in memory with this content, to be read from its beginning. */
static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("agent", MFD_CLOEXEC);

	if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		err(1, "memfd");
	return fd;
}

static pid_t start(const char *text, int input, int output)
{
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		err(1, "fork");
	if (pid > 0)
		return pid;
	setsid();
	dup2(input, 0);
	dup2(output, 1);
	dup2(output, 2);
	/* The agent is spared when memory is out; what it runs is like anything else. */
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd >= 0 && write(fd, "0", 1) == 1)
		close(fd);
	execl("/bin/sh", "sh", "-c", text, (char *)NULL);
	_exit(127);
}

static int wait_for(pid_t pid, int ms)
{
	struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	int status, late = 0;

	if (end.fd < 0)
		err(1, "pidfd_open");
	if (poll(&end, 1, ms) == 0) {
		late = 1;
		kill(-pid, SIGKILL);
	}
	close(end.fd);
	waitpid(pid, &status, 0);
	if (late)
		return 124;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void answer(const char *id, int status, int output)
{
	off_t size = lseek(output, 0, SEEK_END);
	char head[96], *data = malloc((size_t)size + 1);

	if (!data || pread(output, data, (size_t)size, 0) != size)
		err(1, "output");
	send_all(head,
	    (size_t)snprintf(head, sizeof(head), "%s %d %lld\n", id, status, (long long)size));
	send_all(data, (size_t)size);
	free(data);
}

static void serve(const char *id, int ms, size_t text_size, size_t input_size)
{
	char *text = calloc(1, text_size + 1), *data = calloc(1, input_size + 1);
	int input, output = file_of("", 0);

	if (!text || !data)
		err(1, "calloc");
	receive(text, text_size);
	receive(data, input_size);
	input = file_of(data, input_size);
	answer(id, wait_for(start(text, input, output), ms), output);
	close(input);
	close(output);
	free(text);
	free(data);
}

/* A port appears a moment after its driver, and one that another agent had, has it for a moment
 * more. A terminal carries bytes as they are, both ways, before the first is sent. */
static int open_line(const char *path)
{
	enum { TURN_MS = 20, TURNS = 1000 };
	struct termios raw;
	int fd = -1;

	for (int i = 0; fd < 0 && i < TURNS; i++) {
		fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			poll(NULL, 0, TURN_MS);
	}
	if (fd < 0)
		err(1, "%s", path);
	if (!isatty(fd))
		return fd;
	if (tcgetattr(fd, &raw))
		err(1, "%s", path);
	cfmakeraw(&raw);
	raw.c_cflag |= CLOCAL;
	cfsetspeed(&raw, B115200);
	if (tcsetattr(fd, TCSANOW, &raw))
		err(1, "%s", path);
	return fd;
}

int main(int argc, char **argv)
{
	size_t text, input;
	char id[32], head[128];
	int ms, fd;

	line = open_line(argc > 1 ? argv[1] : "/dev/ttyS1");
	in = fdopen(fcntl(line, F_DUPFD_CLOEXEC, 3), "r");
	if (!in)
		err(1, "fdopen");
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "-1000", 5) == 5)
		close(fd);
	send_all("hello\n", 6);
	while (fgets(head, sizeof(head), in))
		if (sscanf(head, "run %31s %d %zu %zu", id, &ms, &text, &input) == 4)
			serve(id, ms, text, input);
	return 0;
}
