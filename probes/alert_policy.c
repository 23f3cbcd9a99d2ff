#include "probes/alert_policy.h"

/* What of trouble there is with a service. */
enum { TROUBLE_DOWN = 1, TROUBLE_UNHEALTHY = 2 };

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

static void begin_trouble(
    struct policy_table *table, const char *service, uint32_t what, int64_t now)
{
	uint64_t key = key_of(service, "", 0);
	struct policy_entry *entry = find(table, key);

	if (!entry)
		entry = add(table, key);
	entry->time = now;
	entry->value |= what;
}

/* ALERT_RECOVERED if there was such trouble and now there is none. */
static unsigned end_trouble(struct policy_table *table, const char *service, uint32_t what)
{
	struct policy_entry *entry = find(table, key_of(service, "", 0));

	if (!entry || !(entry->value & what))
		return 0;
	entry->value &= ~what;
	if (entry->value)
		return 0;
	entry->key = 0;
	return ALERT_RECOVERED;
}

unsigned policy_kinds(
    struct policy *policy, const struct board_event *event, bool critical, int64_t now)
{
	static const struct {
		uint8_t kinds, critical; /* the latter of a critical service */
		uint8_t begins, ends;    /* trouble */
	} table[EV_KIND_COUNT] = {
	    [EV_RESTART] = {ALERT_RESTART, 0, TROUBLE_DOWN, 0},
	    [EV_FATAL] = {ALERT_FATAL, ALERT_CRITICAL_DOWN, TROUBLE_DOWN, 0},
	    [EV_FAILED] = {ALERT_FAILED, ALERT_CRITICAL_DOWN, TROUBLE_DOWN, 0},
	    [EV_UNHEALTHY] = {ALERT_UNHEALTHY, 0, TROUBLE_UNHEALTHY, 0},
	    [EV_OOM] = {ALERT_OOM, 0, 0, 0},
	    /* Who is ready has passed its probes. */
	    [EV_READY] = {0, 0, 0, TROUBLE_DOWN | TROUBLE_UNHEALTHY},
	    [EV_HEALTHY] = {0, 0, 0, TROUBLE_UNHEALTHY},
	};

	if (event->kind >= EV_KIND_COUNT || !event->name[0])
		return 0;
	unsigned kinds = table[event->kind].kinds;
	if (critical)
		kinds |= table[event->kind].critical;
	if (table[event->kind].begins)
		begin_trouble(&policy->trouble, event->name, table[event->kind].begins, now);
	if (table[event->kind].ends)
		kinds |= end_trouble(&policy->trouble, event->name, table[event->kind].ends);
	return kinds;
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
