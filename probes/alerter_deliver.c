/* What a delivery does, in a process of its own. It may block: it is killed if that takes
 * too long. It frees nothing. */
#include "init/base.h"
#include "init/explain.h"
#include "init/fds.h"
#include "probes/alert_text.h"
#include "probes/alerter.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	FILE_MODE = 0640,
	FILE_ATTEMPTS = 99,   /* names that are tried */
	CONNECT_SECONDS = 10, /* for each address */
	NO_REPLACE = 1,       /* RENAME_NOREPLACE of linux/fs.h */
};

static struct probe_outcome *outcome;

static _Noreturn void fail(enum probe_fault fault, int detail)
{
	*outcome = (struct probe_outcome){fault, detail};
	_exit(1);
}

/* --- the file ----------------------------------------------------------------------- */

/* Never over another one. -EEXIST, -errno. */
static int give_name(int directory, const char *from, const char *to)
{
	if (syscall(SYS_renameat2, directory, from, directory, to, NO_REPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* The file system does not know how. The temporary name goes in any case. */
	return linkat(directory, from, directory, to, 0) == 0 ? 0 : -errno;
}

static int name_file(int directory, const char *temporary, const struct alert *alert)
{
	char buffer[256];
	struct text name;
	int error = -EEXIST;

	for (unsigned attempt = 1; error == -EEXIST && attempt <= FILE_ATTEMPTS; attempt++) {
		text_init(&name, buffer, sizeof(buffer));
		alert_file_name(&name, alert, attempt);
		error = give_name(directory, temporary, name.data);
	}
	unlinkat(directory, temporary, 0);
	return error;
}

static void to_file(const struct job *job, const struct alert *alert)
{
	const struct alerter_rule *rule = &job->rule->message;
	const char *path = alert_rule_text(rule, rule->file);
	char buffer[ALERT_TEXT], temporary[32];
	struct text json;

	text_init(&json, buffer, sizeof(buffer));
	alert_json(&json, alert);
	snprintf(temporary, sizeof(temporary), ".alert.%d", (int)getpid());
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		fail(FAULT_WRITE, errno);
	int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		fail(FAULT_WRITE, errno);
	fchmod(fd, FILE_MODE); /* whatever the umask */
	int error = fds_write_all(fd, json.data, json.used);
	if (!error && fsync(fd) < 0)
		error = -errno;
	if (error)
		unlinkat(directory, temporary, 0);
	else
		error = name_file(directory, temporary, alert);
	if (error)
		fail(FAULT_WRITE, -error);
}

/* --- the webhook -------------------------------------------------------------------- */

/* Connected to the first address that can be. */
static int connect_to(const struct job *job)
{
	const struct alerter_rule *rule = &job->rule->message;
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	const struct timeval limit = {.tv_sec = CONNECT_SECONDS};
	const char *host = alert_rule_text(rule, rule->host);
	struct addrinfo *list = NULL;
	char port[8];
	int fd = -1;

	snprintf(port, sizeof(port), "%u", (unsigned)rule->port);
	int error = getaddrinfo(host, port, &hints, &list);
	if (error)
		fail(FAULT_RESOLVE, error);
	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* socket(7) */
		if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
			return fd;
		error = errno;
		close(fd);
	}
	fail(FAULT_CONNECT, error ? error : errno);
}

/* "HTTP/1.1 204": no more of the answer is read. 0: not an answer. */
static int read_status(int fd)
{
	char head[13] = "";
	size_t used = 0;
	ssize_t count;

	while (
	    used < sizeof(head) - 1 && (count = read(fd, head + used, sizeof(head) - 1 - used)) > 0)
		used += (size_t)count;
	return memcmp(head, "HTTP/1.", 7) == 0 && head[8] == ' ' ? atoi(head + 9) : 0;
}

static void to_webhook(const struct job *job, const struct alert *alert)
{
	static char buffer[ALERT_REQUEST];
	struct text request;

	text_init(&request, buffer, sizeof(buffer));
	alert_request(&request, alert, &job->rule->message);
	int fd = connect_to(job);
	int error = fds_write_all(fd, request.data, request.used);
	if (error)
		fail(FAULT_CLOSED, -error);
	int status = read_status(fd);
	if (status >= 200 && status <= 299)
		return;
	fail(status ? FAULT_STATUS : FAULT_PROTOCOL, status);
}

/* --- the command -------------------------------------------------------------------- */

/* A pipe has room for it all, so nobody need stay to write. */
static void give_input(const struct alert *alert)
{
	char buffer[ALERT_TEXT];
	struct text json;
	int ends[2];

	text_init(&json, buffer, sizeof(buffer));
	alert_json(&json, alert);
	if (pipe2(ends, O_CLOEXEC) < 0)
		fail(FAULT_SPAWN, errno);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	int error = fds_write_all(ends[1], json.data, json.used);
	if (error || dup2(ends[0], STDIN_FILENO) < 0)
		fail(FAULT_SPAWN, error ? -error : errno);
}

static void give_environment(const struct alert *alert)
{
	char buffer[2 * ALERT_MESSAGE];
	struct text summary;

	text_init(&summary, buffer, sizeof(buffer));
	alert_summary(&summary, alert);
	setenv("ALERT_EVENT", alert_kind_name(alert->kind), 1);
	setenv("ALERT_SERVICE", alert->service, 1);
	setenv("ALERT_SEVERITY", alert_severity(alert->kind), 1);
	setenv("ALERT_SUMMARY", summary.data, 1);
}

static void to_command(const struct job *job, const struct alert *alert)
{
	static const char *words[ALERT_WORDS + 1];
	const struct alerter_rule *rule = &job->rule->message;
	const char *word = alert_rule_text(rule, rule->command);

	for (unsigned i = 0; i < rule->words; i++, word = alert_rule_next(word))
		words[i] = word;
	give_input(alert);
	give_environment(alert);
	execvp(words[0], (char *const *)words);
	fail(FAULT_SPAWN, errno);
}

/* --- all ---------------------------------------------------------------------------- */

static void add_message(struct text *text, const struct job *job)
{
	const struct board_event *event = &job->event;

	explain_event(text, event, job->blocker[0] ? job->blocker : NULL);
	/* It says which restart, not why; in the log the lines before do. */
	if (event->kind == EV_RESTART) {
		text_add(text, " (");
		explain_cause(text, event, job->blocker[0] ? job->blocker : NULL);
		text_add(text, ")");
	}
}

void alerter_deliver(const struct job *job, struct probe_outcome *why)
{
	static void (*const ways[WAYS])(const struct job *job, const struct alert *alert) = {
	    [WAY_FILE] = to_file, [WAY_WEBHOOK] = to_webhook, [WAY_COMMAND] = to_command};
	char buffer[ALERT_MESSAGE], host[65] = "";
	struct text message;

	outcome = why;
	gethostname(host, sizeof(host) - 1);
	text_init(&message, buffer, sizeof(buffer));
	add_message(&message, job);
	const struct alert alert = {
	    .kind = job->kind,
	    .time = job->event.time,
	    .suppressed = job->suppressed,
	    .missed = job->missed,
	    .dropped = job->dropped,
	    .service = job->event.name,
	    .message = message.data,
	    .host = host,
	    .rule = alert_rule_text(&job->rule->message, job->rule->message.name),
	};
	ways[job->way](job, &alert);
	_exit(0);
}
