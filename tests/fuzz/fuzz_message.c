/* SPDX-License-Identifier: ISC */
/*
 * What a process that was taken over says to another. Whatever is taken as a
 * message is the one encoding of what it says, and its texts are parts of it.
 */
#include <assert.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "process/message.h"

static void check_texts(struct str in, const struct message *m)
{
	const struct service_registration *wish = &m->u.registration.wish;

	if (m->type == MESSAGE_FILE) {
		assert(inside(in, m->u.file.path) && m->u.file.path.len > 0);
		assert(inside(in, m->u.file.text));
	} else if (m->type == MESSAGE_OPTION) {
		assert(inside(in, m->u.option) && m->u.option.len > 0);
	} else if (m->type == MESSAGE_LOOKUP) {
		assert(inside(in, m->u.lookup.login_name));
		for (size_t i = 0; i < m->u.lookup.count; i++)
			assert(inside(in, m->u.lookup.names[i]));
	} else if (m->type == MESSAGE_REGISTER) {
		assert(wish->command == &m->u.registration.command);
		assert(inside(in, wish->topic) && wish->topic.len > 0);
		for (size_t i = 0; i < wish->mailbox_count; i++)
			assert(inside(in, wish->mailboxes[i].name));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_dup(str_new(data, size)); /* of just its size */
	struct message m;
	struct buf again;

	if (message_decode(in, &m) == ERR_OK) {
		check_texts(in, &m);
		buf_init(&again, MESSAGE_MAX);
		must(message_encode(&m, &again));
		assert(str_eq(buf_str(&again), in));
		buf_reset(&again);
		message_done(&m);
	}
	str_free(&in);
	return 0;
}
