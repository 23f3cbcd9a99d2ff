/* The line grammar of the configuration, on top of inih.
 *
 * Lines of at most 4096 bytes, LF or CR LF, a UTF-8 BOM at the beginning of the file is
 * skipped. A line whose first character that is no blank is ; or # is a comment. [NAME] begins
 * a section. KEY = VALUE: the value is everything after the first =, without the blanks
 * around it. Nothing else: no comments behind values, no continued lines, no quotes.
 *
 * A distribution's inih may have been built to do otherwise, and cuts what is longer than its
 * buffers; so it only gets lines that every build of it reads alike: `[N]` for the N-th
 * section, `KEY=L` for line L. The names and values themselves stay here.
 *
 * Owns nothing; the text is changed in place (NULs are
 * put into it). Calls inih only. */
#ifndef SINIT_INIT_INI_H
#define SINIT_INIT_INI_H

#include <stddef.h>
#include <stdint.h>

#define INI_LINE_MAX 4096u
#define INI_KEY_MAX  48u /* inih keeps 49 */

enum ini_event {
	INI_SECTION, /* name: what stands between the brackets, without blanks around it */
	INI_KEY,     /* name and value */
	INI_ERROR,   /* name: what is wrong with the line, which is then passed over */
};

/* Is told what is found, in the order of the lines (1 is the first). The strings lie in the
 * text and stay there, but that of an INI_ERROR is good during the call only. */
typedef void ini_tell(
    void *context, enum ini_event event, uint32_t line, const char *name, const char *value);

/* Reads a text; text[size] must be writable. 0, or -EIO if inih disagreed. */
int ini_read(char *text, size_t size, ini_tell *tell, void *context);

#endif
