/* Numbered lines, written and checked: what the tests of the logger know to be all there or not.
 *
 *   numbers write [option...]
 *     --lines N       so many (1000)
 *     --bytes B       each of so many bytes, with its newline (20, at least 11)
 *     --chunk C[-D]   written in pieces of C bytes, or of C to D at random; without it in whole
 * lines of about 4 KiB
 *     --mark TEXT     in front of each line, beside the B bytes
 *     --fd N          into this descriptor (1)
 *     --rate R        lines a second
 *     --gate FILE     two numbers of 64 bits, shared: lines that have been written, with which it
 *                     begins, and how many it may have written by now (0: all)
 *     --done FILE     made when all is written
 *     --deaf          goes on after TERM; without it TERM ends it at a line's end
 *     --stay          does not exit when all is written
 *
 *   numbers check [option...] [FILE...]
 *     --bytes B       as written
 *     --stamps        each line begins with a time
 *     --gate FILE     [0] is the number of lines seen so far
 *
 * What is in front of the B bytes is the line's key,  and each key has its own numbers. The
 * files (or standard input) are read one behind the other. One JSON object tells what was found. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { DIGITS = 10, BATCH = 256 * 1024, READ = 1024 * 1024, KEYS = 512, KEY = 128, STAMP = 28 };

struct gate {
	volatile uint64_t count, limit;
};

struct key {
	char text[KEY];
	size_t size;
	uint64_t lines, first, next, missing, doubled;
};

static struct options {
	uint64_t lines, rate;
	size_t bytes, chunk_min, chunk_max;
	const char *mark, *gate, *done;
	int fd;
	bool deaf, stay, stamps;
	char **files;
} options = {.lines = 1000, .bytes = 20, .mark = "", .fd = 1};

static volatile sig_atomic_t told_to_end;

static void fail(const char *what)
{
	fprintf(stderr, "numbers: %s: %s\n", what, strerror(errno));
	_exit(3);
}

static struct gate *open_gate(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	struct gate *gate = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(*gate)) == 0)
		gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (gate == MAP_FAILED)
		fail(path);
	close(fd);
	return gate;
}

/* What follows the number: the same in every line. */
static void fill(char *at, size_t bytes)
{
	for (size_t i = 0; i + 1 < bytes; i++)
		at[i] = (char)('a' + i % 26);
	at[bytes - 1] = '\n';
}

static void put_number(char *at, uint64_t number)
{
	for (int i = DIGITS; i-- > 0; number /= 10)
		at[i] = (char)('0' + number % 10);
}

/* --- writing */

static void end(int sig)
{
	(void)sig;
	told_to_end = 1;
}

static size_t piece(size_t left)
{
	static uint64_t state = 88172645463325252U;
	size_t size = options.chunk_min;

	if (options.chunk_max > options.chunk_min) { /* xorshift */
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		size += (size_t)(state % (options.chunk_max - options.chunk_min + 1));
	}
	return size < left ? size : left;
}

/* In pieces; when told to end, up to the end of a line. */
static void put(const char *text, size_t size, size_t line, struct gate *gate, uint64_t before)
{
	size_t out = 0;

	while (out < size) {
		if (told_to_end && out % line == 0)
			_exit(0);
		size_t want = piece(size - out);
		if (told_to_end && want > line - out % line)
			want = line - out % line;
		ssize_t got = write(options.fd, text + out, want);
		if (got < 0 && errno != EINTR)
			fail("write");
		out += got > 0 ? (size_t)got : 0;
		gate->count = before + out / line;
	}
}

static void wait_until(const struct timespec *begin, double seconds)
{
	struct timespec when = {begin->tv_sec + (time_t)seconds,
	    begin->tv_nsec + (long)((seconds - (double)(time_t)seconds) * 1e9)};

	when.tv_sec += when.tv_nsec / 1000000000;
	when.tv_nsec %= 1000000000;
	while (
	    !told_to_end && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
		;
}

static int write_lines(void)
{
	size_t mark = strlen(options.mark), line = mark + options.bytes;
	size_t batch = BATCH / line ? BATCH / line : 1;
	struct gate none = {0}, *gate = options.gate ? open_gate(options.gate) : &none;
	char *text = malloc(batch * line);
	struct sigaction action = {.sa_handler = options.deaf ? SIG_IGN : end};
	struct timespec begin;

	sigaction(SIGTERM, &action, NULL);
	if (!text)
		fail("memory");
	for (size_t i = 0; i < batch; i++) {
		memcpy(text + i * line, options.mark, mark);
		fill(text + i * line + mark + DIGITS, options.bytes - DIGITS);
	}
	if (!options.chunk_min)
		options.chunk_min = options.chunk_max = line > 4096 ? line : 4096 / line * line;
	if (options.rate && batch > options.rate / 100) /* a hundred times a second, at least */
		batch = options.rate / 100 ? (size_t)(options.rate / 100) : 1;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	uint64_t first = gate->count, next = first;
	while (next < options.lines && !told_to_end) {
		uint64_t limit = gate->limit,
			 until = limit && limit < options.lines ? limit : options.lines;

		if (next >= until) {
			usleep(200);
			continue;
		}
		size_t count = until - next < batch ? (size_t)(until - next) : batch;
		for (size_t i = 0; i < count; i++)
			put_number(text + i * line + mark, next + i);
		put(text, count * line, line, gate, next);
		next += count;
		if (options.rate)
			wait_until(&begin, (double)(next - first) / (double)options.rate);
	}
	if (options.done && next >= options.lines)
		close(open(options.done, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
	while (options.stay && !told_to_end)
		pause();
	return 0;
}

/* --- checking */

static struct checker {
	struct key keys[KEYS];
	size_t count, last; /* `last`: whose the last line was */
	uint64_t bad, lines, bytes, unterminated;
	char sample[256]; /* the first line that is wrong */
	char *filling;
} checker;

static void wrong(const char *line, size_t size)
{
	if (checker.sample[0])
		return;
	if (size > sizeof(checker.sample) - 1)
		size = sizeof(checker.sample) - 1;
	for (size_t i = 0; i < size; i++)
		checker.sample[i] =
		    line[i] >= ' ' && line[i] <= '~' && !strchr("\"\\", line[i]) ? line[i] : '?';
}

static struct key *find_key(const char *text, size_t size)
{
	struct key *key = checker.keys + checker.last;

	if (size >= KEY)
		return NULL;
	if (checker.count && key->size == size && memcmp(key->text, text, size) == 0)
		return key;
	for (checker.last = 0; checker.last < checker.count; checker.last++) {
		key = checker.keys + checker.last;
		if (key->size == size && memcmp(key->text, text, size) == 0)
			return key;
	}
	if (checker.count == KEYS) {
		checker.last = 0;
		return NULL;
	}
	key = checker.keys + checker.count++;
	memcpy(key->text, text, size);
	key->size = size;
	return key;
}

/* 2026-11-26T22:11:32.123456Z and a blank. */
static bool is_stamp(const char *text)
{
	static const char form[] = "2ddd-dd-ddTdd:dd:dd.ddddddZ ";

	for (size_t i = 0; i < STAMP; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return true;
}

static bool check_line(const char *line, size_t size)
{
	size_t bytes = options.bytes, stamp = options.stamps ? STAMP : 0;
	uint64_t number = 0;

	if (size < stamp + bytes || (stamp && !is_stamp(line)))
		return false;
	const char *at = line + size - bytes;
	if (memcmp(at + DIGITS, checker.filling, bytes - DIGITS) != 0)
		return false;
	for (size_t i = 0; i < DIGITS; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(at[i] - '0');
	}
	struct key *key = find_key(line + stamp, size - stamp - bytes);
	if (!key)
		return false;
	if (key->lines++ == 0)
		key->first = key->next = number;
	if (number < key->next) {
		key->doubled++;
		wrong(line, size);
		return true;
	}
	if (number > key->next)
		wrong(line, size);
	key->missing += number - key->next;
	key->next = number + 1;
	return true;
}

static void check_text(const char *line, size_t size)
{
	checker.lines++;
	if (check_line(line, size))
		return;
	checker.bad++;
	wrong(line, size);
}

/* A line that its file ends in without a newline is wrong, and ends there. */
static void check_file(int fd, struct gate *gate)
{
	static char *text;
	size_t held = 0, room = READ + 4 * options.bytes;
	ssize_t got;

	if (!text && !(text = malloc(room)))
		fail("memory");
	while ((got = read(fd, text + held, room - held)) > 0) {
		char *at = text, *newline;
		size_t left = held + (size_t)got;

		checker.bytes += (uint64_t)got;
		while ((newline = memchr(at, '\n', left))) {
			size_t size = (size_t)(newline + 1 - at);

			check_text(at, size);
			at += size;
			left -= size;
		}
		if (left == room) { /* no line is so long */
			check_text(at, left);
			left = 0;
		}
		memmove(text, at, left);
		held = left;
		gate->count = checker.lines;
	}
	if (got < 0)
		fail("read");
	if (held) {
		checker.unterminated++;
		check_text(text, held);
	}
}

static void print_key(const struct key *key)
{
	putchar('"');
	for (size_t i = 0; i < key->size; i++)
		putchar(key->text[i] >= ' ' && key->text[i] <= '~' && !strchr("\"\\", key->text[i])
			    ? key->text[i]
			    : '?');
	printf("\": {\"lines\": %llu, \"first\": %llu, \"next\": %llu, \"missing\": %llu, "
	       "\"doubled\": %llu}",
	    (unsigned long long)key->lines, (unsigned long long)key->first,
	    (unsigned long long)key->next, (unsigned long long)key->missing,
	    (unsigned long long)key->doubled);
}

static int check_lines(void)
{
	struct gate none, *gate = options.gate ? open_gate(options.gate) : &none;

	checker.filling = malloc(options.bytes);
	if (!checker.filling)
		fail("memory");
	fill(checker.filling, options.bytes - DIGITS);
	if (!*options.files)
		check_file(0, gate);
	for (; *options.files; options.files++) {
		int fd = open(*options.files, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			fail(*options.files);
		check_file(fd, gate);
		close(fd);
	}
	printf("{\"lines\": %llu, \"bytes\": %llu, \"bad\": %llu, \"unterminated\": %llu, "
	       "\"sample\": \"%s\", "
	       "\"keys\": {",
	    (unsigned long long)checker.lines, (unsigned long long)checker.bytes,
	    (unsigned long long)checker.bad, (unsigned long long)checker.unterminated,
	    checker.sample);
	for (size_t i = 0; i < checker.count; i++) {
		fputs(i ? ", " : "", stdout);
		print_key(checker.keys + i);
	}
	puts("}}");
	return 0;
}

/* --- the command line */

static bool flag(const char *word)
{
	return !strcmp(word, "--deaf")     ? (options.deaf = true)
	       : !strcmp(word, "--stay")   ? (options.stay = true)
	       : !strcmp(word, "--stamps") ? (options.stamps = true)
					   : false;
}

static bool option(const char *word, const char *value)
{
	char *rest;

	if (!strcmp(word, "--mark"))
		options.mark = value;
	else if (!strcmp(word, "--gate"))
		options.gate = value;
	else if (!strcmp(word, "--done"))
		options.done = value;
	else if (!strcmp(word, "--lines"))
		options.lines = strtoull(value, NULL, 10);
	else if (!strcmp(word, "--rate"))
		options.rate = strtoull(value, NULL, 10);
	else if (!strcmp(word, "--bytes"))
		options.bytes = strtoul(value, NULL, 10);
	else if (!strcmp(word, "--fd"))
		options.fd = atoi(value);
	else if (!strcmp(word, "--chunk")) {
		options.chunk_min = options.chunk_max = strtoul(value, &rest, 10);
		if (*rest == '-')
			options.chunk_max = strtoul(rest + 1, NULL, 10);
	} else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	int i = 2;

	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (flag(argv[i]))
			continue;
		if (++i == argc || !option(argv[i - 1], argv[i]))
			return 98;
	}
	options.files = argv + i;
	if (argc < 2 || options.bytes <= DIGITS)
		return 98;
	return !strcmp(argv[1], "write")   ? write_lines()
	       : !strcmp(argv[1], "check") ? check_lines()
					   : 98;
}
