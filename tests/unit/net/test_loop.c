/* SPDX-License-Identifier: ISC */
/* loop, loop_io and offload: order, time and threads. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/loop_io.h"
#include "net/offload.h"
#include "unit/unit.h"

/* A diary that calls write letters into. */
struct diary {
	struct loop *loop;
	struct loop_timer *timer;
	struct offload *offload;
	char text[64];
	size_t len;
	uint64_t at_ms;
	pthread_t loop_thread;
};

struct entry {
	struct diary *diary;
	char letter;
};

static void note(struct diary *d, char letter)
{
	assert_true(d->len < sizeof(d->text) - 1);
	d->text[d->len++] = letter;
	d->text[d->len] = '\0';
}

static void on_entry(void *arg)
{
	const struct entry *e = arg;

	note(e->diary, e->letter);
}

static void on_stop(void *arg)
{
	struct diary *d = arg;

	loop_stop(d->loop);
}

static void deferred_calls_keep_their_order(void **state)
{
	struct diary d = { .loop = loop_new() };
	struct entry a = { &d, 'a' };
	struct entry b = { &d, 'b' };
	struct entry c = { &d, 'c' };

	(void)state;
	loop_defer(d.loop, on_entry, &a);
	loop_defer(d.loop, on_entry, &b);
	loop_defer(d.loop, on_entry, &c);
	loop_defer(d.loop, on_entry, &b);
	loop_defer_cancel(d.loop, on_entry, &b);
	loop_defer(d.loop, on_stop, &d);
	loop_defer(d.loop, on_entry, &a); /* the last turn is finished */
	assert_int_equal(d.len, 0);
	loop_run(d.loop);
	assert_string_equal(d.text, "aca");
	loop_free(&d.loop);
	assert_null(d.loop);
}

static void on_again(void *arg)
{
	struct diary *d = arg;

	note(d, 'x');
	if (d->len < 10)
		loop_defer(d->loop, on_again, d);
}

static void on_timer(void *arg)
{
	struct diary *d = arg;

	d->at_ms = loop_now_ms(d->loop);
	note(d, 't');
	loop_stop(d->loop);
}

static void timers_are_never_early(void **state)
{
	struct diary d = { .loop = loop_new() };
	uint64_t start;

	(void)state;
	d.timer = loop_timer_new(d.loop, on_timer, &d);
	for (int i = 0; i < 20; i++) {
		start = loop_now_ms(d.loop);
		d.len = 0;
		loop_timer_set(d.timer, 5);
		loop_run(d.loop);
		assert_true(d.at_ms - start >= 5);
	}
	/* Set again before it fired: once, at the later time. */
	start = loop_now_ms(d.loop);
	d.len = 0;
	loop_timer_set(d.timer, 1);
	loop_timer_set(d.timer, 10);
	loop_run(d.loop);
	assert_true(d.at_ms - start >= 10);
	assert_string_equal(d.text, "t");
	loop_timer_set(d.timer, 0);
	loop_timer_cancel(d.timer);
	loop_defer(d.loop, on_stop, &d);
	loop_run(d.loop);
	assert_string_equal(d.text, "t");
	loop_timer_free(&d.timer);
	loop_free(&d.loop);
}

static void on_free_me(void *arg)
{
	struct diary *d = arg;

	loop_timer_free(&d->timer);
	loop_stop(d->loop);
}

static void timer_is_freed_inside_its_call(void **state)
{
	struct diary d = { .loop = loop_new() };

	(void)state;
	d.timer = loop_timer_new(d.loop, on_free_me, &d);
	loop_timer_set(d.timer, 1);
	loop_run(d.loop);
	assert_null(d.timer);
	loop_free(&d.loop);
}

static void time_stands_still_within_a_turn(void **state)
{
	struct diary d = { .loop = loop_new() };
	uint64_t before = loop_now_ms(d.loop);

	(void)state;
	assert_ok(usleep(3000));
	assert_int_equal(loop_now_ms(d.loop), before);
	loop_defer(d.loop, on_again, &d);
	loop_defer(d.loop, on_stop, &d);
	loop_run(d.loop);
	assert_true(loop_now_ms(d.loop) >= before + 3);
	assert_true(loop_wall_ms(d.loop) > (int64_t)1700000000 * 1000);
	loop_free(&d.loop); /* makes the calls that are left */
	assert_int_equal(d.len, 10);
}

static void on_pipe(void *arg, unsigned int ready)
{
	struct diary *d = arg;

	note(d, ready == LOOP_READ ? 'r' : 'w');
	loop_stop(d->loop);
}

static void readiness_of_a_descriptor(void **state)
{
	struct diary d = { .loop = loop_new() };
	struct loop_io *io;
	char byte;
	int fds[2];

	(void)state;
	assert_ok(pipe(fds));
	io = loop_io_new(d.loop, fds[0], on_pipe, &d);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_io_want(io, LOOP_READ);
	loop_run(d.loop);
	assert_string_equal(d.text, "r");
	loop_run(d.loop); /* still readable */
	assert_string_equal(d.text, "rr");
	assert_int_equal(read(fds[0], &byte, 1), 1);
	loop_io_want(io, 0);
	loop_io_free(&io);
	io = loop_io_new(d.loop, fds[1], on_pipe, &d);
	loop_io_want(io, LOOP_WRITE);
	loop_run(d.loop);
	assert_string_equal(d.text, "rrw");
	loop_io_free(&io);
	assert_ok(close(fds[0]));
	assert_ok(close(fds[1]));
	loop_free(&d.loop);
}

static void on_signal(int signo, void *arg)
{
	struct diary *d = arg;

	assert_int_equal(signo, SIGUSR2);
	note(d, 's');
	loop_stop(d->loop);
}

/* A process that ends is not killed by a signal that comes behind its loop. */
static void late_signals_do_no_harm(void **state)
{
	int status = 1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct loop *loop = loop_new();

		loop_on_signal(loop, SIGTERM, on_signal, NULL);
		loop_deafen(loop);
		loop_free(&loop);
		(void)raise(SIGTERM);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void signals_come_on_the_loop(void **state)
{
	struct diary d = { .loop = loop_new() };

	(void)state;
	loop_on_signal(d.loop, SIGUSR2, on_signal, &d);
	assert_ok(raise(SIGUSR2));
	assert_int_equal(d.len, 0);
	loop_run(d.loop);
	assert_string_equal(d.text, "s");
	/* Nor does a broken pipe kill us. */
	assert_ok(raise(SIGPIPE));
	loop_free(&d.loop);
}

static void *poster(void *arg)
{
	struct entry *entries = arg;
	struct diary *d = entries[0].diary;

	for (int i = 0; i < 3; i++)
		loop_post(d->loop, on_entry, &entries[i]);
	loop_post(d->loop, on_stop, d);
	return NULL;
}

static void posts_wake_the_loop(void **state)
{
	struct diary d = { .loop = loop_new() };
	struct entry entries[] = { { &d, 'a' }, { &d, 'b' }, { &d, 'c' } };
	pthread_t thread;

	(void)state;
	assert_ok(pthread_create(&thread, NULL, poster, entries));
	loop_run(d.loop);
	assert_ok(pthread_join(thread, NULL));
	assert_string_equal(d.text, "abc");
	loop_post(d.loop, on_entry, &entries[0]);
	loop_defer_cancel(d.loop, on_entry, &entries[0]);
	loop_free(&d.loop);
	assert_string_equal(d.text, "abc");
}

/* A child that lets go of the loop must not make the parent deaf. */
static void free_in_a_child(void **state)
{
	struct diary d = { .loop = loop_new() };
	struct loop_io *io;
	int fds[2];
	int status;
	pid_t child;

	(void)state;
	assert_ok(pipe(fds));
	io = loop_io_new(d.loop, fds[0], on_pipe, &d);
	loop_io_want(io, LOOP_READ);
	loop_on_signal(d.loop, SIGUSR2, on_signal, &d);
	child = fork();
	if (child == 0) {
		loop_forked(d.loop);
		loop_io_free(&io);
		loop_free(&d.loop);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_run(d.loop);
	assert_string_equal(d.text, "r");
	loop_io_free(&io);
	assert_ok(close(fds[0]));
	assert_ok(close(fds[1]));
	loop_free(&d.loop);
}

/* --- offload -------------------------------------------------------------- */

struct job {
	struct diary *diary;
	char letter;
	bool worked;
	bool again; /* submit this once more when done */
	bool last;
};

static void work(void *arg)
{
	struct job *job = arg;
	sigset_t blocked;

	/* The signals are the loop's. */
	assert_ok(pthread_sigmask(SIG_BLOCK, NULL, &blocked));
	assert_true(sigismember(&blocked, SIGTERM));
	assert_false(pthread_equal(pthread_self(), job->diary->loop_thread));
	job->worked = true;
}

static void done(void *arg)
{
	struct job *job = arg;

	assert_true(job->worked);
	assert_true(pthread_equal(pthread_self(), job->diary->loop_thread));
	note(job->diary, job->letter);
	if (job->again) {
		job->again = false;
		offload_submit(job->diary->offload, work, done, job);
	}
	if (job->last)
		loop_stop(job->diary->loop);
}

static void offload_keeps_the_order(void **state)
{
	struct diary d = { .loop = loop_new(), .loop_thread = pthread_self() };
	struct job jobs[10] = { 0 };

	(void)state;
	d.offload = offload_new(d.loop, "test");
	for (int i = 0; i < 10; i++) {
		jobs[i].diary = &d;
		jobs[i].letter = (char)('0' + i);
		jobs[i].last = i == 9;
		offload_submit(d.offload, work, done, &jobs[i]);
	}
	assert_int_equal(d.len, 0);
	loop_run(d.loop);
	assert_string_equal(d.text, "0123456789");
	offload_free(&d.offload);
	assert_null(d.offload);
	loop_free(&d.loop);
}

static void offload_free_finishes_everything(void **state)
{
	struct diary d = { .loop = loop_new(), .loop_thread = pthread_self() };
	struct job jobs[3] = { { &d, 'a', false, false, false },
		               { &d, 'b', false, true, false },
		               { &d, 'c', false, false, false } };

	(void)state;
	d.offload = offload_new(d.loop, "test");
	for (int i = 0; i < 3; i++)
		offload_submit(d.offload, work, done, &jobs[i]);
	offload_free(&d.offload);
	assert_string_equal(d.text, "abcb");
	loop_free(&d.loop);
	assert_string_equal(d.text, "abcb");
}

/* What a job that was left does, and what becomes of the jobs. */
struct left {
	sem_t begun;
	sem_t go_on;
	sem_t dropped;
	atomic_int drops;
};

static void linger(void *arg)
{
	struct left *left = arg;

	assert_ok(sem_post(&left->begun));
	assert_ok(sem_wait(&left->go_on));
}

static void never_done(void *arg)
{
	(void)arg;
	fail();
}

static void drop(void *arg)
{
	struct left *left = arg;

	atomic_fetch_add(&left->drops, 1);
	assert_ok(sem_post(&left->dropped));
}

static void offload_leave_waits_for_nothing(void **state)
{
	struct loop *loop = loop_new();
	struct offload *o = offload_new(loop, "test");
	struct left left = { .drops = 0 };

	(void)state;
	assert_ok(sem_init(&left.begun, 0, 0));
	assert_ok(sem_init(&left.go_on, 0, 0));
	assert_ok(sem_init(&left.dropped, 0, 0));
	for (int i = 0; i < 3; i++)
		offload_submit(o, linger, never_done, &left);
	assert_ok(sem_wait(&left.begun));
	offload_leave(&o, drop);
	assert_null(o);
	assert_int_equal(atomic_load(&left.drops), 2);
	/* The one that was worked on is dropped when that is over. */
	assert_ok(sem_post(&left.go_on));
	for (int i = 0; i < 3; i++)
		assert_ok(sem_wait(&left.dropped));
	assert_int_equal(atomic_load(&left.drops), 3);
	offload_leave(&o, drop); /* nothing to leave */
	o = offload_new(loop, "test");
	offload_leave(&o, drop); /* idle */
	assert_null(o);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deferred_calls_keep_their_order),
		cmocka_unit_test(timers_are_never_early),
		cmocka_unit_test(timer_is_freed_inside_its_call),
		cmocka_unit_test(time_stands_still_within_a_turn),
		cmocka_unit_test(readiness_of_a_descriptor),
		cmocka_unit_test(signals_come_on_the_loop),
		cmocka_unit_test(late_signals_do_no_harm),
		cmocka_unit_test(posts_wake_the_loop),
		cmocka_unit_test(free_in_a_child),
		cmocka_unit_test(offload_keeps_the_order),
		cmocka_unit_test(offload_free_finishes_everything),
		cmocka_unit_test(offload_leave_waits_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
