#include "init/value.h"

#include "init/base.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int value_bool(const char *string, uint32_t *ret_value)
{
	/* In pairs: no, yes. */
	static const char words[][6] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

	for (uint32_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(string, words[i]) == 0) {
			*ret_value = i & 1;
			return 0;
		}
	return -EINVAL;
}

/* Reads decimal digits; *at moves behind them. */
static int take_digits(const char **at, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool range = false;
	const char *here = *at;

	for (; *here >= '0' && *here <= '9'; here++) {
		uint64_t digit = (uint64_t)(*here - '0');
		if (value > (UINT64_MAX - digit) / 10)
			range = true;
		else
			value = value * 10 + digit;
	}
	if (here == *at)
		return -EINVAL;
	*at = here;
	*ret_value = value;
	return range ? -ERANGE : 0;
}

int value_duration(const char *string, uint32_t *ret_ms)
{
	uint64_t value;
	uint64_t unit;
	int error = take_digits(&string, &value);

	if (error == -EINVAL)
		return error;
	if (strcmp(string, "ms") == 0)
		unit = 1;
	else if (!*string || strcmp(string, "s") == 0)
		unit = 1000;
	else if (strcmp(string, "m") == 0)
		unit = 60 * 1000;
	else if (strcmp(string, "h") == 0)
		unit = 60 * 60 * 1000;
	else
		return -EINVAL;
	/* The greatest number itself is kept for `unlimited`. */
	if (error || value > (UINT32_MAX - 1) / unit)
		return -ERANGE;
	*ret_ms = (uint32_t)(value * unit);
	return 0;
}

int value_size(const char *string, uint64_t *ret_value)
{
	static const char units[] = "KMGT";
	uint64_t value;
	unsigned shift = 0;

	if (strcmp(string, "max") == 0 || strcmp(string, "unlimited") == 0) {
		*ret_value = UINT64_MAX;
		return 0;
	}
	int error = take_digits(&string, &value);
	if (error == -EINVAL)
		return error;
	if (*string) {
		const char *unit = strchr(units, *string);
		if (!unit || string[1])
			return -EINVAL;
		shift = (unsigned)(unit - units + 1) * 10;
	}
	/* The greatest number itself means unlimited. */
	if (error || value > (UINT64_MAX - 1) >> shift)
		return -ERANGE;
	*ret_value = value << shift;
	return 0;
}

int value_limit(const char *string, uint64_t *ret_soft, uint64_t *ret_hard)
{
	char part[24];
	const char *colon = strchr(string, ':');
	size_t length = colon ? (size_t)(colon - string) : strlen(string);
	uint64_t soft;
	uint64_t hard;

	if (length >= sizeof(part))
		return -EINVAL;
	memcpy(part, string, length);
	part[length] = '\0';
	int error = value_size(part, &soft);
	if (error)
		return error;
	hard = soft;
	if (colon) {
		error = value_size(colon + 1, &hard);
		if (error)
			return error;
	}
	if (soft > hard)
		return -EDOM;
	*ret_soft = soft;
	*ret_hard = hard;
	return 0;
}

int value_int(const char *string, int32_t *ret_value)
{
	bool negative = *string == '-';
	uint64_t value;

	if (*string == '-' || *string == '+')
		string++;
	int error = take_digits(&string, &value);
	if (error == -EINVAL || *string)
		return -EINVAL;
	if (error || value > INT32_MAX)
		return -ERANGE;
	*ret_value = negative ? -(int32_t)value : (int32_t)value;
	return 0;
}

int value_octal(const char *string, uint32_t *ret_value)
{
	uint32_t value = 0;

	if (!*string)
		return -EINVAL;
	for (; *string; string++) {
		if (*string < '0' || *string > '7')
			return -EINVAL;
		if (value > UINT32_MAX >> 3)
			return -ERANGE;
		value = value << 3 | (uint32_t)(*string - '0');
	}
	*ret_value = value;
	return 0;
}

int value_factor(const char *string, uint32_t *ret_thousandths)
{
	uint64_t value;
	uint32_t part = 0;
	int error = take_digits(&string, &value);

	if (error == -EINVAL)
		return error;
	if (*string == '.') {
		uint32_t unit = 100;
		string++;
		if (*string < '0' || *string > '9')
			return -EINVAL;
		for (; *string >= '0' && *string <= '9'; string++, unit /= 10) {
			if (!unit)
				return -EINVAL;
			part += (uint32_t)(*string - '0') * unit;
		}
	}
	if (*string)
		return -EINVAL;
	if (error || value > UINT32_MAX / 1000 - 1)
		return -ERANGE;
	*ret_thousandths = (uint32_t)value * 1000 + part;
	return 0;
}

int value_percent(const char *string, uint32_t *ret_value)
{
	uint64_t value;
	int error = take_digits(&string, &value);

	if (error == -EINVAL || (*string && strcmp(string, "%") != 0))
		return -EINVAL;
	if (error || value > UINT32_MAX)
		return -ERANGE;
	*ret_value = (uint32_t)value;
	return 0;
}

void value_print_duration(struct text *text, uint32_t ms)
{
	if (ms % 1000)
		text_addf(text, "%" PRIu32 "ms", ms);
	else if (ms && ms % (60 * 60 * 1000) == 0)
		text_addf(text, "%" PRIu32 "h", ms / (60 * 60 * 1000));
	else if (ms && ms % (60 * 1000) == 0)
		text_addf(text, "%" PRIu32 "m", ms / (60 * 1000));
	else
		text_addf(text, "%" PRIu32 "s", ms / 1000);
}

void value_print_size(struct text *text, uint64_t value)
{
	unsigned unit = 0;

	if (value == UINT64_MAX) {
		text_add(text, "unlimited");
		return;
	}
	for (; unit < 4 && value && value % 1024 == 0; unit++)
		value /= 1024;
	text_addf(text, "%" PRIu64, value);
	if (unit)
		text_add_bytes(text, &"KMGT"[unit - 1], 1);
}

void value_print_factor(struct text *text, uint32_t thousandths)
{
	text_addf(text, "%" PRIu32, thousandths / 1000);
	if (thousandths % 1000) {
		text_addf(text, ".%03" PRIu32, thousandths % 1000);
		while (text->used && text->data[text->used - 1] == '0')
			text->data[--text->used] = '\0';
	}
}

enum { WORD_MAX = 64 };

unsigned value_distance(const char *a, const char *b, unsigned most)
{
	size_t a_length = strlen(a);
	size_t b_length = strlen(b);
	/* Three lines of the table: the one before the last is for exchanges. */
	uint8_t lines[3][WORD_MAX + 1];

	if (a_length > WORD_MAX || b_length > WORD_MAX)
		return most + 1;
	for (size_t j = 0; j <= b_length; j++)
		lines[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= a_length; i++) {
		uint8_t *line = lines[i % 3];
		const uint8_t *last = lines[(i + 2) % 3];
		const uint8_t *before = lines[(i + 1) % 3];
		line[0] = (uint8_t)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1] ? 1u : 0u);
			if (last[j] + 1u < best)
				best = last[j] + 1u;
			if (line[j - 1] + 1u < best)
				best = line[j - 1] + 1u;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1u < best)
				best = before[j - 2] + 1u;
			line[j] = (uint8_t)best;
		}
	}
	unsigned result = lines[a_length % 3][b_length];
	return result > most ? most + 1 : result;
}

unsigned value_slips(const char *word)
{
	size_t length = strlen(word);

	/* In a short word two slips leave nothing of it. */
	return length < 2 ? 0 : length < 5 ? 1 : 2;
}

void value_nearer(const char *word, const char *candidate, unsigned *best, const char **nearest)
{
	unsigned distance = value_distance(word, candidate, *best);
	size_t length = strlen(word);

	if (distance < *best || (distance == *best && *nearest && strlen(*nearest) != length &&
				    strlen(candidate) == length)) {
		*best = distance;
		*nearest = candidate;
	}
}
