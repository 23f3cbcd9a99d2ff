#include <stdio.h>

#include "tests/unit/ctl_fixture.h"

#include "ctl/watch.h"
#include "init/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WRITER_LIMIT = 20000 }; /* ms until what must come has come */

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

struct fixture *fixture_new(uint32_t capacity)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[128];

	must(f, "calloc");
	strcpy(f->dir, "/tmp/sinit-test-XXXXXX");
	must(mkdtemp(f->dir), "mkdtemp");
	f->dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/reply", f->dir);
	must(mkdir(path, 0700) == 0, "mkdir");
	must(board_create(&f->board, f->dirfd, capacity) == 0 && f->board.file, "board_create");
	struct board_header *head = f->board.head;
	head->pid = 1;
	memset(head->release, 0, sizeof(head->release));
	strcpy(head->release, "9.9.9");
	head->phase = PHASE_RUNNING;
	head->started = clock_ms() - 3600000;
	head->started_wall = INT64_C(1714564800000000000); /* 2024-05-01T12:00:00Z */
	return f;
}

void fixture_kill(struct fixture *f)
{
	if (f->sinit > 0) {
		kill(f->sinit, SIGKILL);
		waitpid(f->sinit, NULL, 0);
	}
	f->sinit = 0;
}

void fixture_free(struct fixture *f)
{
	static const char *const files[] = {
	    "board", "lock", "control", "logs", "out", "err", "elsewhere", "reply"};

	fixture_kill(f);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (unlinkat(f->dirfd, files[i], 0) != 0)
			unlinkat(f->dirfd, files[i], AT_REMOVEDIR);
	must(rmdir(f->dir) == 0, "something was left behind in the run directory");
	close(f->dirfd);
	board_close(&f->board);
	free(f);
}

struct board_service *fixture_add(struct fixture *f, const char *name, enum state state)
{
	uint32_t slot = f->board.head->count;
	struct board_service *s = &f->board.services[slot];
	bool alive = state == STATE_RUNNING || state == STATE_STARTING || state == STATE_STOPPING;
	int64_t now = clock_ms();

	board_begin(s);
	s->used = 1;
	strncpy(s->name, name, sizeof(s->name) - 1);
	s->m.state = (uint8_t)state;
	s->m.want = state == STATE_STOPPED ? WANT_DOWN : WANT_UP;
	s->m.ready = state == STATE_RUNNING || state == STATE_DONE;
	s->m.main_alive = alive;
	s->m.life = state == STATE_STOPPED ? 0 : 1;
	s->m.since = now - 60000;
	s->m.started = alive ? now - 60000 : 0;
	s->pid = alive ? 100 + (int)slot : 0;
	s->enabled = 1;
	s->priority = 50;
	s->blocker = -1;
	board_end(s);
	f->board.head->count = slot + 1;
	return s;
}

/* Answers one request. */
static void answer(struct fixture *f, fixture_handler *handler, char *line, size_t len)
{
	struct request request;
	const char *reason;
	char path[256];

	must(request_parse(line, len, &request, &reason) == 0, "request_parse");
	snprintf(path, sizeof(path), "%s/reply/%s", f->dir, request.reply);
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return; /* the client has gone */
	FILE *stream = fdopen(fd, "w");
	if (!handler(f, &request, stream))
		_exit(0);
	fclose(stream);
}

static void serve(struct fixture *f, fixture_handler *handler, int ready)
{
	char buffer[2 * REQUEST_LINE];
	size_t used = 0;
	pid_t holder;
	int control = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(board_lock(f->dirfd, &holder) >= 0, "board_lock");
	if (handler) {
		must(mkfifoat(f->dirfd, "control", 0600) == 0, "control FIFO");
		control = openat(f->dirfd, "control", O_RDWR);
	}
	must(write(ready, "x", 1) == 1, "ready");
	for (;;) {
		if (!handler) {
			pause();
			continue;
		}
		ssize_t n = read(control, buffer + used, sizeof(buffer) - used);
		must(n > 0, "read of the control FIFO");
		used += (size_t)n;
		char *end;
		while ((end = memchr(buffer, '\n', used))) {
			size_t len = (size_t)(end - buffer);
			answer(f, handler, buffer, len);
			used -= len + 1;
			memmove(buffer, end + 1, used);
		}
	}
}

void fixture_live(struct fixture *f, fixture_handler *handler)
{
	int ready[2];
	char byte;

	must(pipe(ready) == 0, "pipe");
	f->sinit = fork();
	must(f->sinit >= 0, "fork");
	if (f->sinit == 0)
		serve(f, handler, ready[1]);
	close(ready[1]);
	must(read(ready[0], &byte, 1) == 1, "the stand-in's start");
	close(ready[0]);
}

static void slurp(int fd, char *buffer, size_t size)
{
	ssize_t n = pread(fd, buffer, size - 1, 0);

	buffer[n > 0 ? n : 0] = '\0';
	close(fd);
}

int fixture_run(struct fixture *f, ...)
{
	static struct out out;
	char *argv[80] = {(char[]){"sinitctl"}, (char[]){"-r"}, f->dir};
	int argc = 3;
	va_list words;

	va_start(words, f);
	while ((argv[argc] = va_arg(words, char *)))
		argc++;
	va_end(words);
	int fd = openat(f->dirfd, "out", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = openat(f->dirfd, "err", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int stderr_kept = dup(STDERR_FILENO);
	must(fd >= 0 && err >= 0 && stderr_kept >= 0, "files for the output");
	dup2(err, STDERR_FILENO);
	out_init(&out, fd);
	int code = ctl_main(argc, argv, &out, &f->style);
	dup2(stderr_kept, STDERR_FILENO);
	close(stderr_kept);
	slurp(fd, f->out, sizeof(f->out));
	slurp(err, f->err, sizeof(f->err));
	return code;
}

pid_t fixture_writer(struct fixture *f)
{
	fixture_live(f, NULL);
	unlinkat(f->dirfd, "out", 0);
	pid_t child = fork();
	must(child >= 0, "fork");
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

void fixture_writer_ends(struct fixture *f)
{
	kill(f->sinit, SIGKILL);
	_exit(0);
}

void fixture_wait_output(struct fixture *f, size_t least)
{
	struct stat info = {0};

	for (int64_t end = clock_ms() + WRITER_LIMIT; clock_ms() < end; watch_sleep(2))
		if (fstatat(f->dirfd, "out", &info, 0) == 0 && (size_t)info.st_size >= least)
			return;
	kill(f->sinit, SIGKILL);
	_exit(1);
}

int fixture_join(pid_t child)
{
	int status;

	must(waitpid(child, &status, 0) == child, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int fixture_replies(const struct fixture *f)
{
	char path[128];
	int count = 0;

	snprintf(path, sizeof(path), "%s/reply", f->dir);
	DIR *dir = opendir(path);
	must(dir, "opendir");
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}
