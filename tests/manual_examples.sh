# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The examples of tailgate.conf(5), taken from the manual: each configuration is
# complete and right, and its commands do what the manual says.
. "${abs_srcdir:-.}/tests/lib.sh"

manual=$abs_srcdir/man/tailgate.conf.5

# blocks TITLE ERE: the displays below the subsection in which a line matches.
blocks()
{
	awk -v title=".Ss $1" -v want="$2" '
		/^\.S[hs] / { inside = $0 == title; next }
		inside && /^\.Bd/ { text = ""; found = 0; shown = 1; next }
		inside && /^\.Ed/ { if (found) printf "%s", text; shown = 0; next }
		inside && shown { text = text $0 "\n"; if ($0 ~ want) found = 1 }
	' "$manual" | sed -e 's/^\\&//' -e 's/\\e/\\/g'
}

# load TITLE: its configuration is $conf, in a directory of its own, with the
# files of keys that it names.
load()
{
	title=$1
	home=$dir/$(printf '%s' "$title" | tr -c 'A-Za-z\n' _)
	mkdir "$home" "$home/run" "$home/state" "$home/credentials"
	conf=$home/tailgate.conf
	blocks "$title" '^providers = ' >"$home/as_it_stands"
	{
		echo "runtime_dir = \"$home/run\"; state_dir = \"$home/state\";"
		cat "$home/as_it_stands"
	} >"$conf"
	echo 'clients = ( );' >"$home/clients.conf"
	sed -n 's/.*key = { file = "\([^"]*\)".*/\1/p' "$conf" |
		while read -r file; do
			echo sk-of-a-test >"$home/$file"
			chmod 600 "$home/$file"
		done
	sed -n 's/.*credential = "\([^"]*\)".*/\1/p' "$conf" |
		while read -r file; do
			echo sk-of-a-test >"$home/credentials/$file"
			chmod 600 "$home/credentials/$file"
		done
	CREDENTIALS_DIRECTORY=$home/credentials
	export CREDENTIALS_DIRECTORY
	check "$title: is in the manual" test -s "$home/as_it_stands"
	check "$title: the configuration is right" \
		"$TAILGATE" -f "$conf" check
}

# run TITLE: its commands, one after the other, in its directory.
run()
{
	blocks "$1" '^tailgate ' | grep '^tailgate' >"$home/commands"
	while IFS= read -r line <&3; do
		# shellcheck disable=SC2016 # the inner shell expands them
		check "$title: $line" env "TAILGATE_CONFIG=$conf" \
			sh -c 'cd "$1" && shift
			tailgate() { "$own" "$@"; }
			eval "$1"' sh "$home" "$(printf '%s\n' "$line" |
			sed "s|^tailgate\\.fcgi|& -f '$conf'|")"
		cat "$dir/check.out" >>"$home/said"
	done 3<"$home/commands"
}
own=$TAILGATE
export own
mkdir "$dir/bin"
ln -s "$TAILGATE_FCGI" "$dir/bin/tailgate.fcgi"
PATH=$dir/bin:$PATH

# What `check` says with those clients.  The test itself is in /tmp.
says()
{
	"$TAILGATE" -f "$conf" check 2>&1 | grep -v 'is in body.spool_dir'
}

# explain CLIENT MODEL TEXT: what would happen.
explain()
{
	printf '{"model":"%s","messages":[{"role":"user","content":"%s"}]}' \
		"$2" "$3" >"$home/asked.json"
	"$TAILGATE" -f "$conf" explain --client "$1" "$home/asked.json" 2>&1
}

is 'each subsection is looked at here' \
	"$(awk '/^\.Sh/ { on = $2 == "EXAMPLES" } on && /^\.Ss/' "$manual" |
		sed 's/^\.Ss //' | tr '\n' ';')" \
	"Local first;A team with budgets;Keys as credentials;A host of \
agents;Private patterns;Before an upgrade;"

load 'Local first'

load 'A team with budgets'
run 'A team with budgets'
unlike 'the team: nothing to warn of' "$(says)" warning
like 'the team: a developer has the budget of the group' "$(cat "$home/said")" \
	'usd_per_day.* 5'
like 'the team: a developer may go outside' \
	"$(explain anna big hello)" '^1[.] IN +deepseek'
like 'the team: but not with a key' \
	"$(explain anna big 'sk-aaaaaaaaaaaaaaaaaaaaaaaa')" \
	'^1[.] OUT +deepseek'
like 'the team: a guest has the local model' \
	"$(explain ben chat hello)" '^1[.] IN +here'
like 'the team: and no other' "$(explain ben big hello)" '^REFUSED'

load 'Keys as credentials'
run 'Keys as credentials'
is 'credentials: the only warning is about the price, which OpenRouter reports' \
	"$(says | grep warning | grep -v 'no price')" ''
like 'credentials: outside' "$(explain anna openrouter/x hello)" \
	'^1[.] IN +openrouter .*model x$'

load 'A host of agents'
run 'A host of agents'
unlike 'the agents: nothing to warn of' "$(says)" warning
# bridged ENDPOINT BODY
bridged()
{
	printf '%s' "$2" >"$home/asked.json"
	like "the agents: $1 reaches the server that speaks chat completions" \
		"$("$TAILGATE" -f "$conf" explain --client agents \
			--endpoint "$1" "$home/asked.json" 2>&1)" \
		'^1[.] IN +llama .*model qwen3-coder'
}
bridged messages '{"model":"claude-local","max_tokens":9,"messages":[
	{"role":"user","content":"x"}]}'
bridged responses '{"model":"coder","input":"x"}'

load 'Private patterns'
printf '{"model":"chat","messages":[{"role":"user","content":"hello"}]}' \
	>"$home/request.json"
run 'Private patterns'
unlike 'private: nothing to warn of' "$(says)" warning
like 'private: what fits stays here' "$(explain anna chat hello)" \
	'^1[.] IN +here'
long=$(head -c 60000 /dev/zero | tr '\0' 'a' | sed 's/aaaaa/word /g')
like 'private: what is too long goes outside' \
	"$(explain anna chat "$long")" '^2[.] IN +cloud'
like 'private: but no customer does' \
	"$(explain anna chat "$long KD-123456")" '^2[.] OUT +cloud'

load 'Before an upgrade'
run 'Before an upgrade'
is 'a stream has half an hour' "$("$TAILGATE" -f "$conf" check --dump |
	sed -n 's/^drain = \([0-9]*\).*/\1/p')" 1800

finish
