/* SPDX-License-Identifier: ISC */
/* help - see help.h. */
#include "conf/help.h"

#include "base/str.h"
#include "conf/command.h"
#include "conf/option.h"

/* Columns right of the options. */
#define HELP_WIDTH 48

/* Writes |text| behind the |left| column of the help, broken at spaces. */
static void help_row(FILE *out, const char *left, struct str text)
{
	while (text.len > 0) {
		size_t end = text.len;

		if (end > HELP_WIDTH) {
			end = HELP_WIDTH;
			while (end > 1 && text.data[end] != ' ')
				end--;
		}
		fprintf(out, "  %-28s ", left);
		fwrite(text.data, 1, end, out);
		fputc('\n', out);
		str_take(&text, end);
		str_byte(&text, ' ');
		left = "";
	}
}

static void help_option(FILE *out, const struct option_row *row)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%c --%s%s%s",
	         row->letter != 0 ? '-' : ' ',
	         row->letter != 0 ? row->letter : ' ',
	         row->letter != 0 ? ',' : ' ', row->name,
	         row->argument != NULL ? " " : "",
	         row->argument != NULL ? row->argument : "");
	help_row(out, left, str_of(row->help));
}

void help_print(FILE *out)
{
	fputs("usage: imapbell [-c FILE] [OPTIONS]\n"
	      "       imapbell [-c FILE] [OPTIONS] COMMAND\n\n"
	      "Stands in front of an IMAP server and makes Apple Mail push "
	      "work.\n\n",
	      out);
	for (size_t i = 0; i < option_row_count; i++)
		help_option(out, &option_rows[i]);
	fputs("\nCommands:\n", out);
	for (size_t i = 0; i < command_row_count; i++)
		if (command_rows[i].help != NULL)
			help_row(out, command_rows[i].name,
			         str_of(command_rows[i].help));
	fputs("\nExit: 0 done, 1 a check failed, 64 usage, 70 internal, 71 "
	      "the system refused,\n"
	      "78 configuration.\n"
	      "A key of the configuration may be set in the environment: "
	      "backend.url as\nIMAPBELL_BACKEND_URL. See imapbell(8) and "
	      "imapbell.conf(5).\n",
	      out);
}
