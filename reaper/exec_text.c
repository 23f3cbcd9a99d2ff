#include "reaper/exec.h"

#include "init/base.h"

#include <elf.h>
#include <string.h>

int exec_failure_code(const struct exec_failure *failure)
{
	switch ((enum exec_failure_kind)failure->kind) {
	case EXEC_OK:
		return EXIT_CODE_OK;
	case EXEC_NOT_FOUND:
	case EXEC_INTERPRETER_MISSING:
	case EXEC_LOADER_MISSING:
		return EXIT_CODE_NOT_FOUND;
	case EXEC_NOT_EXECUTABLE:
	case EXEC_NO_PERMISSION:
	case EXEC_INTERPRETER_REFUSED:
	case EXEC_IS_DIRECTORY:
	case EXEC_NO_INTERPRETER_LINE:
	case EXEC_WRONG_MACHINE:
	case EXEC_BAD_FORMAT:
	case EXEC_OTHER:
		break;
	}
	return EXIT_CODE_NOT_EXECUTABLE;
}

static void add_machine(struct text *text, unsigned int machine)
{
	static const struct {
		uint16_t machine;
		char name[12];
	} names[] = {
	    {EM_386, "i386"},
	    {EM_X86_64, "x86_64"},
	    {EM_ARM, "arm"},
	    {EM_AARCH64, "aarch64"},
	    {EM_RISCV, "riscv"},
	    {EM_PPC64, "ppc64"},
	    {EM_S390, "s390x"},
	    {EM_MIPS, "mips"},
	    {258, "loongarch"},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].machine == machine) {
			text_add(text, names[i].name);
			return;
		}
	text_addf(text, "ELF machine %u", machine);
}

static unsigned int own_machine(void)
{
#if defined(__x86_64__)
	return EM_X86_64;
#elif defined(__i386__)
	return EM_386;
#elif defined(__aarch64__)
	return EM_AARCH64;
#elif defined(__arm__)
	return EM_ARM;
#elif defined(__riscv)
	return EM_RISCV;
#else
	return EM_NONE;
#endif
}

static void wrong_machine_text(const struct exec_failure *failure, struct text *text)
{
	if (failure->machine == own_machine()) {
		text_add(text,
		    "the kernel cannot run this ELF file (damaged, or of another word size "
		    "or byte order); build or copy it again");
		return;
	}
	text_add(text, "a program for another machine (");
	add_machine(text, failure->machine);
	if (own_machine() != EM_NONE) {
		text_add(text, "; this is ");
		add_machine(text, own_machine());
	}
	text_add(text, "); take the build for this one");
}

static void interpreter_text(
    const struct exec_failure *failure, const char *file, struct text *text)
{
	size_t length = strlen(failure->detail);

	text_addf(text, "its #! line names \"%s\", which (or whose own loader) is not there",
	    failure->detail);
	if (length >= 2 && strcmp(failure->detail + length - 2, "\\r") == 0)
		text_addf(text,
		    ": the line ends in a carriage return; remove it (sed -i 's/\\r$//' %s)", file);
	else
		text_add(text, "; install it or correct the line");
}

void exec_failure_text(const struct exec_failure *failure, const char *command, struct text *text)
{
	const char *file = failure->file[0] != '\0' ? failure->file : command;

	text_addf(text, "%s: ", command);
	if (failure->searched && failure->file[0] != '\0')
		text_addf(text, "%s: ", file);
	switch ((enum exec_failure_kind)failure->kind) {
	case EXEC_OK:
		text_add(text, "no failure");
		break;
	case EXEC_NOT_FOUND:
		if (command[0] == '\0')
			text_add(text, "the command is an empty word");
		else if (failure->searched)
			text_add(
			    text, "command not found in PATH; install it or give its full path");
		else
			text_add(text,
			    "no such file; check the path, as seen from inside this root "
			    "file system");
		break;
	case EXEC_INTERPRETER_MISSING:
		interpreter_text(failure, file, text);
		break;
	case EXEC_LOADER_MISSING:
		text_addf(text,
		    "its loader %s is not there: it was built for another C library or "
		    "machine; install that library or take a static build",
		    failure->detail[0] != '\0' ? failure->detail : "(PT_INTERP)");
		break;
	case EXEC_NOT_EXECUTABLE:
		text_addf(text,
		    "permission denied: the file may not be executed; try chmod +x %s "
		    "(or its file system is mounted noexec)",
		    file);
		break;
	case EXEC_NO_PERMISSION:
		text_add(text, "permission denied; look at the directories above it, the user, "
			       "and noexec mounts");
		break;
	case EXEC_INTERPRETER_REFUSED:
		text_addf(text,
		    "permission denied: its #! line names \"%s\", which may not be "
		    "executed; look at that file's mode",
		    failure->detail);
		break;
	case EXEC_IS_DIRECTORY:
		text_add(text, "is a directory; give the path of a program");
		break;
	case EXEC_NO_INTERPRETER_LINE:
		text_add(text,
		    "exec format error: no interpreter line; put one like #!/bin/sh at the "
		    "very beginning of the file");
		break;
	case EXEC_WRONG_MACHINE:
		wrong_machine_text(failure, text);
		break;
	case EXEC_BAD_FORMAT:
		text_add(text, "exec format error: this is not a program that the kernel can run");
		break;
	case EXEC_OTHER:
		text_addf(text, "cannot be executed: %s", strerror(failure->error));
		break;
	}
}
