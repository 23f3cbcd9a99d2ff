#include "init/fstab.h"

#include "init/mountinfo.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/swap.h>

/* linux/mount.h; not in every C library. */
#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

#define MS_OWNER_IMPLIES (MS_NOSUID | MS_NODEV)
#define MS_USER_IMPLIES  (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* The next word of a line whose words have blanks and tabs between them; NULL at its end. */
static char *next_field(char **line)
{
	char *field = *line + strspn(*line, " \t\r");

	if (!*field)
		return NULL;
	char *end = field + strcspn(field, " \t\r");
	*line = end + (*end != '\0');
	*end = '\0';
	return field;
}

int fstab_parse(char *line, struct fstab_entry *ret_entry, const char **ret_fault)
{
	char *fields[4];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		fields[i] = next_field(&line);
		if (i == 0 && (!fields[0] || *fields[0] == '#'))
			return 0;
		if (fields[i])
			mountinfo_unescape(fields[i]);
	}
	if (!fields[2]) {
		*ret_fault = "an entry has at least three fields: device, directory, type";
		return -EINVAL;
	}
	if (*fields[1] != '/' && strcmp(fields[2], "swap") != 0) {
		*ret_fault = "the second field, the directory, is no absolute path";
		return -EINVAL;
	}
	*ret_entry = (struct fstab_entry){
	    fields[0], fields[1], fields[2], fields[3] ? fields[3] : "defaults"};
	return 1;
}

enum word { FLAGS, PROPAGATION, MARKS };

static const struct option {
	char name[15]; /* no pointer, which would have to be relocated */
	uint8_t word;
	uint32_t set;
	uint32_t clear;
} options_known[] = {
    {"defaults", FLAGS, 0, 0},
    {"ro", FLAGS, MS_RDONLY, 0},
    {"rw", FLAGS, 0, MS_RDONLY},
    {"nosuid", FLAGS, MS_NOSUID, 0},
    {"suid", FLAGS, 0, MS_NOSUID},
    {"nodev", FLAGS, MS_NODEV, 0},
    {"dev", FLAGS, 0, MS_NODEV},
    {"noexec", FLAGS, MS_NOEXEC, 0},
    {"exec", FLAGS, 0, MS_NOEXEC},
    {"sync", FLAGS, MS_SYNCHRONOUS, 0},
    {"async", FLAGS, 0, MS_SYNCHRONOUS},
    {"dirsync", FLAGS, MS_DIRSYNC, 0},
    {"noatime", FLAGS, MS_NOATIME, MS_STRICTATIME | MS_RELATIME},
    {"atime", FLAGS, 0, MS_NOATIME},
    {"nodiratime", FLAGS, MS_NODIRATIME, 0},
    {"diratime", FLAGS, 0, MS_NODIRATIME},
    {"relatime", FLAGS, MS_RELATIME, MS_NOATIME | MS_STRICTATIME},
    {"strictatime", FLAGS, MS_STRICTATIME, MS_NOATIME | MS_RELATIME},
    {"lazytime", FLAGS, MS_LAZYTIME, 0},
    {"nosymfollow", FLAGS, MS_NOSYMFOLLOW, 0},
    {"iversion", FLAGS, MS_I_VERSION, 0},
    {"noiversion", FLAGS, 0, MS_I_VERSION},
    {"bind", FLAGS, MS_BIND, 0},
    {"rbind", FLAGS, MS_BIND | MS_REC, 0},
    {"remount", FLAGS, MS_REMOUNT, 0},
    {"user", FLAGS, MS_USER_IMPLIES, 0},
    {"users", FLAGS, MS_USER_IMPLIES, 0},
    {"nouser", FLAGS, 0, 0},
    {"owner", FLAGS, MS_OWNER_IMPLIES, 0},
    {"group", FLAGS, MS_OWNER_IMPLIES, 0},
    {"shared", PROPAGATION, MS_SHARED, 0},
    {"rshared", PROPAGATION, MS_SHARED | MS_REC, 0},
    {"private", PROPAGATION, MS_PRIVATE, 0},
    {"rprivate", PROPAGATION, MS_PRIVATE | MS_REC, 0},
    {"slave", PROPAGATION, MS_SLAVE, 0},
    {"rslave", PROPAGATION, MS_SLAVE | MS_REC, 0},
    {"noauto", MARKS, FSTAB_NOAUTO, 0},
    {"auto", MARKS, 0, FSTAB_NOAUTO},
    {"nofail", MARKS, FSTAB_NOFAIL, 0},
    {"fail", MARKS, 0, FSTAB_NOFAIL},
    {"_netdev", MARKS, FSTAB_NETWORK, 0},
    {"loop", MARKS, FSTAB_LOOP, 0},
};

/* Notes for other programs. */
static const char *const prefixes_of_others[] = {"x-", "X-", "comment=", "uhelper=", "helper="};

static const struct option *option_find(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_LEN(options_known); i++)
		if (strncmp(options_known[i].name, name, length) == 0 &&
		    options_known[i].name[length] == '\0')
			return &options_known[i];
	return NULL;
}

static bool is_of_others(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes_of_others); i++)
		if (strncmp(name, prefixes_of_others[i], strlen(prefixes_of_others[i])) == 0)
			return true;
	return false;
}

/* A comma in double quotes is part of the option: context="u:r:t:s0:c1,c2". */
static size_t option_length(const char *option)
{
	bool quoted = false;
	size_t length = 0;

	for (; option[length] && (quoted || option[length] != ','); length++)
		if (option[length] == '"')
			quoted = !quoted;
	return length;
}

void fstab_options(const char *options, struct fstab_options *ret_options, struct text *data)
{
	struct fstab_options result = {0, 0, 0};
	unsigned long *const words[] = {
	    [FLAGS] = &result.flags,
	    [PROPAGATION] = &result.propagation,
	    [MARKS] = &result.marks,
	};

	while (*options) {
		size_t length = option_length(options);
		const struct option *known = option_find(options, length);

		if (known && known->word == PROPAGATION)
			result.propagation = known->set;
		else if (known)
			*words[known->word] = (*words[known->word] & ~known->clear) | known->set;
		else if (length && !is_of_others(options)) {
			text_add(data, data->used ? "," : "");
			text_add_bytes(data, options, length);
		}
		options += length + (options[length] == ',');
	}
	*ret_options = result;
}

int fstab_swap_flags(const char *data)
{
	int flags = 0;

	while (*data) {
		size_t length = option_length(data);
		char number[8] = "";
		uint32_t priority;

		if (strncmp(data, "discard", 7) == 0 && (length == 7 || data[7] == '='))
			flags |= SWAP_FLAG_DISCARD;
		if (strncmp(data, "pri=", 4) == 0 && length - 4 < sizeof(number)) {
			memcpy(number, data + 4, length - 4);
			if (parse_u32(number, &priority) == 0 && priority <= SWAP_FLAG_PRIO_MASK)
				flags = (flags & ~SWAP_FLAG_PRIO_MASK) | SWAP_FLAG_PREFER |
					(int)priority;
		}
		data += length + (data[length] == ',');
	}
	return flags;
}

bool fstab_is_network(const char *type)
{
	return mountinfo_word_in(
	    "nfs nfs4 cifs smb3 smbfs ceph afs lustre gfs2 ocfs2 glusterfs davfs "
	    "fuse.sshfs fuse.glusterfs fuse.ceph fuse.davfs",
	    type);
}
