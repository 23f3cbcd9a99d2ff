#include "reaper/exec.h"

#include "init/base.h"
#include "init/raw_syscall.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

/* As much of a file's beginning as is looked at: the kernel reads 256 bytes (binfmts.h,
 * BINPRM_BUF_SIZE), this holds an ELF header and 8 program headers besides. */
#define HEAD_SIZE 512

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Ehdr elf_header;
typedef Elf64_Phdr elf_segment;
#define ELF_CLASS ELFCLASS64
#else
typedef Elf32_Ehdr elf_header;
typedef Elf32_Phdr elf_segment;
#define ELF_CLASS ELFCLASS32
#endif

/* strlcpy with control characters made visible; a name with them is shown in messages. */
static void copy_visible(char *to, size_t size, const char *from, size_t length)
{
	size_t used = 0;

	for (size_t i = 0; i < length && from[i] != '\0' && used + 3 < size; i++) {
		unsigned char byte = (unsigned char)from[i];
		if (byte >= 0x20 && byte != 0x7f) {
			to[used++] = (char)byte;
		} else {
			to[used++] = '\\';
			to[used++] = byte == '\r' ? 'r' : byte == '\t' ? 't' : '?';
		}
	}
	to[used] = '\0';
}

/* --- In the child: finding out why -------------------------------------------------- */

/* True if `file` is there, whatever its mode. */
static bool file_exists(const char *file)
{
	return raw_syscall3(SYS_faccessat, AT_FDCWD, (long)file, F_OK) == 0;
}

/* Reads the file's beginning; returns the bytes read, 0 if it cannot be read. */
static size_t read_head(const char *file, char *head, size_t size, int *ret_fd)
{
	/* Not to block on a FIFO. O_LARGEFILE: a file of 2 GiB and more on a 32-bit machine. */
	long fd = raw_syscall4(SYS_openat, AT_FDCWD, (long)file,
	    O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_LARGEFILE, 0);

	if (fd < 0)
		return 0;
	long count = raw_syscall3(SYS_read, fd, (long)head, (long)size);
	*ret_fd = (int)fd;
	return count > 0 ? (size_t)count : 0;
}

/* The interpreter's name of a #! line, as binfmt_script.c of the kernel takes it: after
 * blanks, up to a blank, a newline or the end. */
static void script_interpreter(const char *head, size_t count, struct exec_failure *failure)
{
	size_t start = 2;

	while (start < count && (head[start] == ' ' || head[start] == '\t'))
		start++;
	size_t end = start;
	while (end < count && head[end] != ' ' && head[end] != '\t' && head[end] != '\n')
		end++;
	copy_visible(failure->detail, sizeof(failure->detail), head + start, end - start);
}

/* The name of an ELF file's PT_INTERP, if its segment table is in the head. */
static void elf_loader(const char *head, size_t count, int fd, struct exec_failure *failure)
{
	elf_header header;
	elf_segment segment;
	char name[sizeof(failure->detail)];

	if (count < sizeof(header) || head[EI_CLASS] != ELF_CLASS)
		return;
	memcpy(&header, head, sizeof(header));
	for (size_t i = 0; i < header.e_phnum; i++) {
		if (header.e_phoff > count || count - header.e_phoff < (i + 1) * sizeof(segment))
			return;
		memcpy(&segment, head + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_offset > INT_MAX ||
		    raw_syscall3(SYS_lseek, fd, (long)segment.p_offset, SEEK_SET) < 0)
			return;
		long length = raw_syscall3(SYS_read, fd, (long)name, sizeof(name));
		if (length > 0)
			copy_visible(
			    failure->detail, sizeof(failure->detail), name, (size_t)length);
		return;
	}
}

/* e_machine lies at the same place in both classes of ELF, in the file's byte order. */
static uint16_t elf_machine(const char *head)
{
	unsigned char first = (unsigned char)head[offsetof(elf_header, e_machine)];
	unsigned char second = (unsigned char)head[offsetof(elf_header, e_machine) + 1];

	if (head[EI_DATA] == ELFDATA2MSB)
		return (uint16_t)(first << 8 | second);
	return (uint16_t)(second << 8 | first);
}

/* execve said ENOENT and yet the file is there, or EACCES, or ENOEXEC: its content or
 * its mode tells. Returns the kind. */
static enum exec_failure_kind look_inside(const char *file, struct exec_failure *failure)
{
	char head[HEAD_SIZE];
	int fd = -1;
	size_t count = read_head(file, head, sizeof(head), &fd);
	enum exec_failure_kind kind = EXEC_OTHER;
	bool script = count >= 2 && head[0] == '#' && head[1] == '!';
	bool elf = count >= 20 && memcmp(head, ELFMAG, SELFMAG) == 0;

	if (script)
		script_interpreter(head, count, failure);
	if (elf)
		failure->machine = elf_machine(head);
	if (failure->error == ENOENT && script) {
		kind = EXEC_INTERPRETER_MISSING;
	} else if (failure->error == ENOENT && elf) {
		kind = EXEC_LOADER_MISSING;
		elf_loader(head, count, fd, failure);
	} else if (failure->error == EACCES) {
		kind = script ? EXEC_INTERPRETER_REFUSED : EXEC_NO_PERMISSION;
	} else if (failure->error == ENOEXEC && elf) {
		kind = EXEC_WRONG_MACHINE;
	} else if (failure->error == ENOEXEC) {
		kind = memchr(head, '\0', count) ? EXEC_BAD_FORMAT : EXEC_NO_INTERPRETER_LINE;
	}
	if (fd >= 0)
		raw_syscall3(SYS_close, fd, 0, 0);
	return kind;
}

/* failure->error is what execve said of `file`. Returns the kind. */
static enum exec_failure_kind diagnose(const char *file, struct exec_failure *failure)
{
	int error = failure->error;

	if ((error == ENOENT || error == ENOTDIR) && !file_exists(file))
		return EXEC_NOT_FOUND;
	if (error == EACCES) {
		long fd = raw_syscall4(SYS_openat, AT_FDCWD, (long)file, O_PATH | O_DIRECTORY, 0);
		if (fd >= 0) {
			raw_syscall3(SYS_close, fd, 0, 0);
			return EXEC_IS_DIRECTORY;
		}
		if (!file_exists(file))
			return EXEC_NO_PERMISSION;
		/* access(2) with X_OK asks for our real ids; for root it asks for any x bit. */
		if (raw_syscall3(SYS_faccessat, AT_FDCWD, (long)file, X_OK) != 0)
			return EXEC_NOT_EXECUTABLE;
	}
	if (error == EACCES || error == ENOENT || error == ENOEXEC)
		return look_inside(file, failure);
	return EXEC_OTHER;
}

/* --- In the child: trying ---------------------------------------------------------- */

/* True if the search goes on after this answer: the file is not in this directory, or
 * the directory cannot be used. */
static bool look_further(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES || error == ENAMETOOLONG ||
	       error == ELOOP || error == ESTALE || error == ENODEV || error == ETIMEDOUT;
}

/* Returns the errno of execve(2). */
static int try_file(const char *file, char *const argv[], char *const envp[])
{
	return (int)-raw_syscall3(SYS_execve, (long)file, (long)argv, (long)envp);
}

/* Notes an attempt that failed, unless an earlier one says more: the first file that is
 * there but cannot be executed is what the user wants to hear of. */
static void note_attempt(
    struct exec_failure *failure, enum exec_failure_kind *kind, const char *file, int error)
{
	if (*kind != EXEC_OK)
		return;
	if (error != ENOTDIR && error != ENAMETOOLONG && file_exists(file)) {
		failure->error = error;
		copy_visible(failure->file, sizeof(failure->file), file, strlen(file));
		*kind = diagnose(file, failure);
	} else if (error == EACCES) {
		failure->error = error;
	}
}

static enum exec_failure_kind search(
    char *const argv[], char *const envp[], const char *path, struct exec_failure *failure)
{
	enum exec_failure_kind kind = EXEC_OK;
	char file[PATH_MAX];
	const char *name = argv[0];
	size_t name_length = strlen(name);

	for (const char *next = path; next; path = next) {
		const char *end = strchr(path, ':');
		size_t length = end ? (size_t)(end - path) : strlen(path);

		next = end ? end + 1 : NULL;
		if (length + 1 + name_length >= sizeof(file))
			continue;
		memcpy(file, path, length);
		if (length > 0)
			file[length++] = '/';
		memcpy(file + length, name, name_length + 1);
		int error = try_file(file, argv, envp);
		note_attempt(failure, &kind, file, error);
		if (look_further(error))
			continue;
		if (kind == EXEC_OK) { /* ENOMEM comes before the file is looked for */
			failure->error = error;
			kind = EXEC_OTHER;
		}
		return kind;
	}
	if (kind == EXEC_OK)
		kind = failure->error == EACCES ? EXEC_NO_PERMISSION : EXEC_NOT_FOUND;
	return kind;
}

void exec_command(
    char *const argv[], char *const envp[], const char *path, struct exec_failure *ret_failure)
{
	struct exec_failure *failure = ret_failure;
	const char *file = argv[0];
	enum exec_failure_kind kind;

	/* The parent takes a kind for the end of all attempts: it is set last. */
	failure->kind = EXEC_OK;
	failure->error = ENOENT;
	failure->searched = !strchr(file, '/');
	failure->machine = 0;
	failure->detail[0] = '\0';
	failure->file[0] = '\0';
	if (file[0] == '\0') {
		kind = EXEC_NOT_FOUND;
	} else if (failure->searched) {
		kind = search(argv, envp, path ? path : EXEC_DEFAULT_PATH, failure);
	} else {
		failure->error = try_file(file, argv, envp);
		copy_visible(failure->file, sizeof(failure->file), file, strlen(file));
		kind = diagnose(file, failure);
	}
	failure->kind = (uint8_t)kind;
}
