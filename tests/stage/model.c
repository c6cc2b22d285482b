/* SPDX-License-Identifier: ISC */
#include "stage/model.h"

#include <assert.h>

#include "imap/line.h"

/* must: memory is never short in a test. */
static void must(int rc)
{
	assert(rc == 0);
}

void model_init(struct model *m, struct fake_peer *peer)
{
	*m = (struct model){ .peer = peer, .seen = fake_written(peer).len };
	buf_init(&m->command, (size_t)16 * 1024 * 1024);
	buf_init(&m->ran, (size_t)16 * 1024 * 1024);
	buf_init(&m->idle_tag, 256);
}

void model_done(struct model *m)
{
	buf_reset(&m->command);
	buf_reset(&m->ran);
	buf_reset(&m->idle_tag);
}

static void say(struct model *m, struct str tag, const char *text)
{
	struct buf line;

	buf_init(&line, 8192);
	must(buf_add(&line, tag));
	must(buf_adds(&line, text));
	fake_push(m->peer, buf_str(&line));
	buf_reset(&line);
}

static struct str tag_of(struct str command)
{
	size_t space = str_find(command, ' ');

	return space == SIZE_MAX || space == 0 ? STR("*")
	                                       : str_sub(command, 0, space);
}

/* run takes the whole command. */
static void run(struct model *m)
{
	struct str command = buf_str(&m->command);
	struct str tag = tag_of(command);
	struct str verb = str_sub(command, tag.len + 1, SIZE_MAX);

	must(buf_add(&m->ran, command));
	if (str_istarts(verb, STR("IDLE"))) {
		m->in_idle = true;
		must(buf_add(&m->idle_tag, tag));
		say(m, STR("+"), " idling\r\n");
	} else {
		say(m, tag, " OK done\r\n");
	}
	buf_clear(&m->command);
}

static void on_line(struct model *m, struct str line)
{
	struct imap_announcement a = imap_line_announcement(line);

	if (m->in_idle) {
		m->in_idle = false;
		say(m, buf_str(&m->idle_tag), " OK idle done\r\n");
		buf_clear(&m->idle_tag);
		return;
	}
	must(buf_add(&m->command, line));
	if (a.ending != IMAP_ENDING_LITERAL) {
		run(m);
		return;
	}
	/* Never sent towards a server. */
	assert(!a.plus);
	if (m->refuses) {
		say(m, tag_of(buf_str(&m->command)), " BAD no literal\r\n");
		buf_clear(&m->command);
	} else {
		say(m, STR("+"), " go\r\n");
		m->literal_left = a.size;
	}
}

bool model_answer(struct model *m)
{
	struct str in = str_sub(fake_written(m->peer), m->seen, SIZE_MAX);
	size_t had = in.len;

	for (;;) {
		size_t end = str_find(in, '\n');

		if (m->literal_left > 0 && in.len > 0) {
			struct str octets = str_take(
				&in, m->literal_left < in.len ? m->literal_left
							      : in.len);

			m->literal_left -= octets.len;
			must(buf_add(&m->command, octets));
			continue;
		}
		if (end == SIZE_MAX)
			break;
		on_line(m, str_take(&in, end + 1));
	}
	m->seen += had - in.len;
	return had > in.len;
}
