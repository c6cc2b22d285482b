/* SPDX-License-Identifier: ISC */
/*
 * offload - one thread and two queues: jobs to do and jobs done. The loop is
 * told once per batch of results, not once per result.
 */
#include "net/offload.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/mem.h"

struct job {
	STAILQ_ENTRY(job) entry;
	loop_fn *work;
	loop_fn *done;
	void *arg;
};

STAILQ_HEAD(job_queue, job);

struct offload {
	struct loop *loop;
	pthread_t thread;
	size_t unfinished; /* the loop's own count: submitted, not yet done */
	bool reaping;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t for_thread;
	pthread_cond_t for_free;
	struct job_queue todo;
	struct job_queue finished;
	bool stopping;
	loop_fn *drop; /* not NULL: left, and the thread frees it all */
};

/* take_finished empties the queue of results, for the loop's thread. */
static void take_finished(struct offload *o, bool wait,
                          struct job_queue *taken_r)
{
	pthread_mutex_lock(&o->lock);
	while (wait && STAILQ_EMPTY(&o->finished))
		pthread_cond_wait(&o->for_free, &o->lock);
	STAILQ_CONCAT(taken_r, &o->finished);
	pthread_mutex_unlock(&o->lock);
}

/* reap makes the calls for what is finished; with |wait| at least one. */
static void reap(struct offload *o, bool wait)
{
	struct job_queue taken = STAILQ_HEAD_INITIALIZER(taken);
	struct job *job;

	take_finished(o, wait, &taken);
	o->reaping = true;
	while ((job = STAILQ_FIRST(&taken)) != NULL) {
		STAILQ_REMOVE_HEAD(&taken, entry);
		o->unfinished--;
		job->done(job->arg);
		free(job);
	}
	o->reaping = false;
}

static void on_finished(void *arg)
{
	struct offload *o = arg;

	reap(o, false);
}

static void drop_job(struct job *job, loop_fn *drop)
{
	drop(job->arg);
	free(job);
}

/* release frees |o|, whose thread is over. */
static void release(struct offload *o)
{
	(void)pthread_cond_destroy(&o->for_thread);
	(void)pthread_cond_destroy(&o->for_free);
	(void)pthread_mutex_destroy(&o->lock);
	free(o);
}

/* next_job waits for work; NULL when there is none and none will come. */
static struct job *next_job(struct offload *o)
{
	struct job *job;

	pthread_mutex_lock(&o->lock);
	while (STAILQ_EMPTY(&o->todo) && !o->stopping)
		pthread_cond_wait(&o->for_thread, &o->lock);
	job = STAILQ_FIRST(&o->todo);
	if (job != NULL)
		STAILQ_REMOVE_HEAD(&o->todo, entry);
	pthread_mutex_unlock(&o->lock);
	return job;
}

/* hand_in gives a job back to the loop, or drops it if nobody wants it. */
static void hand_in(struct offload *o, struct job *job)
{
	loop_fn *drop;
	bool first;

	pthread_mutex_lock(&o->lock);
	drop = o->drop;
	first = STAILQ_EMPTY(&o->finished);
	if (drop == NULL) {
		STAILQ_INSERT_TAIL(&o->finished, job, entry);
		pthread_cond_signal(&o->for_free);
		/* Inside the lock: offload_free cancels the post only after
		 * the thread is joined, so it sees every one. */
		if (first)
			loop_post(o->loop, on_finished, o);
	}
	pthread_mutex_unlock(&o->lock);
	if (drop != NULL)
		drop_job(job, drop);
}

static void *thread_main(void *arg)
{
	struct offload *o = arg;
	struct job *job;

	while ((job = next_job(o)) != NULL) {
		job->work(job->arg);
		hand_in(o, job);
	}
	if (o->drop != NULL)
		release(o);
	return NULL;
}

/* start_thread blocks all signals in the thread: they are the loop's. */
static void start_thread(struct offload *o, const char *name)
{
	sigset_t all;
	sigset_t old;

	(void)sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &old) != 0 ||
	    pthread_create(&o->thread, NULL, thread_main, o) != 0 ||
	    pthread_sigmask(SIG_SETMASK, &old, NULL) != 0)
		abort();
	(void)pthread_setname_np(o->thread, name);
}

struct offload *offload_new(struct loop *loop, const char *name)
{
	struct offload *o = xcalloc(1, sizeof(*o));

	o->loop = loop;
	STAILQ_INIT(&o->todo);
	STAILQ_INIT(&o->finished);
	if (pthread_mutex_init(&o->lock, NULL) != 0 ||
	    pthread_cond_init(&o->for_thread, NULL) != 0 ||
	    pthread_cond_init(&o->for_free, NULL) != 0)
		abort();
	start_thread(o, name);
	return o;
}

void offload_submit(struct offload *o, loop_fn *work, loop_fn *done, void *arg)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->work = work;
	job->done = done;
	job->arg = arg;
	o->unfinished++;
	pthread_mutex_lock(&o->lock);
	STAILQ_INSERT_TAIL(&o->todo, job, entry);
	pthread_cond_signal(&o->for_thread);
	pthread_mutex_unlock(&o->lock);
}

void offload_free(struct offload **o)
{
	struct offload *off = *o;

	if (off == NULL)
		return;
	assert(!off->reaping); /* not from inside a |done| */
	/* A |done| may submit again: until all is quiet. */
	while (off->unfinished > 0)
		reap(off, true);
	pthread_mutex_lock(&off->lock);
	off->stopping = true;
	pthread_cond_signal(&off->for_thread);
	pthread_mutex_unlock(&off->lock);
	(void)pthread_join(off->thread, NULL);
	loop_defer_cancel(off->loop, on_finished, off);
	release(off);
	*o = NULL;
}

void offload_leave(struct offload **o, loop_fn *drop)
{
	struct job_queue open = STAILQ_HEAD_INITIALIZER(open);
	struct offload *off = *o;
	struct job *job;

	if (off == NULL)
		return;
	assert(!off->reaping); /* not from inside a |done| */
	/* An idle thread ends at once. */
	if (off->unfinished == 0) {
		offload_free(o);
		return;
	}
	pthread_mutex_lock(&off->lock);
	STAILQ_CONCAT(&open, &off->finished);
	STAILQ_CONCAT(&open, &off->todo);
	off->stopping = true;
	off->drop = drop;
	loop_defer_cancel(off->loop, on_finished, off);
	(void)pthread_detach(off->thread);
	pthread_cond_signal(&off->for_thread);
	pthread_mutex_unlock(&off->lock); /* from here on it is the thread's */
	while ((job = STAILQ_FIRST(&open)) != NULL) {
		STAILQ_REMOVE_HEAD(&open, entry);
		drop_job(job, drop);
	}
	*o = NULL;
}
