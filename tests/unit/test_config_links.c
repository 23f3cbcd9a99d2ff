/* Dependencies: names, cycles, orders, and the edges that follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "tests/unit/config_util.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static char text[4 << 20];

/* "a: requires b c; after d" makes a service; one a line. */
static const char *services(const char *lines)
{
	struct text out;

	text_init(&out, text, sizeof(text));
	while (*lines) {
		size_t name = strcspn(lines, ":\n");
		text_add(&out, "[service ");
		text_add_bytes(&out, lines, name);
		text_add(&out, "]\ncommand = x\n");
		lines += name;
		while (*lines == ':' || *lines == ';') {
			lines += strspn(lines, ":; ");
			size_t key = strcspn(lines, " ");
			size_t rest = strcspn(lines, ";\n");
			text_add_bytes(&out, lines, key);
			text_add(&out, " =");
			text_add_bytes(&out, lines + key, rest - key);
			text_add(&out, "\n");
			lines += rest;
		}
		lines += *lines == '\n';
	}
	return text;
}

static const char *order_of(const char *lines)
{
	struct image *image = config_util_text(services(lines));
	const char *order = config_util_order(image);

	config_free(image);
	return order;
}

static void refused(const char *lines, const char *errors)
{
	config_util_refused(services(lines), errors);
}

static void test_order(void **state)
{
	(void)state;
	assert_string_equal(order_of("c\na\nb\n"), "a b c");
	assert_string_equal(order_of("a: requires b\nb: requires c\nc\n"), "c b a");
	assert_string_equal(order_of("a: wants c\nb\nc\n"), "b c a");
	assert_string_equal(order_of("a: after c\nb\nc\n"), "b c a");
	assert_string_equal(order_of("a\nb\nc: before a b\n"), "c a b");
	assert_string_equal(order_of("a: priority 60\nb\nc: priority 10\n"), "c b a");
	/* Priority chooses among those that may start, no more. */
	assert_string_equal(order_of("a: requires b; priority 1\nb: priority 90\nc\n"), "c b a");
	assert_string_equal(order_of("a: enabled no\nb: requires a\nc\n"), "b c");
	assert_string_equal(order_of("a: after b\nb: before a\n"), "b a");
}

static void test_names(void **state)
{
	(void)state;
	refused(
	    "db\nweb: requires bd\n", "t:5: requires = bd: no such service; did you mean 'db'?\n");
	refused("web: after nowhere\n",
	    "t:3: after = nowhere: no such service; each needs a section [service nowhere]\n");
	refused("cache\nweb: requires cach; wants cahce; before ccache; restart_with cachee\n",
	    "t:5: requires = cach: no such service; did you mean 'cache'?\n"
	    "t:6: wants = cahce: no such service; did you mean 'cache'?\n"
	    "t:7: before = ccache: no such service; did you mean 'cache'?\n"
	    "t:8: restart_with = cachee: no such service; did you mean 'cache'?\n");
	/* A service is not proposed to itself, and a prefix is no name. */
	refused("web: requires wev\n",
	    "t:3: requires = wev: no such service; each needs a section [service wev]\n");
	refused(
	    "web\nx: requires we\n", "t:5: requires = we: no such service; did you mean 'web'?\n");
	refused("web\nx: requires webserver\n", "t:5: requires = webserver: no such service; each "
						"needs a section [service webserver]\n");
}

/* P56: a cycle is told by names and file; an order alone is none. */
static void test_P56_cycles(void **state)
{
	(void)state;
	refused("a: requires b\nb: requires c\nc: requires a\nd\n",
	    "t:3: requires: dependency cycle: a -> b -> c -> a\n");
	refused("a: requires b\nb: wants c\nc: wants b\n",
	    "t:6: wants: dependency cycle: b -> c -> b\n");
	refused("a: requires a\nd\n", "t:3: requires: dependency cycle: a -> a\n");
	refused("a: wants a\n", "t:3: wants: dependency cycle: a -> a\n");
	refused("a: requires b\nb: requires a\nx: wants y\ny: wants x\n",
	    "t:3: requires: dependency cycle: a -> b -> a\n"
	    "t:9: wants: dependency cycle: x -> y -> x\n");
	/* The shortest way round, from the first name of the knot. */
	refused("a: requires b\nb: requires a c\nc: requires d\nd: requires b\n",
	    "t:3: requires: dependency cycle: a -> b -> a\n");
	refused("a: restart_with b\nb: restart_with a\n",
	    "t:3: restart_with: restart cycle: a -> b -> a\n");
	refused("a: restart_with a\n", "t:3: restart_with: dependency cycle: a -> a\n");
}

static void test_P56_order_alone(void **state)
{
	(void)state;
	assert_string_equal(order_of("a: after b\nb: after a\nc\n"), "b a c");
	assert_string_equal(config_util_warnings,
	    "t:6: after = a: dropped, since it closes a cycle: b -> a -> b\n");
	assert_string_equal(order_of("a: after b\nb: after c\nc: after a\n"), "c b a");
	assert_string_equal(config_util_warnings,
	    "t:9: after = a: dropped, since it closes a cycle: c -> a -> b -> c\n");
	assert_string_equal(order_of("a: before b\nb: before a\n"), "a b");
	assert_string_equal(config_util_warnings,
	    "t:6: before = a: dropped, since it closes a cycle: a -> b -> a\n");
	assert_string_equal(order_of("a: after a\n"), "a");
	assert_string_equal(config_util_warnings,
	    "t:3: after = a: dropped, since a service cannot come before itself\n");
	/* It contradicts what must be waited for. */
	assert_string_equal(order_of("a: requires b\nb: after a\n"), "b a");
	assert_string_equal(config_util_warnings,
	    "t:6: after = a: dropped, since it closes a cycle: b -> a -> b\n");
	assert_string_equal(order_of("a: requires b; before b\nb\n"), "b a");
	assert_string_equal(config_util_warnings,
	    "t:4: before = b: dropped, since it closes a cycle: b -> a -> b\n");
	/* What is only behind a knot keeps its order. */
	assert_string_equal(order_of("a: after b\nb: after a\nc: after a; priority 1\n"), "b a c");
}

static void test_edges(void **state)
{
	struct image *image =
	    config_util_text(services("a: requires b; wants c; after b c d\n"
				      "b\nc: restart_with b\n"
				      "d: restart_with b c\ne: before a; after b\n"));
	const struct service_settings *a = config_util_service(image, "a");
	const struct service_settings *b = config_util_service(image, "b");

	(void)state;
	assert_string_equal(config_util_names(image, a->requires), "b");
	assert_string_equal(config_util_names(image, a->wants), "c");
	assert_string_equal(config_util_names(image, a->after), "b c d");
	assert_string_equal(config_util_names(image, a->order_after), "d e");
	assert_string_equal(config_util_names(image, a->dependents), "");
	assert_string_equal(config_util_names(image, b->dependents), "a e");
	assert_string_equal(config_util_names(image, b->restarts), "c d");
	assert_string_equal(
	    config_util_names(image, config_util_service(image, "c")->restarts), "d");
	assert_string_equal(
	    config_util_names(image, config_util_service(image, "e")->dependents), "a");
	assert_string_equal(config_util_names(image, config_util_service(image, "e")->before), "a");
	config_free(image);
}

static void test_dropped_edges_are_gone(void **state)
{
	struct image *image = config_util_text(services("a: after b\nb: after a c\nc\n"));

	(void)state;
	assert_string_equal(config_util_names(image, config_util_service(image, "b")->after), "c");
	assert_string_equal(
	    config_util_names(image, config_util_service(image, "b")->order_after), "c");
	assert_string_equal(
	    config_util_names(image, config_util_service(image, "a")->dependents), "");
	config_free(image);
}

static void test_named_twice(void **state)
{
	struct image *image =
	    config_util_text(services("a: requires b b c b; after b b; wants b\nb: before a\nc\n"));
	const struct service_settings *a = config_util_service(image, "a");

	(void)state;
	assert_string_equal(config_util_names(image, a->requires), "b c");
	assert_string_equal(config_util_names(image, a->order_after), "");
	assert_string_equal(
	    config_util_names(image, config_util_service(image, "b")->dependents), "a");
	config_free(image);
}

/* The order always fits the edges that are in the image, whatever was asked for. */
static void test_random_orders(void **state)
{
	static const char keys[][8] = {"wants", "after", "before", "after"};
	uint32_t random = 7;
	unsigned loaded = 0;
	unsigned dropped = 0;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		enum { COUNT = 8 };
		struct text out;
		text_init(&out, text, sizeof(text));
		for (unsigned i = 0; i < COUNT; i++) {
			text_addf(&out, "[service s%u]\ncommand = x\n", i);
			for (unsigned k = 0; k < 3; k++) {
				random = random * 1664525u + 1013904223u;
				if ((random >> 16) % (k ? 3 : 6) == 0)
					text_addf(&out, "%s = s%u s%u\n", keys[k],
					    (random >> 20) % COUNT, (random >> 24) % COUNT);
			}
		}
		struct image *image = config_util_text(text);
		if (!image) {
			assert_null(strstr(config_util_errors, "after"));
			continue;
		}
		loaded++;
		dropped += *config_util_warnings != '\0';
		uint32_t order[COUNT];
		uint32_t place[COUNT];
		uint32_t *scratch = malloc(image_order_scratch(image) * sizeof(*scratch));
		image_order(image, order, scratch);
		free(scratch);
		for (uint32_t i = 0; i < COUNT; i++)
			place[order[i]] = i;
		for (uint32_t i = 0; i < COUNT; i++) {
			const struct service_settings *s = image_service(image, i);
			const ref before[] = {s->requires, s->wants, s->after, s->order_after};
			for (size_t l = 0; l < ARRAY_LEN(before); l++)
				for (uint32_t j = 0; j < image_list(image, before[l])->count; j++)
					assert_true(place[image_list(image, before[l])->item[j]] <
						    place[i]);
			for (uint32_t j = 0; j < image_list(image, s->before)->count; j++)
				assert_true(
				    place[image_list(image, s->before)->item[j]] > place[i]);
			for (uint32_t j = 0; j < image_list(image, s->dependents)->count; j++)
				assert_true(
				    place[image_list(image, s->dependents)->item[j]] > place[i]);
		}
		config_free(image);
	}
	assert_in_range(loaded, 200, 2000);
	assert_in_range(dropped, 100, 2000);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Every service after all others, and before them too: 300,000 edges in knots. */
static void test_knots_take_no_time(void **state)
{
	enum { COUNT = 400 };
	struct text out;

	(void)state;
	text_init(&out, text, sizeof(text));
	for (unsigned i = 0; i < COUNT; i++) {
		text_addf(&out, "[service s%u]\ncommand = x\n", i);
		for (unsigned k = 0; k < 2; k++) {
			text_add(&out, k ? "\nafter =" : "before =");
			for (unsigned j = 0; j < COUNT; j++)
				text_addf(&out, " s%u", j);
		}
		text_add(&out, "\n");
	}
	assert_false(out.cut);
	double start = seconds();
	struct image *image = config_util_text(text);
	assert_non_null(image);
	/* A second or so with sanitizers; minutes if something were quadratic. */
	assert_true(seconds() - start < 20);
	config_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_P56_cycles),
	    cmocka_unit_test(test_P56_order_alone),
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_dropped_edges_are_gone),
	    cmocka_unit_test(test_named_twice),
	    cmocka_unit_test(test_random_orders),
	    cmocka_unit_test(test_knots_take_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
