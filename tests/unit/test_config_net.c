/* Sections [net INTERFACE], and wait_for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/base.h"
#include "init/netaddr.h"
#include "tests/unit/config_util.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define SERVICE "[service a]\ncommand = x\n"

/* --- addresses and names --- */

static void test_addresses(void **state)
{
	struct netaddr parsed;

	(void)state;
	assert_int_equal(netaddr_parse("192.168.1.2/24", true, &parsed), 0);
	assert_int_equal(parsed.family, AF_INET);
	assert_int_equal(parsed.prefix, 24);
	assert_memory_equal(parsed.bytes, "\300\250\001\002\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(netaddr_parse("2001:db8::2/128", true, &parsed), 0);
	assert_int_equal(parsed.family, AF_INET6);
	assert_int_equal(parsed.prefix, 128);
	assert_memory_equal(parsed.bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
	assert_int_equal(netaddr_parse("10.0.0.0/0", true, &parsed), 0);
	assert_int_equal(netaddr_parse("fe80::1", false, &parsed), 0);
	static const char *const bad[] = {"", "/", "/8", "10.0.0/8", "10.0.0.1.2/8", "host/8",
	    "10.0.0.256/8", "fd00:::1/64", "fe80::1%eth0/64", " 10.0.0.1/8",
	    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/64"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(netaddr_parse(bad[i], true, &parsed), -EINVAL);
	static const char *const prefixes[] = {"10.0.0.1", "10.0.0.1/", "10.0.0.1/33",
	    "fd00::1/129", "10.0.0.1/8/8", "10.0.0.1/-1",
	    "10.0.0.1/00000000000000000000000000000000000000000000000008"};
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		assert_int_equal(netaddr_parse(prefixes[i], true, &parsed), -ERANGE);
	assert_int_equal(netaddr_parse("10.0.0.1/8", false, &parsed), -ERANGE);
}

static void test_names(void **state)
{
	char path[NETADDR_AWAITED + 1];

	(void)state;
	assert_true(netaddr_good_interface("e"));
	assert_true(netaddr_good_interface("abcdefghijklmno"));
	assert_true(netaddr_good_interface("eth0.100@x"));
	assert_false(netaddr_good_interface("abcdefghijklmnop"));
	static const char *const bad[] = {"", ".", "..", "a/b", "a b", "a\tb", "eth0:1"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(netaddr_good_interface(bad[i]));
	assert_true(netaddr_good_awaited("eth0"));
	assert_true(netaddr_good_awaited("/dev/sda1"));
	assert_false(netaddr_good_awaited("dev/sda1"));
	memset(path, '/', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_false(netaddr_good_awaited(path));
	path[sizeof(path) - 2] = '\0';
	assert_true(netaddr_good_awaited(path));
}

/* --- [net] --- */

static void test_net(void **state)
{
	struct image *image = config_util_text(
	    "[net wlan0]\nup = no\n" SERVICE
	    "[net eth0]\naddress = 10.0.0.2/8 fd00::2/64\ngateway = fd00::1 10.0.0.1\n"
	    "address = 10.0.0.3/8\nmtu = 9000\n");

	(void)state;
	assert_string_equal(config_util_warnings, "");
	assert_int_equal(image->net_count, 2);
	const struct net_settings *eth = image_net(image, 0), *wlan = image_net(image, 1);
	assert_string_equal(image_string(image, eth->name), "eth0");
	assert_string_equal(
	    config_util_list(image, eth->address), "[10.0.0.2/8][fd00::2/64][10.0.0.3/8]");
	assert_string_equal(config_util_list(image, eth->gateway), "[fd00::1][10.0.0.1]");
	assert_int_equal(eth->mtu, 9000);
	assert_int_equal(eth->up, 1);
	assert_string_equal(image_string(image, wlan->name), "wlan0");
	assert_int_equal(wlan->address, 0);
	assert_int_equal(wlan->gateway, 0);
	assert_int_equal(wlan->mtu, SETTING_UNSET_INT);
	assert_int_equal(wlan->up, 0);
	config_free(image);
	/* What an empty line resets, and a section of nothing. */
	image = config_util_text("[net lo]\n[net eth0]\naddress = 10.0.0.2/8\naddress =\n"
				 "address = 10.0.0.3/8\n");
	assert_int_equal(image->net_count, 2);
	assert_string_equal(config_util_list(image, image_net(image, 0)->address), "[10.0.0.3/8]");
	assert_int_equal(image_net(image, 1)->up, 1);
	config_free(image);
}

static void test_bad_net(void **state)
{
	(void)state;
	config_util_refused("[net eth0]\naddress = 10.0.0.2\naddress = 10.0.0.2/33 fd00::1/64\n"
			    "address = eth1/8\naddress = fd00::1/129\ngateway = 10.0.0.1/8\n"
			    "mtu = 67\nup = maybe\nadress = 10.0.0.2/8\ncommand = x\n",
	    "t:2: address = 10.0.0.2: 10.0.0.2 needs a prefix from /0 to /32\n"
	    "t:3: address = 10.0.0.2/33 fd00::1/64: 10.0.0.2/33 needs a prefix from /0 to /32\n"
	    "t:4: address = eth1/8: eth1/8 is no address; write one such as 192.168.1.2/24\n"
	    "t:5: address = fd00::1/129: fd00::1/129 needs a prefix from /0 to /128\n"
	    "t:6: gateway = 10.0.0.1/8: 10.0.0.1/8: a gateway has no prefix\n"
	    "t:7: mtu = 67: expected a number from 68 to 65535\n"
	    "t:8: up = maybe: expected yes or no\n"
	    "t:9: adress: unknown key; did you mean 'address'?\n"
	    "t:10: command: not a key of this section, but of [service NAME] or [defaults]\n");
	config_util_refused("[net eth0]\ngateway = 10.0.0.1 10.0.0.2\n",
	    "t:2: gateway = 10.0.0.1 10.0.0.2: more than one of a family; there is one default "
	    "route for IPv4, and one for IPv6\n");
	config_util_refused("[net eth0]\nup = no\ngateway = 10.0.0.1\n",
	    "t:3: gateway = 10.0.0.1: the kernel takes no route over an interface that is down; "
	    "write up = yes, or leave it out\n");
	config_util_refused("[net eth0]\naddress = 10.0.0.1/8 10.0.0.1/8\n",
	    "t:2: address = 10.0.0.1/8 10.0.0.1/8: it stands there twice\n");
	config_util_refused("[net]\n[net a/b]\n[net abcdefghijklmnop]\n[ned eth0]\n",
	    "t:1: [net]: the name is missing; write [net INTERFACE]\n"
	    "t:2: [net a/b]: bad name; an interface's has 1 to 15 bytes, and no / : or blank\n"
	    "t:3: [net abcdefghijklmnop]: bad name; an interface's has 1 to 15 bytes, and no / : "
	    "or blank\n"
	    "t:4: [ned eth0]: unknown section; did you mean 'net'?\n");
	config_util_refused(
	    "[net a]\n[net a]\n", "t:2: [net a]: duplicate section; it begins in line 1\n");
}

static void test_two_gateways(void **state)
{
	(void)state;
	config_free(config_util_text("[net a]\ngateway = 10.0.0.1\n[net b]\ngateway = fd00::1\n"));
	assert_string_equal(config_util_warnings, "");
	config_free(config_util_text("[net b]\ngateway = 10.0.0.1\n[net a]\ngateway = 10.1.0.1\n"));
	assert_string_equal(config_util_warnings,
	    "t:2: gateway = 10.0.0.1: [net a] has one as "
	    "well; the default route is by the interface that comes last\n");
}

/* Each is refused by one more than there may be. */
static void test_many(void **state)
{
	char text[16384];
	struct text out;

	(void)state;
	text_init(&out, text, sizeof(text));
	for (unsigned i = 0; i < IMAGE_MAX_NETS; i++)
		text_addf(&out, "[net e%u]\n", i);
	struct image *image = config_util_text(text);
	assert_int_equal(image->net_count, IMAGE_MAX_NETS);
	config_free(image);
	text_add(&out, "[net x]\n");
	config_util_refused(text, "t:65: [net x]: more than 64 interfaces\n");
	text_init(&out, text, sizeof(text));
	text_add(&out, "[net e]\n");
	for (unsigned i = 0; i < NETADDR_ADDRESSES; i++)
		text_addf(&out, "address = 10.0.0.%u/8\n", i);
	config_free(config_util_text(text));
	text_add(&out, "address = 10.0.1.1/8\n");
	config_util_refused(
	    text, "t:34: address = 10.0.1.1/8: too many addresses for one interface\n");
}

/* Boot mode: what is wrong is left out, the rest holds. */
static void test_tolerant(void **state)
{
	struct config_input input = {.flags = CONFIG_TOLERANT};
	struct image *image = config_util_input("[net a]\naddress = x\n[net b]\n" SERVICE
						"[service c]\ncommand = x\nwait_for = a/b\n",
	    &input);

	(void)state;
	assert_int_equal(image->net_count, 1);
	assert_string_equal(image_string(image, image_net(image, 0)->name), "b");
	assert_non_null(strstr(config_util_warnings, "t:2: address = x: "));
	assert_int_equal(image->broken_count, 1);
	assert_non_null(image_string(image, config_util_service(image, "c")->broken));
	config_free(image);
}

/* --- wait_for --- */

static void test_wait_for(void **state)
{
	struct image *image =
	    config_util_text("[defaults]\nwait_for = eth0\n" SERVICE
			     "[service b]\ncommand = x\nwait_for = /dev/sda1  eth0 /dev/sda1\n"
			     "[service c]\ncommand = x\nwait_for =\n");
	const struct service_settings *a = config_util_service(image, "a");
	const struct service_settings *b = config_util_service(image, "b");

	(void)state;
	assert_string_equal(config_util_list(image, a->wait_for), "[eth0]");
	assert_string_equal(config_util_value(image, "b", "wait_for"), "/dev/sda1 eth0 /dev/sda1");
	/* All of it, each once. */
	assert_string_equal(config_util_list(image, image->awaited), "[eth0][/dev/sda1]");
	const struct image_list *items = image_list(image, b->wait_for);
	assert_int_equal(image_awaited(image, items->item[0]), 1);
	assert_int_equal(image_awaited(image, items->item[1]), 0);
	assert_int_equal(image_awaited(image, b->name), IMAGE_NONE);
	config_free(image);
	config_util_bad("wait_for = dev/sda1\n",
	    "t:3: wait_for = dev/sda1: expected absolute "
	    "paths and names of interfaces, separated by blanks\n");
	config_util_bad(
	    "wait_fro = eth0\n", "t:3: wait_fro: unknown key; did you mean 'wait_for'?\n");
}

static void test_too_many_awaited(void **state)
{
	char text[32768];
	struct text out;

	(void)state;
	text_init(&out, text, sizeof(text));
	for (unsigned i = 0; i < IMAGE_MAX_AWAITED; i++) {
		if (i % IMAGE_MAX_WAIT_FOR == 0)
			text_addf(&out, "\n[service s%u]\ncommand = x\nwait_for =", i);
		text_addf(&out, " /dev/d%u", i);
	}
	text_add(&out, "\n");
	struct image *image = config_util_text(text);
	assert_int_equal(image_list(image, image->awaited)->count, IMAGE_MAX_AWAITED);
	config_free(image);
	text_add(&out, "[service z]\ncommand = x\nwait_for = /dev/d1 /dev/more\n");
	config_util_refused(text, "t:28: wait_for: services wait for more than 256 things\n");
	text_init(&out, text, sizeof(text));
	text_add(&out, "wait_for =");
	for (unsigned i = 0; i <= IMAGE_MAX_WAIT_FOR; i++)
		text_addf(&out, " e%u", i);
	text_add(&out, "\n");
	assert_null(config_util_text(text));
}

/* --- equality --- */

static bool equal(const char *a, const char *b)
{
	struct image *x = config_util_text(a), *y = config_util_text(b);
	bool result = image_devices_equal(x, y);

	assert_int_equal(result, image_devices_equal(y, x));
	config_free(x);
	config_free(y);
	return result;
}

static void test_equal(void **state)
{
	static const char *const others[] = {"", "[net f]\n", "[net e]\nmtu = 1000\n",
	    "[net e]\nup = no\n", "[net e]\n[net f]\n", "[net e]\naddress = 10.0.0.1/8\n",
	    "[net e]\ngateway = 10.0.0.1\n", "[net e]\n" SERVICE "wait_for = e\n"};

	(void)state;
	assert_true(equal("[net e]\n", "[net e]\nup = yes\n" SERVICE));
	assert_true(equal(SERVICE "wait_for = e /x\n", SERVICE "wait_for = e /x\npriority = 3\n"));
	assert_false(equal(SERVICE "wait_for = e /x\n", SERVICE "wait_for = /x e\n"));
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		char text[256];
		struct text out;

		text_init(&out, text, sizeof(text));
		text_addf(&out, "[sinit]\n%s", others[i]);
		assert_false(equal("[net e]\n", text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_net),
	    cmocka_unit_test(test_bad_net),
	    cmocka_unit_test(test_two_gateways),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_tolerant),
	    cmocka_unit_test(test_wait_for),
	    cmocka_unit_test(test_too_many_awaited),
	    cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
