#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/logger_walk.h"
#include "tests/unit/moments.h"
#include "tests/unit/tempdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SAID = 65536, /* bytes that the services of one walk say at most */
	FURTHER = 3,  /* loggers that are killed after the first one */
};

/* Steps between calls take too long with the sanitizers' code in between. */
#ifdef __SANITIZE_ADDRESS__
enum { CALLS_ONLY = true };
#else
enum { CALLS_ONLY = false };
#endif

char walk_path[4200];
static struct logger_lab lab;
static const struct walk *walk;
static char said[2][SAID], target[SAID], shown[SAID];
static size_t said_size[2];
static int lives_ended; /* how often walk->between was called */

/* --- what is said ---------------------------------------------------------------------------- */

static void note(uint32_t stream, const char *text)
{
	memcpy(said[stream] + said_size[stream], text, strlen(text) + 1);
	said_size[stream] += strlen(text);
}

static void say(uint32_t stream, const char *text)
{
	note(stream, text);
	loglab_print(&lab, stream, text);
}

static void send_message(const char *text)
{
	char line[256];

	snprintf(line, sizeof(line), "<30>%s", text);
	assert_int_equal(send(lab.syslog[1], line, strlen(line), 0), strlen(line));
	snprintf(line, sizeof(line), "daemon.info %s\n", text);
	note(0, line);
}

static void say_lines(int from, int to)
{
	char line[64];

	for (uint32_t stream = 0; stream < lab.streams; stream++)
		for (int i = from; i < to; i++) {
			if (walk->syslog && stream == 0)
				snprintf(line, sizeof(line), "tag[7]: message %d", i);
			else
				snprintf(line, sizeof(line), "%s says number %d\n",
				    lab.stream[stream].name, i);
			if (walk->syslog && stream == 0)
				send_message(line);
			else
				say(stream, line);
		}
}

/* --- what has come of it --------------------------------------------------------------------- */

/* A line of a log as it was before it was formatted, without its newline. */
static void unformat(const struct loglab_stream *s, char *line)
{
	char *text = line, *end;

	if (s->format == LINES_JSON) {
		text = strstr(line, "\"message\":\"");
		assert_non_null(text);
		text += strlen("\"message\":\"");
		end = strrchr(text, '"');
		assert_string_equal(end, "\"}");
		*end = '\0';
	}
	if (s->prefix) {
		assert_memory_equal(text, s->name, strlen(s->name));
		text += strlen(s->name) + strlen(" | ");
	}
	if (s->format == LINES_TIMESTAMPS) {
		assert_int_equal(text[LINES_TIME - 1], 'Z');
		assert_memory_equal(text, "20", 2);
		text += LINES_TIME + 1;
	}
	memmove(line, text, strlen(text) + 1);
}

static void unformat_all(const struct loglab_stream *s)
{
	char line[SAID], *from = target;
	size_t used = 0;

	while (*from) {
		char *newline = strchr(from, '\n');

		assert_non_null(newline);
		memcpy(line, from, (size_t)(newline - from));
		line[newline - from] = '\0';
		unformat(s, line);
		used += (size_t)snprintf(shown + used, sizeof(shown) - used, "%s\n", line);
		from = newline + 1;
	}
	shown[used] = '\0';
}

static void remove_foreign(void)
{
	int found = 0;

	for (char *at; (at = strstr(target, WALK_FOREIGN)); found++)
		memmove(at, at + strlen(WALK_FOREIGN), strlen(at + strlen(WALK_FOREIGN)) + 1);
	assert_int_equal(found, walk->appended ? lives_ended : 0);
}

/* All that is in a file and those that it was before, which are all compressed, or none is. */
static void read_files(const char *name)
{
	static char old[4300], command[8700];
	size_t used = 0;

	for (int i = WALK_KEEP; i > 0; i--) {
		snprintf(old, sizeof(old), "%s.%d", name, i);
		if (walk->stream[0].gzip && access(old, F_OK) == 0)
			fail_msg("%s is not compressed", old);
		used += file_read(old, target + used, sizeof(target) - used);
		snprintf(old, sizeof(old), "%s.%d.gz", name, i);
		if (access(old, F_OK) < 0)
			continue;
		snprintf(
		    command, sizeof(command), "gzip -dc '%s' >'%s'", old, tempdir_path("plain"));
		assert_int_equal(system(command), 0);
		used += file_read(tempdir_path("plain"), target + used, sizeof(target) - used);
	}
	file_read(name, target + used, sizeof(target) - used);
}

static void read_target(const struct loglab_stream *s)
{
	if (s->sink == LOGGER_FILE)
		read_files(s->path);
	else if (walk->appended)
		file_read(tempdir_path("out"), target, sizeof(target));
	else
		loglab_read_out(&lab, target, sizeof(target));
}

/* Of the lines that two streams have written into one file those of one. */
static void leave_lines_of(const char *name)
{
	char *to = target;

	for (char *from = target, *next; *from; from = next) {
		char *newline = strchr(from, '\n');

		assert_non_null(newline);
		next = newline + 1;
		if (strncmp(from, name, strlen(name)) == 0) {
			memmove(to, from, (size_t)(next - from));
			to += next - from;
		}
	}
	*to = '\0';
}

static void check_target(uint32_t stream)
{
	const struct loglab_stream *s = &lab.stream[stream];

	if (lab.streams == 1 || stream == 0)
		read_target(s);
	else
		read_files(s->path);
	remove_foreign();
	if (lab.streams > 1 && !walk->syslog)
		leave_lines_of(s->name);
	if (s->format == LINES_RAW && !s->prefix)
		strcpy(shown, target);
	else
		unformat_all(s);
	assert_string_equal(shown, said[stream]);
}

/* Each line is there, whole, and once; only if a part of one was written it is there once more, in
 * the other way. */
static void check_lines(void)
{
	char *line = said[0];

	read_target(&lab.stream[0]);
	for (char *newline; (newline = strchr(line, '\n')); line = newline + 1) {
		const char *found;

		*newline = '\0';
		found = strstr(target, line);
		assert_non_null(found);
		if (walk->whole)
			assert_null(strstr(found + 1, line));
		*newline = '\n';
	}
}

static void check_store(uint32_t stream)
{
	const struct store_stream *s = loglab_record(&lab, stream);
	char ring[SAID];
	size_t size = said_size[stream];

	assert_int_equal(s->head, size);
	assert_int_equal(s->out, size);
	assert_int_equal(s->put.phase, PUT_NONE);
	assert_int_equal(s->dropped_lines, 0);
	assert_int_equal(
	    pread(lab.store, ring, size, lab.head->rings + (off_t)stream * STORE_RING), size);
	assert_memory_equal(ring, said[stream], size);
}

static void check(void)
{
	for (uint32_t i = 0; i < lab.streams; i++) {
		check_store(i);
		if (walk->changing)
			check_lines();
		else if (lab.stream[i].sink != LOGGER_NOWHERE)
			check_target(i);
	}
	assert_int_equal(lab.head->take[0].stream, 0);
	assert_int_equal(lab.head->message.stream, 0);
	assert_int_equal(lab.head->doing, 0);
	assert_int_equal(loglab_waiting(lab.take[0]), 0);
	assert_int_equal(loglab_waiting(lab.put[0]), 0);
}

/* --- walks ----------------------------------------------------------------------------------- */

static void begin(void)
{
	loglab_make(&lab);
	memset(said_size, 0, sizeof(said_size));
	lives_ended = 0;
	for (int i = 0; i < 2 && walk->stream[i].name; i++)
		loglab_add(&lab, &walk->stream[i]);
	if (walk->syslog)
		loglab_make_syslog(&lab, 0);
	loglab_make_out(&lab);
	if (walk->appended) {
		close(lab.out[1]);
		lab.out[1] = open(
		    tempdir_path("out"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
		assert_true(lab.out[1] >= 0);
	}
	lab.file_limit = walk->file_limit;
	say_lines(0, walk->syslog ? 2 : 4);
}

static void clear_directory(void)
{
	DIR *directory = opendir(tempdir_path("."));
	struct dirent *entry;

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
}

static void end(void)
{
	lab.file_limit = 0;
	moment_none(loglab_work, &lab);
	say_lines(8, 10);
	moment_none(loglab_work, &lab);
	check();
	loglab_free(&lab);
	clear_directory();
}

static void killed(struct moment *moment)
{
	moment_kill(moment, loglab_work, &lab, lab.head, loglab_control_size(&lab));
	if (moment->over || !walk->between)
		return;
	lives_ended++;
	walk->between(&lab);
}

void walk_once(const struct walk *which)
{
	unsigned moments = 0;

	walk = which;
	for (struct moment moment = {.calls_only = CALLS_ONLY, .whole = walk->whole}; !moment.over;
	     moments++) {
		begin();
		killed(&moment);
		if (!moment.over)
			say_lines(4, 6);
		end();
	}
	assert_true(moments > 10);
}

void walk_on(const struct walk *which)
{
	unsigned random = 26;

	walk = which;
	for (struct moment moment = {.calls_only = true, .whole = walk->whole}; !moment.over;) {
		begin();
		killed(&moment);
		for (int i = 0; i < FURTHER; i++) {
			struct moment other;

			random = random * 1103515245 + 12345;
			other = (struct moment){
			    .call = random >> 16 & 31, .part = walk->whole ? 0 : random >> 21 & 3};
			if (!other.part && !CALLS_ONLY)
				other.store = random >> 23 & 1;
			other.stores = true;
			killed(&other);
			if (i == 0)
				say_lines(6, 8);
		}
		end();
	}
}

void walks(const struct walk *which)
{
	walk_once(which);
	walk_on(which);
}

int walk_set_up(void **state)
{
	(void)state;
	tempdir_make();
	snprintf(walk_path, sizeof(walk_path), "%s", tempdir_path("log"));
	return 0;
}

int walk_tear_down(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}
