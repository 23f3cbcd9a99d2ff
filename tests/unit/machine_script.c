#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/machine_script.h"

#include "init/schema.h"

#include <signal.h>
#include <stdio.h>

struct machine_settings set;
struct machine m;
struct machine_history past;
int64_t now;

void fresh(void)
{
	set = (struct machine_settings){
	    .restart = RESTART_ON_FAILURE,
	    .kill_mode = KILL_MAIN,
	    .start_timeout = 60000,
	    .stop_timeout = 10000,
	    .restart_delay = 1000,
	    .max_backoff = 60000,
	    .min_uptime = 10000,
	    .restart_window = 600000,
	    .backoff_multiplier = 2000,
	    .max_restarts = 10,
	    .success = {1},
	};
	m = (struct machine){.deps = DEPS_READY};
	past = (struct machine_history){0};
	now = 1000000;
}

struct machine_event ev(enum event kind)
{
	return (struct machine_event){.kind = kind};
}

struct machine_event ev_cause(enum event kind, enum cause cause)
{
	return (struct machine_event){.kind = kind, .cause = cause};
}

struct machine_event ev_deps(enum deps deps)
{
	return (struct machine_event){.kind = EVENT_DEPS, .deps = deps};
}

struct machine_event ev_exit(int code)
{
	return (struct machine_event){
	    .kind = EVENT_EXITED, .exit_kind = LAST_EXITED, .exit_code = code};
}

struct machine_event ev_killed(int sig)
{
	return (struct machine_event){
	    .kind = EVENT_EXITED, .exit_kind = LAST_KILLED, .exit_code = sig};
}

struct machine_event ev_oom(void)
{
	return (struct machine_event){.kind = EVENT_EXITED,
	    .cause = CAUSE_OOM,
	    .exit_kind = LAST_KILLED,
	    .exit_code = SIGKILL};
}

struct machine_event ev_aux(int code)
{
	return (struct machine_event){
	    .kind = EVENT_AUX_EXITED, .exit_kind = LAST_EXITED, .exit_code = code};
}

struct machine_event ev_no_exec(int error)
{
	return (struct machine_event){.kind = EVENT_SPAWN_FAILED, .exit_code = error};
}

static void expect(const char *file, int line, enum state state, unsigned did, unsigned actions)
{
	if (m.state == state && did == actions)
		return;
	print_error("%s:%d: state %s, expected %s; actions %#x, expected %#x\n", file, line,
	    state_name((enum state)m.state), state_name(state), did, actions);
	fail();
}

void is_at(
    const char *file, int line, struct machine_event event, enum state state, unsigned actions)
{
	unsigned did = machine_step(&set, &m, &past, &event, now);

	expect(file, line, state, did, actions);
}

void due_at(const char *file, int line, int64_t wait, enum state state, unsigned actions)
{
	enum state before = (enum state)m.state;

	if (!m.deadline || m.deadline != now + wait) {
		print_error("%s:%d: due in %lld ms, expected %lld\n", file, line,
		    m.deadline ? (long long)(m.deadline - now) : -1LL, (long long)wait);
		fail();
	}
	now += wait - 1;
	is_at(file, line, ev(EVENT_TIMER), before, 0);
	now += 1;
	is_at(file, line, ev(EVENT_TIMER), state, actions);
}

void run(void)
{
	bool waits = set.oneshot || set.waits_ready;

	if (set.has_pre_start) {
		IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_RUN_PRE);
		IS(ev_aux(0), STATE_STARTING, ACT_SPAWN);
	} else {
		IS(ev(EVENT_WANT_UP), STATE_STARTING, ACT_SPAWN);
	}
	IS(ev(EVENT_SPAWNED), waits ? STATE_STARTING : STATE_RUNNING, 0);
}

void crash_at(const char *file, int line, int code, enum state state, unsigned actions)
{
	is_at(file, line, ev_exit(code), STATE_CLEANUP, LEFTOVERS);
	is_at(file, line, ev(EVENT_EMPTY), state, actions);
}
