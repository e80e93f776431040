/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how completions are written for each shell.
 */
#include "config.h"

#include <string.h>

#include "ctl/completion.h"

/* Escapes text for single quotes, as all of the shells read them. */
static void
put_quoted(const char *text, FILE *out)
{
	for (; *text != '\0'; text++)
		if (*text == '\'')
			fputs("'\\''", out);
		else
			fputc(*text, out);
}

static void
put_names(const struct completion_command *c, FILE *out)
{
	for (; c->name != NULL; c++)
		fprintf(out, "%s%s", c->name, c[1].name != NULL ? " " : "");
}

static void
put_options(const struct ctl_option *o, FILE *out)
{
	for (; o != NULL && o->name != NULL; o++)
		fprintf(out, "--%s ", o->name);
	fputs("--help", out);
}

static void
print_bash(const struct completion_command *c, FILE *out)
{
	fputs("_tailgate() {\n"
	      "\tlocal word=${COMP_WORDS[COMP_CWORD]} command= i\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t-f) ((i++)) ;;\n"
	      "\t\t-*) ;;\n"
	      "\t\t*) command=${COMP_WORDS[i]}; break ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tlocal words=\n"
	      "\tcase $command in\n"
	      "\t'') words='",
	    out);
	put_names(c, out);
	fputs(" -f --help --version' ;;\n"
	      "\thelp) words='",
	    out);
	put_names(c, out);
	fputs("' ;;\n"
	      "\tclient) [[ $word == -* ]] || words='add list rm rotate set "
	      "show' ;;&\n"
	      "\tcompletion) words='bash zsh fish' ;;\n"
	      "\tsetup) [[ $word == -* ]] || words=$(tailgate setup | "
	      "cut -d' ' -f1) ;;&\n",
	    out);
	for (; c->name != NULL; c++) {
		if (c->options == NULL)
			continue;
		fprintf(out, "\t%s) words+=' ", c->name);
		put_options(c->options, out);
		fputs("' ;;\n", out);
	}
	fputs("\tesac\n"
	      "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
	      "}\n"
	      "complete -o default -F _tailgate tailgate\n",
	    out);
}

static void
print_zsh(const struct completion_command *commands, FILE *out)
{
	const struct completion_command *c;

	fputs("#compdef tailgate\n"
	      "local -a commands\n"
	      "commands=(\n",
	    out);
	for (c = commands; c->name != NULL; c++) {
		fprintf(out, "\t'%s:", c->name);
		put_quoted(c->text, out);
		fputs("'\n", out);
	}
	fputs(")\n"
	      "_arguments -C '-f[the configuration]:file:_files' "
	      "'1: :->command' '*:: :->rest'\n"
	      "case $state in\n"
	      "command) _describe command commands ;;\n"
	      "rest)\n"
	      "\tcase $words[1] in\n",
	    out);
	for (c = commands; c->name != NULL; c++) {
		if (c->options == NULL)
			continue;
		fprintf(out, "\t%s) _arguments", c->name);
		for (const struct ctl_option *o = c->options; o->name != NULL;
		     o++) {
			fprintf(out, " \\\n\t\t'--%s[", o->name);
			put_quoted(o->text, out);
			fputs(o->argument != NULL ? "]:value:'" : "]'", out);
		}
		fputs(" '*:file:_files' ;;\n", out);
	}
	fputs("\tesac ;;\n"
	      "esac\n",
	    out);
}

static void
print_fish(const struct completion_command *c, FILE *out)
{
	for (; c->name != NULL; c++) {
		fprintf(out,
		    "complete -c tailgate -f -n __fish_use_subcommand -a %s "
		    "-d '",
		    c->name);
		put_quoted(c->text, out);
		fputs("'\n", out);
		for (const struct ctl_option *o = c->options;
		     o != NULL && o->name != NULL; o++) {
			fprintf(out,
			    "complete -c tailgate -n "
			    "'__fish_seen_subcommand_from %s' -l %s%s -d '",
			    c->name, o->name, o->argument != NULL ? " -r" : "");
			put_quoted(o->text, out);
			fputs("'\n", out);
		}
	}
}

int
completion_print(
    const char *shell, const struct completion_command *commands, FILE *out)
{
	if (strcmp(shell, "bash") == 0)
		print_bash(commands, out);
	else if (strcmp(shell, "zsh") == 0)
		print_zsh(commands, out);
	else if (strcmp(shell, "fish") == 0)
		print_fish(commands, out);
	else
		return -1;
	return 0;
}
