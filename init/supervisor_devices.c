/* wait_for: a life of a service begins only when what it names is there. The devices helper
 * tells what is; what has gone since is waited for by the next life. */
#include "init/supervisor_internal.h"

#include "init/log.h"

#include <string.h>

static bool is_there(const struct supervisor *sv, uint32_t number)
{
	return sv->there[number / 64] >> number % 64 & 1;
}

static void set_there(struct supervisor *sv, uint32_t number, bool there)
{
	uint64_t bit = UINT64_C(1) << number % 64;

	sv->there[number / 64] &= ~bit;
	if (there)
		sv->there[number / 64] |= bit;
}

/* What the service waits for by the newest configuration. One that has been removed from it
 * begins no more lives. */
static const struct image_list *items_of(const struct supervisor *sv, uint32_t slot)
{
	struct place place = sv->unit[slot].graph;

	return image_list(place_image(sv, place),
	    place.set == sv->current ? place_settings(sv, place)->wait_for : 0);
}

/* How many of them are missing, and which is the first. */
static uint32_t count_missing(const struct supervisor *sv, uint32_t slot, const char **ret_first)
{
	const struct image *image = sv->set[sv->current].image;
	const struct image_list *items = items_of(sv, slot);
	uint32_t count = 0;

	for (uint32_t i = items->count; i-- > 0;) {
		if (is_there(sv, image_awaited(image, items->item[i])))
			continue;
		*ret_first = image_string(image, items->item[i]);
		count++;
	}
	return count;
}

bool sv_devices_there(const struct supervisor *sv, uint32_t slot)
{
	const char *first;

	return count_missing(sv, slot, &first) == 0;
}

void sv_devices_note(struct supervisor *sv, uint32_t slot, bool waits)
{
	struct board_service *s = &sv->service[slot];
	const char *first = NULL;
	uint32_t missing = 0;
	struct board_words words;
	char buffer[sizeof(words.awaited)];
	struct text text;

	if (waits && s->m.state == STATE_WAITING)
		missing = count_missing(sv, slot, &first);
	if (!missing && !(s->said & SAID_AWAITED))
		return;
	text_init(&text, buffer, sizeof(buffer));
	if (missing)
		text_add(&text, first);
	if (missing > 1)
		text_addf(&text, " and %u more", missing - 1);
	board_read_words(&sv->board, slot, s, &words);
	if (strcmp(words.awaited, text.data) == 0)
		return;
	sv_set_words(sv, slot, SAID_AWAITED, text.data, text.used);
	if (missing && log_enabled(LOG_LEVEL_INFO) && sv_may_say(sv, slot))
		log_info(s->name, "waiting for %s", text.data);
}

void sv_devices_adopt(struct supervisor *sv, const struct image *before)
{
	const struct image *image = sv->set[sv->current].image;
	const struct image_list *olds = image_list(before, before->awaited);
	const struct image_list *news = image_list(image, image->awaited);
	uint64_t known[ARRAY_LEN(sv->there)];

	memcpy(known, sv->there, sizeof(known));
	memset(sv->there, 0, sizeof(sv->there));
	for (uint32_t i = 0; i < news->count; i++)
		for (uint32_t k = 0; k < olds->count; k++)
			if (known[k / 64] >> k % 64 & 1 &&
			    strcmp(image_string(image, news->item[i]),
				image_string(before, olds->item[k])) == 0)
				set_there(sv, i, true);
}

static bool waits_for(const struct supervisor *sv, uint32_t slot, ref item)
{
	const struct image_list *items = items_of(sv, slot);

	for (uint32_t i = 0; i < items->count; i++)
		if (items->item[i] == item)
			return true;
	return false;
}

void supervisor_device(struct supervisor *sv, uint32_t number, bool there)
{
	const struct image *image = sv->set[sv->current].image;
	const struct image_list *all = image_list(image, image->awaited);

	if (number >= all->count || there == is_there(sv, number))
		return;
	set_there(sv, number, there);
	log_debug(
	    NULL, "%s is %s", image_string(image, all->item[number]), there ? "there" : "gone");
	for (uint32_t slot = 0; slot < sv->count; slot++)
		if (sv->service[slot].used && waits_for(sv, slot, all->item[number]))
			ranks_add(&sv->dirty, sv->unit[slot].rank);
}
