#include "tests/sim/prober.h"

#include "init/render.h"
#include "tests/sim/kernel_internal.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <string.h>

struct sim_check {
	bool active;
	bool once;
	uint32_t ticket;
	uint32_t life; /* of the service when it began */
	int64_t at;    /* of the next verdict */
};

static struct {
	struct sim_check check[SIM_SLOTS * PROBE_ROLES];
	unsigned active; /* checks */
	bool alive;
	int64_t born_at; /* a new one comes then, 0: none is to come */
	int64_t room_at; /* its channel has room then, 0: it has */
} prober;

void prober_reset(void)
{
	memset(&prober, 0, sizeof(prober));
	prober.alive = true;
}

static int64_t patience(unsigned role)
{
	if (kernel.calm)
		return kernel.now + 1 + kernel_pick(role == PROBE_STARTUP ? 100 : 10 * MINUTE);
	return kernel.now + 1 + kernel_pick(role == PROBE_STARTUP ? 20000 : 3 * HOUR);
}

/* Liveness and readiness never before the startup probe has passed, and nothing in a stop. */
static void check_begin(uint32_t slot, unsigned role)
{
	const struct board_service *s = &sim.sv.service[slot];
	uint8_t startup = s->probe[PROBE_STARTUP].health;
	bool right = role == PROBE_STARTUP ? s->m.state == STATE_STARTING && s->m.started
					   : s->m.state == STATE_RUNNING;

	if (s->slice & SLICE_PAUSED)
		sim_fail("%s: %s probe begins though it is paused", s->name, render_role(role));
	if (!s->used || !right)
		sim_fail("%s: %s probe begins in state %s of life %u", s->name, render_role(role),
		    state_name((enum state)s->m.state), s->m.life);
	if (role != PROBE_STARTUP && startup != HEALTH_NONE && startup != HEALTH_PASSING)
		sim_fail("%s: %s probe begins before the startup probe has passed", s->name,
		    render_role(role));
}

int prober_take(const void *message, size_t size)
{
	const struct prober_begin *begin = message;
	struct sim_check *c;

	if (!prober.alive)
		return -EPIPE;
	if (prober.room_at || (!kernel.calm && kernel_chance(2))) {
		prober.room_at = prober.room_at ? prober.room_at : kernel.now + 1 + kernel_pick(50);
		return -EAGAIN;
	}
	if (begin->check >= SIM_SLOTS * PROBE_ROLES)
		sim_fail("the prober is told of check %u", begin->check);
	c = &prober.check[begin->check];
	if (begin->kind == PROBER_END) {
		prober.active -= c->active;
		c->active = false;
		return 0;
	}
	if (begin->kind != PROBER_BEGIN || size != sizeof(*begin) + begin->size)
		sim_fail("the prober does not understand message %u", begin->kind);
	check_begin(begin->check / PROBE_ROLES, begin->check % PROBE_ROLES);
	prober.active += !c->active;
	*c = (struct sim_check){.active = true,
	    .once = begin->once,
	    .ticket = begin->ticket,
	    .life = sim.sv.service[begin->check / PROBE_ROLES].m.life,
	    .at = patience(begin->check % PROBE_ROLES)};
	return 0;
}

int64_t prober_next(void)
{
	int64_t next = prober.born_at;

	if (prober.room_at && (!next || prober.room_at < next))
		next = prober.room_at;
	for (unsigned i = 0; i < sim.sv.count * PROBE_ROLES && prober.active; i++)
		if (prober.check[i].active && (!next || prober.check[i].at < next))
			next = prober.check[i].at;
	return next;
}

static void send(uint32_t number, uint32_t ticket, bool passing)
{
	struct prober_verdict verdict = {.kind = PROBER_VERDICT,
	    .check = number,
	    .ticket = ticket,
	    .passing = passing,
	    .fault = passing ? FAULT_NONE : FAULT_STATUS,
	    .detail = passing ? 0 : 503};

	supervisor_verdict(&sim.sv, &verdict);
}

/* About an earlier life, or earlier settings: as if nothing had been said. */
static void send_late(uint32_t number)
{
	const struct board_service *s = &sim.sv.service[number / PROBE_ROLES];
	struct board_service before = *s;

	send(number, prober.check[number].ticket - 1, kernel_chance(50));
	if (memcmp(&before, s, sizeof(before)))
		sim_fail("%s: a verdict about what was asked earlier has changed it", s->name);
}

static void judge(uint32_t number)
{
	struct sim_check *c = &prober.check[number];
	unsigned role = number % PROBE_ROLES;
	const struct board_service *s = &sim.sv.service[number / PROBE_ROLES];
	bool passing = kernel.calm || kernel_chance(role == PROBE_STARTUP ? 90 : 60);
	bool meant = s->m.life == c->life && !(s->slice & SLICE_PAUSED) &&
		     (s->m.state == STATE_RUNNING || s->m.state == STATE_STARTING);
	uint32_t life = s->m.life;

	c->at = patience(role);
	if (!kernel.calm && kernel_chance(10))
		send_late(number);
	send(number, c->ticket, passing);
	if (!passing && role != PROBE_READINESS && meant && s->m.life == life &&
	    (s->m.state == STATE_RUNNING || s->m.state == STATE_STARTING))
		sim_fail("%s: a failed %s probe changes nothing", s->name, render_role(role));
	if (role == PROBE_READINESS && meant && s->m.state == STATE_RUNNING &&
	    s->m.ready != passing)
		sim_fail(
		    "%s: ready is %u, its readiness probe says %d", s->name, s->m.ready, passing);
}

void prober_run(void)
{
	if (prober.born_at && prober.born_at <= kernel.now) {
		prober.born_at = 0;
		prober.alive = true;
		supervisor_prober(&sim.sv, PROBER_FD);
	}
	if (prober.room_at && prober.room_at <= kernel.now) {
		prober.room_at = 0;
		supervisor_prober_room(&sim.sv);
	}
	for (unsigned i = 0; i < sim.sv.count * PROBE_ROLES && prober.active; i++)
		if (prober.check[i].active && prober.check[i].at <= kernel.now)
			judge(i);
}

void prober_die(void)
{
	if (!prober.alive)
		return;
	prober_reset();
	prober.alive = false;
	prober.born_at = kernel.now + 100 + kernel_pick(5000);
	supervisor_prober(&sim.sv, -1);
}

void prober_check(void)
{
	if (!prober.alive || prober.room_at)
		return;
	for (uint32_t slot = 0; slot < sim.sv.count && slot < SIM_SLOTS; slot++) {
		const struct board_service *s = &sim.sv.service[slot];

		for (unsigned role = 0; role < PROBE_ROLES; role++) {
			enum state state = role == PROBE_STARTUP ? STATE_STARTING : STATE_RUNNING;
			bool due = s->used && s->probe[role].health != HEALTH_NONE &&
				   s->m.state == state && !(s->slice & SLICE_PAUSED) &&
				   (role != PROBE_STARTUP || s->m.started);

			if (prober.check[slot * PROBE_ROLES + role].active != due)
				sim_fail("%s: in state %s its %s probe is %s", s->name,
				    state_name((enum state)s->m.state), render_role(role),
				    due ? "not made" : "made");
		}
	}
}
