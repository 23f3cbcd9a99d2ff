# sinit: build, tests, benchmark. "make help" lists the targets.
#
#   ARCH=    x86_64 (or what this machine is), aarch64, armhf, riscv64
#   DEPS=    bundled: musl, inih, libnl, http-parser, nghttp2 and zlib as .ci/deps builds them
#            system:  $(CC) and what pkg-config finds (Alpine, a buildroot)
#   VARIANT= release, or for the tests: unit, asan, fuzz (this machine's glibc)
#   B=       where everything but the dependencies is built
#   V=1      show every command
VERSION = 0.1.0
# Bytes. aarch64 has a page of 64 KiB between code and data, and relocations of 24 bytes (see
# below).
ROOM = $(if $(filter aarch64,$(ARCH)),+ 65536 + 65536)
SIZE_MAX_sinit = 640 * 1024 $(ROOM)
SIZE_MAX_sinitctl = 212 * 1024 $(ROOM)

NATIVE := $(patsubst armv%l,armhf,$(shell uname -m))
ARCH = $(NATIVE)
DEPS = bundled
VARIANT = release
PREFIX = /usr
SBINDIR = $(if $(filter /usr,$(PREFIX)),/sbin,$(PREFIX)/sbin)
B = build
Q = $(if $(V),,@)

# --- Compilers and flags -----------------------------------------------------

WARN = -Wall -Wextra $(WERROR) -Wconversion -Wswitch-enum -Wshadow \
       -Wstrict-prototypes -Wmissing-prototypes
# Other compilers may know other warnings, and with sanitizers gcc has false ones.
WERROR = $(if $(filter bundled-release bundled-unit,$(DEPS)-$(VARIANT)),-Werror)

# inih as the configuration reader wants it. The reader hands over one line at
# a time and counts lines and sections itself, so that a distribution's inih
# with other settings reads the same files in the same way.
INIH_FLAGS = -DINI_USE_STACK=1 -DINI_MAX_LINE=4096 -DINI_ALLOW_MULTILINE=0 \
             -DINI_ALLOW_INLINE_COMMENTS=0 -DINI_HANDLER_LINENO=0 \
             -DINI_CALL_HANDLER_ON_NEW_SECTION=0

# nghttp2 has headers of the system's only with these.
NGHTTP2_FLAGS = -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H

# As .ci/deps builds it for the release: what compresses, and its check sum without large tables.
ZLIB_FILES = adler32 crc32 deflate trees zutil
ZLIB_FLAGS = -DZ_TESTW=0

D = build/deps
INIH = $(D)/src/inih
PARSER = $(D)/src/http-parser
NGHTTP2 = $(D)/src/nghttp2/lib
ZLIB = $(D)/src/zlib
TRIPLET = $(patsubst armhf-linux-gnu,arm-linux-gnueabihf,$(ARCH)-linux-gnu)
TOOL = $(if $(filter-out $(NATIVE),$(ARCH)),$(TRIPLET)-)
OUT = $(B)$(if $(filter-out $(NATIVE),$(ARCH)),/$(ARCH))

# static-pie: a program at a random address that needs no loader. Without
# unwind tables, and with code and data of one function each, it stays small.
RELEASE_CFLAGS = -Os -g -fPIE -fstack-protector-strong -ffunction-sections -fdata-sections \
    -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-common
RELEASE_LDFLAGS = -static-pie -Wl,--gc-sections -Wl,-z,relro,-z,now,-z,noexecstack \
    -Wl,-z,noseparate-code -Wl,--hash-style=gnu -Wl,--build-id=none
ifneq ($(ARCH),aarch64)
  # Saves space. Not on aarch64, where kernels with pages of 16 and 64 KiB exist
  # and would refuse the program.
  RELEASE_LDFLAGS += -Wl,-z,max-page-size=4096
endif
ifeq ($(ARCH),x86_64)
  # A relocation in few bits instead of 24 bytes; not every linker can.
  RELEASE_LDFLAGS += -Wl,-z,pack-relative-relocs
endif

SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

ifeq ($(VARIANT),release)
  O = $(B)/obj/$(ARCH)
  FLAGS = $(RELEASE_CFLAGS) $(WARN)
  LDFLAGS = $(RELEASE_LDFLAGS)
  ifeq ($(DEPS),system)
    COMPILE = $(CC)
    PKG_CFLAGS := $(shell pkg-config --static --cflags inih libnl-route-3.0 libnghttp2 zlib)
    FLAGS += $(PKG_CFLAGS)
    LIBS := $(shell pkg-config --static --libs inih libnl-route-3.0 libnl-3.0 libnghttp2 zlib) -lhttp_parser
  else
    COMPILE = $(D)/$(ARCH)/bin/cc
    READY = $(D)/$(ARCH)/.stamp
    LIBS = $(addprefix $(D)/$(ARCH)/lib/,libnl-route-3.a libnl-3.a libhttp_parser.a libnghttp2.a libz.a)
  endif
else
  O = $(B)/$(VARIANT)
  OUT = $(O)
  READY = $(D)/src/.stamp
  COMPILE = gcc
  # libnl from the system: its configure script is run for the release only.
  NL_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libnl-3.0 libnl-route-3.0))
  FLAGS = -O1 -g $(WARN) $(NL_CFLAGS)
  LDFLAGS =
  LIBS := $(shell pkg-config --libs libnl-3.0 libnl-route-3.0)
endif
ifeq ($(VARIANT),asan)
  FLAGS += $(SANITIZE)
endif
ifeq ($(VARIANT),fuzz)
  COMPILE = clang
  FLAGS = -O1 -g -w $(SANITIZE) -fsanitize=fuzzer-no-link $(NL_CFLAGS)
endif
ifneq ($(DEPS),system)
  FLAGS += -isystem $(INIH) -isystem $(PARSER) -isystem $(NGHTTP2)/includes -DNGHTTP2_STATICLIB \
           -isystem $(ZLIB)
  DEPS_OBJ = $(O)/inih.o $(if $(filter-out release,$(VARIANT)),$(O)/http_parser.o $(O)/nghttp2.o $(O)/zlib.o)
endif

# For a test of the watchdog: RTMAX has the loop hang.
ifdef TEST_HANG
  FLAGS += -DSINIT_TEST_HANG
endif

CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. -DSINIT_VERSION='"$(VERSION)"' $(FLAGS)

# Everything is compiled anew when the compiler or a flag changes.
SETTINGS := $(COMPILE) $(CFLAGS) $(LDFLAGS) $(LIBS) $(INIH_FLAGS) $(NGHTTP2_FLAGS) $(ZLIB_FLAGS)
ifneq ($(file <$(O)/.settings),$(SETTINGS))
  $(shell mkdir -p $(O))
  $(file >$(O)/.settings,$(SETTINGS))
endif

# --- The two programs --------------------------------------------------------

MAINS = init/main.c ctl/main.c
SRC = $(filter-out $(MAINS),$(wildcard $(addsuffix /*.c,init reaper ctl cgroup probes log)))
LIB = $(O)/libsinit.a

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps man size install clean distclean help test fuzz bench board format run programs

all: $(OUT)/sinit $(OUT)/sinitctl ## build sinit and sinitctl (in build/, build/ARCH/ for another ARCH)

$(O)/%.o: %.c $(O)/.settings $(READY)
	@mkdir -p $(@D)
	@echo '  CC    $@'
	$(Q)$(COMPILE) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/inih.o: $(READY) $(O)/.settings
	@echo '  CC    $@'
	$(Q)$(COMPILE) $(CFLAGS) $(INIH_FLAGS) -w -c -o $@ $(INIH)/ini.c

# With this machine's compiler, for the tests; .ci/deps makes those of the release.
$(O)/http_parser.o: $(READY) $(O)/.settings
	@echo '  CC    $@'
	$(Q)$(COMPILE) $(CFLAGS) -DHTTP_PARSER_STRICT=0 -w -c -o $@ $(PARSER)/http_parser.c

# Files $(1), with flags $(2), to one object.
define compile_to_one
$(Q)rm -rf $(@:.o=) && mkdir $(@:.o=)
$(Q)for source in $(1); do \
    $(COMPILE) $(CFLAGS) $(2) -w -c -o $(@:.o=)/$$(basename $$source .c).o $$source || exit; \
done
$(Q)ld -r -o $@ $(@:.o=)/*.o
endef

$(O)/nghttp2.o: $(READY) $(O)/.settings
	@echo '  CC    $@'
	$(call compile_to_one,$(NGHTTP2)/*.c,$(NGHTTP2_FLAGS))

$(O)/zlib.o: $(READY) $(O)/.settings
	@echo '  CC    $@'
	$(call compile_to_one,$(ZLIB_FILES:%=$(ZLIB)/%.c),$(ZLIB_FLAGS))

$(LIB): $(SRC:%.c=$(O)/%.o) $(DEPS_OBJ)
	@echo '  AR    $@'
	$(Q)rm -f $@ && $(TOOL)ar rcs $@ $^

$(O)/sinit.debug: $(O)/init/main.o $(LIB)
	@echo '  LD    $@'
	$(Q)$(COMPILE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(O)/sinitctl.debug: $(O)/ctl/main.o $(LIB)
	@echo '  LD    $@'
	$(Q)$(COMPILE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# The sanitizers want their symbols; a debugger finds those of the release
# build in the .debug file.
$(OUT)/%: $(O)/%.debug
	@mkdir -p $(@D)
	@echo '  STRIP $@'
	$(Q)$(if $(filter release,$(VARIANT)),$(TOOL)strip -o $@ $<,cp $< $@)

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# --- Dependencies ------------------------------------------------------------

deps: $(READY) ## fetch, check and build the dependencies (make does it when needed)

# Not by the time stamp of packages: .ci/setup finds out by itself.
$(D)/src/.stamp: .ci/deps
	.ci/setup build
	.ci/deps fetch

$(D)/$(ARCH)/.stamp: .ci/deps $(D)/src/.stamp
	.ci/setup build $(if $(TOOL),cross-$(ARCH))
	.ci/deps build $(ARCH)

# --- Tests, benchmark, demonstration ------------------------------------------

# tests/unit/test_*.c, tests/sim/test_*.c and tests/fuzz/fuzz_*.c are a program
# each; any other file beside them is linked to all of that directory. In
# tests/sim those files are a simulated kernel: they come before the archive, so
# its init/platform.o and cgroup/slice*.o are never taken.
programs_of = $(patsubst %.c,$(O)/%,$(wildcard tests/$(1)/$(2)_*.c))
helpers_of = $(patsubst %.c,$(O)/%.o,$(filter-out tests/$(1)/$(2)_%,$(wildcard tests/$(1)/*.c)))
LINK_TEST = $(Q)$(COMPILE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

programs: $(if $(filter fuzz,$(VARIANT)),$(call programs_of,fuzz,fuzz),\
	$(call programs_of,unit,test) $(call programs_of,sim,test))

$(O)/tests/unit/test_%: $(O)/tests/unit/test_%.o $(call helpers_of,unit,test) $(LIB)
	$(LINK_TEST) -lcmocka

$(O)/tests/sim/test_%: $(O)/tests/sim/test_%.o $(call helpers_of,sim,test) $(LIB)
	$(LINK_TEST) -lcmocka

$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(call helpers_of,fuzz,fuzz) $(LIB)
	$(LINK_TEST) -fsanitize=fuzzer

test: ## set up, run every test, end with the counts
	@.ci/setup build test
	@B=$(B) .ci/run-tests

test-%: ## one stage: test-unit, -sim, -fuzz, -real, -peers, -boot, -asan, -boards (T= words for pytest)
	@.ci/setup build test
	@B=$(B) T='$(T)' .ci/run-tests $*

format: ## the C files as .clang-format has them (tests/unit/format.py looks)
	clang-format-14 -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

fuzz: ## fuzz for long: FUZZ_SECONDS (600) each
	@.ci/setup build test
	@B=$(B) FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) .ci/run-tests fuzz

bench: all ## measure sinit and its peers side by side (ARGS= words for bench/bench.py)
	@.ci/setup bench boot
	CC=$(CURDIR)/$(COMPILE) BENCH_PEER_PATH=$(CURDIR)/$(B) /usr/bin/python3 bench/bench.py --results bench/RESULTS.json $(ARGS)

board: all ## a root for a board, under 3 MiB, with busybox (in build/board/ARCH; the kernel apart)
	@.ci/setup board
	@SINIT=$(B)/sinit SINITCTL=$(B)/sinitctl .ci/board $(ARCH) $(B)/board/$(ARCH)

run: all ## see it work: sinit as PID 1 over the services of conf.d
	@.ci/run-demo $(OUT)

# --- Manual pages --------------------------------------------------------------

# Their tables are those of the program, written by docs/manual.c, which runs here:
# with another ARCH it is built by this machine's compiler.
PAGES = sinit.8 sinitctl.1 sinit.conf.5

ifeq ($(ARCH),$(NATIVE))
man: $(addprefix $(B)/man/,$(PAGES)) ## the manual pages (in build/man)

$(O)/docs/manual: $(O)/docs/manual.o $(LIB)
	@echo '  LD    $@'
	$(Q)$(COMPILE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/man/%: docs/%.in $(O)/docs/manual
	@mkdir -p $(@D)
	@echo '  MAN   $@'
	$(Q)$(O)/docs/manual <$< >$@
else
man:
	$(Q)$(MAKE) ARCH=$(NATIVE) DEPS=bundled VARIANT=unit man
endif

# --- Sizes, installation, cleaning -------------------------------------------

size: all ## print the sizes; fail above the budget
	@bad=0; check() { \
	    size=$$(wc -c <$(OUT)/$$1); echo "$$1: $$size bytes of $$2"; \
	    [ "$$size" -le "$$2" ] || { echo "$$1 is above its budget" >&2; bad=1; }; \
	}; \
	check sinit $$(($(SIZE_MAX_sinit))); check sinitctl $$(($(SIZE_MAX_sinitctl))); exit $$bad

install: all man ## install below DESTDIR and PREFIX (with /usr, sinit is /sbin/sinit)
	install -D -m 755 $(OUT)/sinit $(DESTDIR)$(SBINDIR)/sinit
	install -D -m 755 $(OUT)/sinitctl $(DESTDIR)$(PREFIX)/bin/sinitctl
	set -e; for page in $(PAGES); do \
	    install -D -m 644 $(B)/man/$$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page; \
	done
	set -e; for file in $(wildcard conf.d/*.ini conf.d/examples/*.ini conf.d/board/*.ini); do \
	    install -D -m 644 $$file $(DESTDIR)$(PREFIX)/share/doc/sinit/$$file; \
	done

clean: ## remove what was built, but not the dependencies
	find $(B) -mindepth 1 -maxdepth 1 ! -name deps ! -name kernel -exec rm -rf {} +

distclean: ## remove build/ whole
	rm -rf build

help: ## list the targets
	@sed -n 's/^\([a-z%-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22
