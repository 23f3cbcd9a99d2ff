/* Which captured streams the NAMEs of a command line mean.
 *
 * Owns: its mapping of the store and what is known of each stream. May call: view, match,
 * store_read. */
#ifndef SINIT_CTL_STREAMS_H
#define SINIT_CTL_STREAMS_H

#include "ctl/view.h"
#include "log/store_read.h"

/* The stream with the same number in the store. */
struct source {
	bool used;
	bool shown; /* it is one that was asked for */
	struct store_who who;
	uint64_t position; /* up to here it is shown */
	uint64_t seen;     /* and up to here looked at */
};

/* Zero it before use. */
struct streams {
	const struct ctl *ctl;
	struct view view;
	struct store_reader store;
	struct source *source;  /* as many as the store has */
	struct source **sorted; /* those that are shown, by name */
	uint32_t shown;
	bool absent; /* there is no store */
};

/* Opens the board and the store of ctl->rundir, and looks for the streams that ctl->argv means.
 * CTL_OK, or an exit code after saying why. To be closed in any case. */
int streams_open(struct streams *streams, const struct ctl *ctl);
void streams_close(struct streams *streams);

/* Looks which streams there are by now; new ones begin at position 0. */
void streams_scan(struct streams *streams);

/* Whether a source's stream is still the one that it was at the last look. */
bool streams_same(const struct streams *streams, const struct source *source);

/* Number of a source's stream in the store. */
uint32_t streams_index(const struct streams *streams, const struct source *source);

/* Says of each NAME that means no stream why. CTL_OK if all of them mean one, or an exit code. */
int streams_check(struct streams *streams);

/* Its name for people: the service's, sinit or syslog. */
const char *streams_label(const struct source *source);

#endif
