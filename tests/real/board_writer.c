/* A board in a directory, written by order: the lines of standard input, each answered by
 * "ok".
 *     service SLOT NAME CRITICAL
 *     event KIND NAME [COUNT]      as often as COUNT says, with exit code 3
 *     run SLOT PID                 running and ready
 *     cgroup PATH                  of the slices
 *     use SLOT MEMORY LIMIT CPU    what its slice reads now: bytes, LIMIT 0: none; tenths of a
 *                                  percent of a CPU, used ever since
 *     pause SLOT 0|1
 *     measured                     all slices have been read now
 *     live                         it is as if a sinit lived there */
#include "init/base.h"
#include "init/board.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { CAPACITY = 16 };

static void add_service(struct board *board, unsigned slot, const char *name, unsigned critical)
{
	struct board_service *service = &board->services[slot % CAPACITY];

	board_begin(service);
	service->used = 1;
	service->critical = (uint8_t)critical;
	snprintf(service->name, sizeof(service->name), "%s", name);
	board_end(service);
	if (board->head->count <= slot)
		board->head->count = slot + 1;
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set_running(struct board_service *service, unsigned pid)
{
	board_begin(service);
	service->pid = (int32_t)pid;
	service->m.state = STATE_RUNNING;
	service->m.want = WANT_UP;
	service->m.ready = service->m.main_alive = true;
	service->m.started = clock_ms();
	service->enabled = 1;
	service->blocker = -1;
	board_end(service);
}

static void set_paused(struct board_service *service, unsigned paused)
{
	board_begin(service);
	service->slice =
	    (uint8_t)(paused ? service->slice | SLICE_PAUSED : service->slice & ~SLICE_PAUSED);
	board_end(service);
}

static void set_reading(struct board *board, unsigned slot, const unsigned long long number[3])
{
	struct board_service *service = &board->services[slot % CAPACITY];
	int64_t now = clock_ms();
	struct board_reading reading = {.time = now,
	    .have = READING_MEMORY | READING_PEAK | READING_CPU | READING_PIDS | READING_IO |
		    READING_PRESSURE,
	    .pids_current = 3,
	    .pids_max = UINT32_MAX,
	    .pressure = {[PRESSURE_CPU] = 1234},
	    .stalled = {[PRESSURE_CPU] = 5000000},
	    .memory_current = number[0],
	    .memory_peak = number[0],
	    .memory_max = number[1] ? number[1] : UINT64_MAX,
	    .cpu_usage = number[2] * (uint64_t)now,
	    .io_read = 4096};

	board_begin(service);
	service->slice |= SLICE_THERE | SLICE_MEASURED;
	board_write_reading(board, slot % CAPACITY, &reading);
	board_end(service);
}

static void about_resources(struct board *board, int directory, const char *line)
{
	unsigned long long number[3];
	unsigned slot, value;
	pid_t holder;

	if (sscanf(line, "run %u %u", &slot, &value) == 2)
		set_running(&board->services[slot % CAPACITY], value);
	if (sscanf(line, "pause %u %u", &slot, &value) == 2)
		set_paused(&board->services[slot % CAPACITY], value);
	if (sscanf(line, "use %u %llu %llu %llu", &slot, &number[0], &number[1], &number[2]) == 4)
		set_reading(board, slot, number);
	sscanf(line, "cgroup %255s", board->head->cgroup);
	if (strcmp(line, "measured\n") == 0)
		board->head->measured = clock_ms();
	if (strcmp(line, "live\n") == 0 && board_lock(directory, &holder) < 0)
		perror("lock");
}

static void add_event(struct board *board, const char *kind, const char *name)
{
	struct board_event event = {.exit_kind = LAST_EXITED, .code = 3, .value = 1, .blocker = -1};
	struct timespec now;

	for (uint8_t i = 0; i < EV_KIND_COUNT; i++)
		if (strcmp(event_kind_name((enum event_kind)i), kind) == 0)
			event.kind = i;
	snprintf(event.name, sizeof(event.name), "%s", name);
	clock_gettime(CLOCK_REALTIME, &now);
	board_event(board, &event, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
}

int main(int argc, char **argv)
{
	char line[256], first[64], second[64];
	unsigned number, critical;
	struct board board;

	int directory = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
	if (directory < 0 || board_create(&board, directory, CAPACITY) < 0 || !board.file)
		return 1;
	do {
		puts("ok");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return 0;
		if (sscanf(line, "service %u %63s %u", &number, first, &critical) == 3)
			add_service(&board, number, first, critical);
		number = 1;
		if (sscanf(line, "event %63s %63s %u", first, second, &number) >= 2)
			for (unsigned i = 0; i < number; i++)
				add_event(&board, first, second);
		about_resources(&board, directory, line);
	} while (1);
}
