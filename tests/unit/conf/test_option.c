/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "conf/command.h"
#include "conf/conf.h"
#include "conf/conf_table.h"
#include "conf/help.h"
#include "conf/option.h"
#include "unit/unit.h"

static void names_and_letters_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < option_row_count; i++)
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(option_rows[i].name,
			                        option_rows[j].name);
			assert_true(option_rows[i].letter == 0 ||
			            option_rows[i].letter !=
			                    option_rows[j].letter);
		}
}

/* apply_option relies on it. */
static void keys_of_options_exist(void **state)
{
	(void)state;
	for (size_t i = 0; i < option_row_count; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->key == NULL)
			continue;
		assert_non_null(conf_key_find(str_of(row->key)));
		assert_non_null(row->argument);
	}
}

static void help_lists_all(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	help_print(out);
	assert_ok(fclose(out));
	for (size_t i = 0; i < option_row_count; i++) {
		const struct option_row *row = &option_rows[i];
		char wanted[64];

		snprintf(wanted, sizeof(wanted), " --%s ", row->name);
		assert_non_null(strstr(text, wanted));
	}
	for (size_t i = 0; i < command_row_count; i++) {
		const struct command_row *row = &command_rows[i];
		char wanted[64];

		snprintf(wanted, sizeof(wanted), "\n  %s ", row->name);
		assert_true((strstr(text, wanted) != NULL) ==
		            (row->help != NULL));
	}
	for (char *line = text; *line != '\0';) {
		char *next = strchr(line, '\n') + 1;

		assert_in_range(next - line, 1, 81);
		line = next;
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_letters_are_unique),
		cmocka_unit_test(keys_of_options_exist),
		cmocka_unit_test(help_lists_all),
	};

	return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
