/* How a child becomes a command, and why it could not.
 *
 * exec_command() runs in a child that shares its parent's memory (clone with CLONE_VM):
 * it makes raw system calls only, allocates nothing, takes no lock and leaves errno
 * alone. What went wrong goes into memory that the parent reads, so no pipe is needed.
 * It needs about 6 KiB of stack. The other two functions are pure and belong to the parent.
 *
 * May call: init/raw_syscall, init/base.
 */
#ifndef SINIT_EXEC_H
#define SINIT_EXEC_H

#include <stdbool.h>
#include <stdint.h>

struct text;

/* Where commands are looked for if there is no PATH in the environment. */
#define EXEC_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum exec_failure_kind {
	EXEC_OK,                  /* no failure */
	EXEC_NOT_FOUND,           /* 127 */
	EXEC_INTERPRETER_MISSING, /* 127: the one its #! line names; detail: its name */
	EXEC_LOADER_MISSING,      /* 127: an ELF file's PT_INTERP; detail: its name */
	EXEC_NOT_EXECUTABLE,      /* 126: a file without an x bit */
	EXEC_NO_PERMISSION,       /* 126: refused although it has one */
	EXEC_INTERPRETER_REFUSED, /* 126: the #! line's interpreter may not be executed; detail */
	EXEC_IS_DIRECTORY,        /* 126 */
	EXEC_NO_INTERPRETER_LINE, /* 126: a text file that does not begin with #! */
	EXEC_WRONG_MACHINE,       /* 126: an ELF file for another; machine: its e_machine */
	EXEC_BAD_FORMAT,          /* 126: neither a text nor an ELF file for this kernel */
	EXEC_OTHER,               /* 126: see error */
};

struct exec_failure {
	int error;        /* errno of the attempt that counts */
	uint8_t kind;     /* enum exec_failure_kind */
	bool searched;    /* the command has no slash: it was looked up in PATH */
	uint16_t machine; /* ELF e_machine of the file, 0 if unknown */
	char detail[64];  /* see kind; control characters made visible ("\r"); may be cut */
	char file[128];   /* the file that was tried; may be cut */
};

/* Executes argv[0], looked up in `path` (as in PATH; NULL: EXEC_DEFAULT_PATH) unless it
 * has a slash, with the environment envp. An empty element of `path` is the current
 * directory. Goes on past elements that lack the file or may not be used, as execvp(3)
 * does, and reports the first candidate that was there; a file in a format that the
 * kernel does not know is not handed to a shell.
 * Returns only on failure, with *ret_failure filled. Until then its kind is EXEC_OK,
 * whatever attempts on the way have failed. */
void exec_command(
    char *const argv[], char *const envp[], const char *path, struct exec_failure *ret_failure);

/* The exit code that tells it: 127 or 126; 0 for EXEC_OK. */
int exec_failure_code(const struct exec_failure *failure);

/* Adds what went wrong and what to try next, beginning with the command's name, without
 * a newline: "foo: command not found in PATH; install it or give its full path". */
void exec_failure_text(const struct exec_failure *failure, const char *command, struct text *text);

#endif
