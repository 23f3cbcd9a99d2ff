/* The kernel's command line, /proc/cmdline: what of it is meant for sinit, and what was not.
 *
 * The kernel hands its init every word that it does not know itself, be it meant for init or a
 * misspelt option of the kernel's; words with a dot in front of any = it keeps (they could be a
 * module's), and after -- all are init's (Documentation/admin-guide/kernel-parameters.rst). So
 * sinit's own words have a dot and are read here.
 *
 * Pure: calls base only. */
#ifndef SINIT_INIT_CMDLINE_H
#define SINIT_INIT_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

enum { CMDLINE_SIZE = 4096, CMDLINE_PATH = 256, CMDLINE_WORDS = 64 };

struct cmdline {
	bool single;               /* sinit.single: only the emergency shell */
	bool debug;                /* sinit.debug: log_level debug, whatever is configured */
	char config[CMDLINE_PATH]; /* sinit.conf=DIR, "": not given */
	char unknown[64];       /* the first sinit.WORD that there is not, cut to fit; "": none */
	unsigned before, count; /* words before --, and in all */
	const char *word[CMDLINE_WORDS + 1]; /* those after --; NULL-terminated. Points into text */
	char text[CMDLINE_SIZE]; /* its words, without quotes, each with a NUL behind it */
};

/* Reads `size` bytes of it; what is too long or too much is left out. */
void cmdline_parse(struct cmdline *ret, const char *bytes, size_t size);

/* How many of the words in argv[0..] came from before the --: the kernel passes those first, in
 * their order, and they were meant for somebody else. argv is NULL-terminated. */
size_t cmdline_foreign(const struct cmdline *cmdline, char *const *argv);

#endif
