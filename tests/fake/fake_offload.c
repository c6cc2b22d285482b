/* SPDX-License-Identifier: ISC */
/* offload, without a thread: on the next turn, or when the test says so. */
#include <stdlib.h>

#include "base/mem.h"
#include "fake/fake.h"
#include "fake/fake_loop.h"
#include "net/offload.h"

struct fake_job {
	TAILQ_ENTRY(fake_job) entry;
	struct offload *offload;
	loop_fn *work;
	loop_fn *done;
	void *arg;
	bool worked;
};

struct offload {
	struct loop *loop;
};

/* finish calls |done| for the oldest job that was worked on. */
static void finish(void *arg)
{
	struct loop *loop = arg;
	struct fake_job *job = TAILQ_FIRST(&loop->jobs);

	if (job == NULL || !job->worked)
		return;
	TAILQ_REMOVE(&loop->jobs, job, entry);
	job->done(job->arg);
	free(job);
}

bool fake_offload_step(struct loop *loop)
{
	struct fake_job *job;

	TAILQ_FOREACH(job, &loop->jobs, entry) {
		if (!job->worked)
			break;
	}
	if (job == NULL)
		return false;
	job->work(job->arg);
	job->worked = true;
	loop_defer(loop, finish, loop);
	return true;
}

static void step(void *arg)
{
	struct loop *loop = arg;

	if (!loop->hold)
		(void)fake_offload_step(loop);
}

struct offload *offload_new(struct loop *loop, const char *name)
{
	struct offload *o = xcalloc(1, sizeof(*o));

	(void)name;
	o->loop = loop;
	return o;
}

void offload_submit(struct offload *o, loop_fn *work, loop_fn *done, void *arg)
{
	struct fake_job *job = xcalloc(1, sizeof(*job));

	job->offload = o;
	job->work = work;
	job->done = done;
	job->arg = arg;
	TAILQ_INSERT_TAIL(&o->loop->jobs, job, entry);
	loop_defer(o->loop, step, o->loop);
}

/* take removes the oldest job of |o|, which others may stand before. */
static struct fake_job *take(const struct offload *o)
{
	struct fake_job *job;

	TAILQ_FOREACH(job, &o->loop->jobs, entry) {
		if (job->offload == o) {
			TAILQ_REMOVE(&o->loop->jobs, job, entry);
			break;
		}
	}
	return job;
}

void offload_free(struct offload **o)
{
	struct offload *off = *o;
	struct fake_job *job;

	if (off == NULL)
		return;
	while ((job = take(off)) != NULL) {
		if (!job->worked)
			job->work(job->arg);
		job->done(job->arg);
		free(job);
	}
	free(off);
	*o = NULL;
}

void offload_leave(struct offload **o, loop_fn *drop)
{
	struct offload *off = *o;
	struct fake_job *job;

	if (off == NULL)
		return;
	while ((job = take(off)) != NULL) {
		drop(job->arg);
		free(job);
	}
	free(off);
	*o = NULL;
}

void fake_offload_hold(struct loop *loop)
{
	loop->hold = true;
}

void fake_offload_release(struct loop *loop)
{
	size_t waiting = fake_offload_waiting(loop);

	loop->hold = false;
	while (waiting-- > 0)
		loop_defer(loop, step, loop);
}

size_t fake_offload_waiting(const struct loop *loop)
{
	const struct fake_job *job;
	size_t count = 0;

	TAILQ_FOREACH(job, &loop->jobs, entry)
		count += !job->worked;
	return count;
}
