/* A board in a directory, written by order: the lines of standard input, each answered by
 * "ok".
 *     service SLOT NAME CRITICAL
 *     event KIND NAME [COUNT]      as often as COUNT says, with exit code 3 */
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
	} while (1);
}
