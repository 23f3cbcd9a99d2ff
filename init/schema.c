#include "init/schema.h"

#include "init/base.h"
#include "init/image.h"
#include "init/value.h"
#include "reaper/signals.h"

#include <errno.h>
#include <string.h>

/* The texts of all rows in one block, found by their offsets: a table of pointers would have
 * to be relocated in a position-independent program, which costs dirty pages in every sinit
 * that never looks at it. What a key of a later version is for is not kept: nobody can ask. */
static const struct pool {
#define KEY_NAMED(section, member, name, kind, preset, least, most, words, flags, doc)             \
	char section##_##member##_name[sizeof(#name)];                                             \
	char section##_##member##_preset[sizeof(preset)];                                          \
	char section##_##member##_words[sizeof(words)];                                            \
	char section##_##member##_doc[sizeof(doc)];
#define LATER(section, name, preset, flags, doc)                                                   \
	char section##_##name##_name[sizeof(#name)];                                               \
	char section##_##name##_preset[sizeof(preset)];
#include "init/schema.def"
} pool = {
#define KEY_NAMED(section, member, name, kind, preset, least, most, words, flags, doc)             \
#name, preset, words, doc,
#define LATER(section, name, preset, flags, doc) #name, preset,
#include "init/schema.def"
};

#define MEMBER_OF_SINIT   struct sinit_settings
#define MEMBER_OF_SERVICE struct service_settings
#define MEMBER_OF_PROBE   struct probe_settings
#define MEMBER_OF_HTTP    struct http_settings
#define MEMBER_OF_ALERT   struct alert_settings
#define MEMBER_OF_NET     struct net_settings
#define MEMBER_OF_SYSLOG  struct syslog_settings

#define ROW(part, id, member, type, low, high, bits)                                               \
	{                                                                                          \
	    .name = offsetof(struct pool, part##_##id##_name),                                     \
	    .preset = offsetof(struct pool, part##_##id##_preset),                                 \
	    .words = offsetof(struct pool, part##_##id##_words),                                   \
	    .doc = offsetof(struct pool, part##_##id##_doc),                                       \
	    .offset = offsetof(MEMBER_OF_##part, member),                                          \
	    .section = SECTION_##part,                                                             \
	    .kind = KIND_##type,                                                                   \
	    .flags = (bits),                                                                       \
	    .most = (high),                                                                        \
	    .least = (low),                                                                        \
	},

static const struct schema_key table[] = {
#define KEY_NAMED(part, member, key, type, text, low, high, choice, bits, about)                   \
	ROW(part, member, member, type, low, high, bits)
#define LIMIT(part, key, about) ROW(part, key, limits, LIMIT, 0, 0, KEY_SPAWN)
#define LATER(part, key, text, bits, about)                                                        \
	{                                                                                          \
	    .name = offsetof(struct pool, part##_##key##_name),                                    \
	    .preset = offsetof(struct pool, part##_##key##_preset),                                \
	    .section = SECTION_##part,                                                             \
	    .kind = KIND_LATER,                                                                    \
	    .flags = (bits),                                                                       \
	},
#include "init/schema.def"
};

_Static_assert(sizeof(struct pool) <= UINT16_MAX, "offsets into the pool have 16 bits");
_Static_assert(ARRAY_LEN(table) == SCHEMA_KEYS, "SCHEMA_KEYS counts the rows");

unsigned schema_count(void)
{
	return ARRAY_LEN(table);
}

const struct schema_key *schema_at(unsigned index)
{
	return &table[index];
}

unsigned schema_index(const struct schema_key *key)
{
	return (unsigned)(key - table);
}

_Static_assert(KEY_SERVICE_cpuset_cpus == KEY_SERVICE_memory_max + CGROUP_LIMITS - 1,
    "the limits stand in the order of enum cgroup_limit");

enum cgroup_limit schema_limit(const struct schema_key *key)
{
	return (enum cgroup_limit)(schema_index(key) - KEY_SERVICE_memory_max);
}

static const char *pool_text(uint16_t offset)
{
	return (const char *)&pool + offset;
}

const char *schema_name(const struct schema_key *key)
{
	return pool_text(key->name);
}

const char *schema_default(const struct schema_key *key)
{
	return pool_text(key->preset);
}

const char *schema_doc(const struct schema_key *key)
{
	return key->kind == KIND_LATER ? "" : pool_text(key->doc);
}

const struct schema_key *schema_find(enum schema_section section, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].section == section && strcmp(schema_name(&table[i]), name) == 0)
			return &table[i];
	return NULL;
}

/* Word number `index` as it stands in the table, its ! included; NULL if there is none. */
static const char *word_at(const struct schema_key *key, unsigned index, size_t *ret_length)
{
	if (key->kind == KIND_LATER)
		return NULL;
	const char *word = pool_text(key->words);
	for (; index && *word; index--) {
		word += strcspn(word, "|");
		word += *word == '|';
	}
	*ret_length = strcspn(word, "|");
	return *word ? word : NULL;
}

bool schema_word(const struct schema_key *key, unsigned index, struct text *text)
{
	size_t length;
	const char *word = word_at(key, index, &length);

	if (!word)
		return false;
	if (*word == '!') {
		word++;
		length--;
	}
	text_add_bytes(text, word, length);
	return true;
}

bool schema_word_supported(const struct schema_key *key, unsigned index)
{
	size_t length;
	const char *word = word_at(key, index, &length);

	return word && *word != '!';
}

unsigned schema_word_count(const struct schema_key *key)
{
	unsigned count = 0;
	size_t length;

	while (word_at(key, count, &length))
		count++;
	return count;
}

uint32_t schema_mask_all(const struct schema_key *key)
{
	return (1u << (schema_word_count(key) - 1)) - 1;
}

const char *schema_nearest(enum schema_section section, const char *name)
{
	unsigned best = value_slips(name) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *candidate = schema_name(&table[i]);
		if (table[i].section != section || table[i].kind == KIND_LATER)
			continue;
		value_nearer(name, candidate, &best, &nearest);
	}
	return nearest;
}

int schema_parse_word(const struct schema_key *key, const char *value, uint32_t *ret_index)
{
	size_t length;
	const char *word;

	for (unsigned i = 0; (word = word_at(key, i, &length)); i++) {
		bool later = *word == '!';
		if (later) {
			word++;
			length--;
		}
		bool same = *word == '/' ? *value == '/'
					 : strlen(value) == length && !memcmp(word, value, length);
		if (!same)
			continue;
		if (later)
			return -EOPNOTSUPP;
		*ret_index = i;
		return 0;
	}
	return -EINVAL;
}

/* Words separated by blanks, each a bit, the last word all bits. */
static int parse_mask(const struct schema_key *key, const char *value, uint32_t *ret_value)
{
	uint32_t all = schema_mask_all(key);
	uint32_t mask = 0;
	char word[16];

	for (value += strspn(value, " \t"); *value; value += strspn(value, " \t")) {
		size_t length = strcspn(value, " \t");
		uint32_t index;
		if (length >= sizeof(word))
			return -EINVAL;
		memcpy(word, value, length);
		word[length] = '\0';
		int error = schema_parse_word(key, word, &index);
		if (error)
			return error;
		mask |= 1u << index > all ? all : 1u << index;
		value += length;
	}
	*ret_value = mask;
	return mask ? 0 : -EINVAL;
}

static int parse_size(const struct schema_key *key, const char *value, uint32_t *ret_value)
{
	uint64_t size;

	if (value_size(value, &size) < 0)
		return -EINVAL;
	if (size == UINT64_MAX)
		size = SETTING_UNLIMITED;
	else if (size < (uint32_t)key->least || size > key->most)
		return -EINVAL;
	*ret_value = (uint32_t)size;
	return 0;
}

/* Numbers that have no sign. */
static int parse_unsigned(const struct schema_key *key, const char *value, uint32_t *ret_value)
{
	uint32_t result = 0;
	int error = -EINVAL;

	if (key->flags & KEY_UNLIMITED && strcmp(value, "unlimited") == 0) {
		*ret_value = SETTING_UNLIMITED;
		return 0;
	}
	switch ((enum schema_kind)key->kind) {
	case KIND_BOOL:
		return value_bool(value, ret_value);
	case KIND_ENUM:
		return schema_parse_word(key, value, ret_value);
	case KIND_MASK:
		return parse_mask(key, value, ret_value);
	case KIND_COUNT:
		error = parse_u32(value, &result);
		break;
	case KIND_OCTAL:
		error = value_octal(value, &result);
		break;
	case KIND_PERCENT:
		error = value_percent(value, &result);
		break;
	case KIND_FACTOR:
		error = value_factor(value, &result);
		break;
	case KIND_DURATION:
		error = value_duration(value, &result);
		break;
	case KIND_SIZE:
		return parse_size(key, value, ret_value);
	case KIND_TEXT:
	case KIND_PATH:
	case KIND_WORD:
	case KIND_CGROUP:
	case KIND_WARN:
	case KIND_CHECK:
	case KIND_URL:
	case KIND_FORWARD:
	case KIND_ACCOUNT:
	case KIND_COMMAND:
	case KIND_ENVIRONMENT:
	case KIND_PATHS:
	case KIND_ACCOUNTS:
	case KIND_HEADERS:
	case KIND_LISTEN:
	case KIND_PATTERNS:
	case KIND_AWAITED:
	case KIND_ADDRESSES:
	case KIND_GATEWAYS:
	case KIND_NAMES:
	case KIND_CODES:
	case KIND_RANGES:
	case KIND_LIMIT:
	case KIND_INT:
	case KIND_SIGNAL:
	case KIND_LATER:
		break;
	}
	if (error || result < (uint32_t)key->least || result > key->most)
		return -EINVAL;
	*ret_value = result;
	return 0;
}

int schema_parse_number(const struct schema_key *key, const char *value, uint32_t *ret_value)
{
	int32_t number;
	int error;

	if (key->kind == KIND_INT) {
		error = value_int(value, &number);
		if (error || number < key->least || number > (int32_t)key->most)
			return -EINVAL;
	} else if (key->kind == KIND_SIGNAL) {
		error = signal_parse(value, &number);
		if (error)
			return -EINVAL;
	} else {
		return parse_unsigned(key, value, ret_value);
	}
	*ret_value = (uint32_t)number;
	return 0;
}
