#include "probes/alert_policy.h"

/* --- tables ------------------------------------------------------------------------- */

/* FNV-1a, over the NUL as well, so that "a" "bc" is not "ab" "c". */
static uint64_t hash(uint64_t from, const char *text)
{
	do {
		from = (from ^ (unsigned char)*text) * 0x100000001b3u;
	} while (*text++);
	return from;
}

static uint64_t key_of(const char *service, const char *rule, unsigned kind)
{
	uint64_t key = hash(hash(0xcbf29ce484222325u, service), rule);

	key = (key ^ kind) * 0x100000001b3u;
	key ^= key >> 32; /* the low bits choose the set */
	return key ? key : 1;
}

static struct policy_entry *find(struct policy_table *table, uint64_t key)
{
	struct policy_entry *set = table->entry[key % POLICY_SETS];

	for (unsigned i = 0; i < POLICY_WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

/* A place for a key that is not there, empty: a free one, or the one whose time is the
 * longest ago. */
static struct policy_entry *add(struct policy_table *table, uint64_t key)
{
	struct policy_entry *set = table->entry[key % POLICY_SETS], *best = set;

	for (unsigned i = 0; i < POLICY_WAYS && best->key; i++)
		if (!set[i].key || set[i].time < best->time)
			best = &set[i];
	*best = (struct policy_entry){.key = key};
	return best;
}

/* --- kinds -------------------------------------------------------------------------- */

unsigned policy_kinds(const struct board_event *event, bool critical)
{
	static const struct {
		uint8_t kinds, critical; /* the latter of a critical service */
	} table[EV_KIND_COUNT] = {
	    [EV_RESTART] = {ALERT_RESTART, 0},
	    [EV_FATAL] = {ALERT_FATAL, ALERT_CRITICAL_DOWN},
	    [EV_FAILED] = {ALERT_FAILED, ALERT_CRITICAL_DOWN},
	    [EV_RECOVERED] = {ALERT_RECOVERED, 0},
	    [EV_UNHEALTHY] = {ALERT_UNHEALTHY, 0},
	    [EV_OOM] = {ALERT_OOM, 0},
	    [EV_MEMORY] = {ALERT_MEMORY, 0},
	};

	if (event->kind >= EV_KIND_COUNT || !event->name[0])
		return 0;
	return table[event->kind].kinds | (critical ? table[event->kind].critical : 0u);
}

enum alert_kind policy_gravest(unsigned kinds)
{
	unsigned bit = ALERT_CRITICAL_DOWN;

	while (bit > 1 && !(kinds & bit))
		bit >>= 1;
	return (enum alert_kind)bit;
}

/* --- cooldown ----------------------------------------------------------------------- */

bool policy_send(struct policy *policy, const char *rule, const char *service, enum alert_kind kind,
    uint32_t cooldown, int64_t now, uint32_t *ret_suppressed)
{
	uint64_t key = key_of(service, rule, kind);
	struct policy_entry *entry = find(&policy->cooldown, key);

	if (entry && now < entry->time) {
		entry->value += entry->value < UINT32_MAX;
		return false;
	}
	*ret_suppressed = entry ? entry->value : 0;
	if (!entry && cooldown)
		entry = add(&policy->cooldown, key);
	if (entry) {
		entry->time = now + cooldown;
		entry->value = 0;
	}
	return true;
}
