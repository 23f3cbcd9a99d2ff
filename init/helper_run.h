/* The helpers of PID 1 (probes/helper.h): who is to run, started and restarted with a growing
 * delay, fed through a channel. Whatever they do, PID 1 only reads small messages of known
 * size from them, and never waits.
 *
 * Owns: channels, listening sockets, the notification socket, the probes' numbers.
 * May call: supervisor, platform, config's image. */
#ifndef SINIT_INIT_HELPER_RUN_H
#define SINIT_INIT_HELPER_RUN_H

#include "probes/helper.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sinit;
struct supervisor;
struct capture;
struct image;
struct image_log;
struct http_settings;

enum helper_kind { HELPER_PROBER, HELPER_RESPONDER, HELPER_ALERTER, HELPER_DEVICES, HELPER_LOGGER };
enum {
	HELPER_KINDS = HELPER_LOGGER + 1,
	HELPER_ABANDONED = HELPER_KINDS /* a logger that hangs */,
	HELPER_LISTEN_MAX = 16,
	HELPER_TOKEN = RESPONDER_TOKEN,
	HELPER_ADDRESS = 128
};

struct helper {
	pid_t pid;         /* 0: not running */
	int channel;       /* -1: none */
	bool wanted;       /* by the configuration */
	bool stale;        /* to be started anew: what it was started with has changed */
	bool asked;        /* to end, at some time of its life */
	bool killed;       /* KILL was sent to it */
	bool waits;        /* its channel is watched for room */
	uint32_t failures; /* ends in a row */
	uint32_t crashes;  /* of the logger in a row */
	int64_t started;   /* ms */
	int64_t due;       /* ms: when it is started next, 0: not due */
	int64_t kill_at;   /* ms: it was told to end, and has until then; 0: it was not */
	int64_t heard;     /* ms: the last sign of life */
	int64_t told;      /* ms: when the log was last told of its end */
	uint32_t untold;   /* ends since */
	int64_t pinged;    /* ms: when it was asked for another, 0: it was not */
};

enum { HELPER_AT_ONCE = 64 }; /* messages that are read in one turn from one channel */

enum { ALERTS_NONE, ALERTS_BEGUN, ALERTS_END = INT32_MAX };

/* What the alerter knows. */
struct alerts {
	uint32_t told;  /* ALERTS_NONE, ALERTS_BEGUN and as many rules, or ALERTS_END */
	bool full;      /* its channel: nothing fits into it until it can be written */
	uint32_t rules; /* of the configuration that it is told of */
	bool absent;    /* the configuration has none */
	uint64_t poked; /* the last event it was told of */
	uint64_t seen;  /* the last event that needs no more looking at */
};

struct devices_state {
	uint32_t generation; /* of what the helper was told to do; what comes of another is late */
	bool settled;        /* it has told of everything once */
};

struct logger_state {
	int take[2][2], put[2]; /* pipes that outlive a logger; 0: not made yet */
	unsigned turn;    /* which of take[] is used: one that was abandoned may hold the other */
	bool own_fails;   /* sinit's own file cannot be written now: its messages go to stderr */
	bool changed;     /* there is more than its orders say */
	bool unclean;     /* the last one did not end as it was told: it may have been writing */
	int orders_fd;    /* what the last logger was told, 0: nothing */
	int draft_fd;     /* what one would be told since then, 0: the same */
	bool finishing;   /* it has been told that nobody writes any more */
	pid_t abandoned;  /* a logger that hangs in the kernel, 0: none */
	int syslog;       /* socket of /dev/log, 0: none */
	char socket[108]; /* its path */
	uint64_t socket_inode;
	int forward_error;     /* errno that was told, 0: all is well */
	uint64_t forward_lost; /* lines that were told to be lost */
};

enum { LOGGER_ALIGNMENT = 8 };

/* Goes through the streams of orders. */
struct logger_reader {
	_Alignas(struct logger_stream) char record[sizeof(struct logger_stream) + PATH_MAX +
						   LOGGER_ALIGNMENT];
	int fd; /* 0: there are none */
	off_t at;
};

struct helpers {
	struct helper helper[HELPER_KINDS];
	int program;  /* sinit's own, O_PATH; -1: cannot be executed again */
	int stats_fd; /* memfd of struct probe_stats[], -1: none */
	struct probe_stats *stats;
	size_t stats_size;
	int notify_fd;    /* -1: none */
	char notify[128]; /* its path, "": none */
	int listening[HELPER_LISTEN_MAX];
	char where[HELPER_LISTEN_MAX][HELPER_ADDRESS]; /* as configured */
	unsigned sockets;
	bool control; /* of [http] */
	bool dashboard;
	bool measuring;           /* the responder waits for what the services use */
	uint32_t reload_order;    /* number of the POST that waits for a reload, 0: none does */
	char token[HELPER_TOKEN]; /* "": no POST is accepted */
	struct alerts alerts;
	struct devices_state devices;
	struct logger_state logger;
	int64_t listen_at; /* ms: tries again what it could not listen on, 0: nothing */
	bool listen_said;  /* the log has been told of that */
	int64_t lag_us;    /* longest lateness or turn since the last pong */
	uint64_t turns;
};

/* Before the supervisor is made: the notification socket, and room for the probes' numbers. */
void helpers_prepare(struct sinit *sinit, const struct image *image);

/* Sees from the configuration which are needed, and opens what they listen on; at the start
 * and after each reload. */
void helpers_configure(struct sinit *sinit);

/* In each turn: those that have ended, those that are due. */
void helpers_turn(struct sinit *sinit);
int64_t helpers_deadline(const struct sinit *sinit); /* ms, 0: none */

/* Something has come through `fd`, or can be written again. False: it is none of theirs. */
bool helpers_event(struct sinit *sinit, int fd, uint32_t events);

/* Reads what services have said; before deaths, so that the senders still have their numbers. */
void helpers_notifications(struct sinit *sinit);

/* They end by themselves when their channels do. The logger is told to end when it has written
 * everything. */
void helpers_close(struct sinit *sinit);

/* All others are gone: a logger writes what is left in the pipes. True: there is something. */
bool helpers_last_words(struct sinit *sinit);

/* Whether any of them has not ended yet. */
bool helpers_left(const struct sinit *sinit);

/* The board is another file now: who reads it is started anew. */
void helpers_board_moved(struct sinit *sinit);

/* --- between the files of helpers --- */

/* A process that is this helper, with `channel` and, for those that have them, `orders` (else -1).
 * Its pid or -errno. */
pid_t helpers_birth(struct sinit *sinit, enum helper_kind kind, int channel, int orders);

/* Nothing is said or heard any more. */
void helpers_disconnect(struct sinit *sinit, enum helper_kind kind);

/* One that was told to end has ended something: its time begins anew. */
void helpers_more_time(struct sinit *sinit, enum helper_kind kind);

/* Deals with what has come through a channel, up to HELPER_AT_ONCE of them. Their number; -errno:
 * no more will come. */
int helpers_read(struct sinit *sinit, enum helper_kind kind);

/* --- helper_notify.c --- */

void helpers_open_notify(struct sinit *sinit); /* told, if it cannot be */

/* --- helper_alerts.c --- */

void helpers_alert_configure(struct sinit *sinit, const struct image *image);
void helpers_alert_start(struct sinit *sinit); /* there is a new alerter */
void helpers_alert(struct sinit *sinit);       /* tells it what is new, as far as there is room */
void helpers_alert_room(struct sinit *sinit);
void helpers_alert_sent(struct sinit *sinit, struct alerter_sent *sent);
void helpers_alert_seen(struct sinit *sinit, uint64_t seen);

/* --- helper_devices.c --- */

void helpers_devices_configure(struct sinit *sinit, const struct image *image);
/* A reload has changed what it has to do. */
void helpers_devices_changed(struct sinit *sinit);
/* There is to be a new one: a file of what it has to do, or -errno. */
int helpers_devices_orders(struct sinit *sinit);
void helpers_devices_message(struct sinit *sinit, const struct devices_message *message);

/* --- helper_logger_orders.c --- */

/* There is to be a new one: a file of what it has to do, or -errno. */
int helpers_logger_orders(struct sinit *sinit);

/* Notes where everything goes by now, for what is retired before there is a logger that was told
 * so. */
void helpers_logger_draft(struct sinit *sinit);
/* In the child: what it has besides the numbers of probes/helper.h stays open. */
void helpers_logger_files(const struct sinit *sinit);
/* Where what is captured goes. */
void helpers_logger_target(
    const struct supervisor *sv, const struct capture *capture, struct image_log *ret);

enum logger_sink helpers_logger_sink(const struct image_log *log);

/* Reads the orders of the logger that runs, or ran last, from their first stream on. */
void helpers_logger_read(const struct sinit *sinit, struct logger_reader *reader);
/* How the target of stream `number` is called there, until the next call; NULL: it is not there.
 * Numbers ascend from call to call. */
const char *helpers_logger_was(struct logger_reader *reader, uint32_t number);
const char *helpers_logger_name(enum logger_sink sink, const char *path);

/* --- helper_logger.c --- */

/* helper_syslog.c: what of it is no service's. A socket that is gone is made again. */
void helpers_logger_configure(struct sinit *sinit, const struct image *image);
void helpers_logger_close(struct sinit *sinit);
/* Log files, sinit's own among them, are opened anew. */
void helpers_logger_reopen(struct sinit *sinit);
void helpers_logger_turn(struct sinit *sinit);
void helpers_logger_message(struct sinit *sinit, const struct logger_message *message);
void helpers_logger_tell_reopen(struct sinit *sinit);
/* It is to end, since another one will go on. */
void helpers_logger_leave(struct sinit *sinit);
/* It is told that nobody writes any more. False: it takes no message now. */
bool helpers_logger_finish(struct sinit *sinit);
/* It has ended: what it has said last, and of which lines nobody was told that they are lost. */
void helpers_logger_losses(struct sinit *sinit);
/* Whether there is anything in the pipes. */
bool helpers_logger_left(const struct sinit *sinit);

/* --- helper_http.c --- */

/* Whether all that this [http] wants of the responder is in force already. */
bool helpers_serve(
    const struct helpers *h, const struct image *image, const struct http_settings *http);
/* Listens on what is configured; sockets for what already was stay as they are. */
void helpers_listen(
    struct sinit *sinit, const struct image *image, const struct http_settings *http);
/* Tries once more what could not be listened on. */
void helpers_listen_again(struct sinit *sinit);
void helpers_stop_listening(struct helpers *h);
void helpers_read_token(struct helpers *h, const char *path); /* NULL: none */
void helpers_order(struct sinit *sinit, struct responder_order *order);
void helpers_reloaded(struct sinit *sinit, const char *error); /* the outcome, NULL: well */
void helpers_pong(struct sinit *sinit, const struct responder_ping *ping);
void helpers_measure(struct sinit *sinit);  /* is to be measured */
void helpers_measured(struct sinit *sinit); /* says so if it has been */

#endif
