# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The command line: help and version everywhere with status 0; mistakes are
# reported with the program's name, the nearest word and status 2; completions
# know every option.
. "${abs_srcdir:-.}/tests/lib.sh"

# run ARGUMENT...: sets $out, $err and $rc.
run()
{
	"$TAILGATE" "$@" >"$dir/out" 2>"$dir/err"
	rc=$?
	out=$(cat "$dir/out")
	err=$(cat "$dir/err")
}

commands='capture check client completion explain help init probe replay status usage version'

for word in --help -h help; do
	run $word
	is "tailgate $word succeeds" "$rc" 0
	for command in $commands; do
		like "tailgate $word lists $command" "$out" "^  $command "
	done
done
for word in --version -V version; do
	run $word
	like "tailgate $word" "$rc $out" "^0 tailgate [0-9]"
done
version=$("$TAILGATE" version)
is 'tailgate.fcgi has the same version' \
	"$("$TAILGATE_FCGI" --version | sed 's/\.fcgi//')" "$version"
check 'tailgate.fcgi --help succeeds' "$TAILGATE_FCGI" --help

manual=$(sed -e 's/\\//g' "$abs_srcdir/man/tailgate.1")
for command in $commands; do
	run "$command" --help
	is "$command --help succeeds" "$rc" 0
	like "$command --help says how to call it" "$out" \
		"^usage: tailgate .*$command"
	short=$out
	run help "$command"
	is "help $command says the same" "$out" "$short"
	# Each option has a line of its own, and is in the manual.
	for option in $(printf '%s\n' "$out" | sed -n 's/^  --\([a-z0-9-]*\).*/\1/p')
	do
		like "the manual has $command --$option" "$manual" \
			"Fl -$option"
		like "bash completes $command --$option" \
			"$("$TAILGATE" completion bash |
				sed -n "/^	$command) words+=/p")" \
			"[' ]--$option "
		like "fish completes $command --$option" \
			"$("$TAILGATE" completion fish)" \
			"from $command' -l $option "
		like "zsh completes $command --$option" \
			"$("$TAILGATE" completion zsh)" "'--$option\\["
	done
done

run chekc
is 'an unknown command is a mistake' "$rc" 2
is 'and the nearest is named' "$err" \
	'tailgate: unknown command "chekc"; did you mean "check"?'
run xyzzy
# shellcheck disable=SC2016 # quotes as they are printed
is 'a word like none' "$err" \
	'tailgate: unknown command "xyzzy"; see `tailgate --help`'
run check --dunp
is 'an unknown option is a mistake' "$rc" 2
like 'and the nearest is named' "$err" \
	'^tailgate check: unknown option --dunp; did you mean --dump\?'
run check --dum
is 'an option is not abbreviated' "$rc" 2
like 'but named in full' "$err" \
	'^tailgate check: unknown option --dum; did you mean --dump\?'
run usage --sin 7d
like 'nor one with a value' "$rc $err" \
	'^2 tailgate usage: unknown option --sin; did you mean --since\?'
run usage --sin=7d
like 'however it is written' "$rc $err" \
	'^2 tailgate usage: unknown option --sin; did you mean --since\?'
run usage --since
is 'an option without its value is a mistake' "$rc" 2
like 'and says so' "$err" '^tailgate usage: --since needs a value'
run --frob
is 'an unknown option before the command' "$rc" 2
like 'it says where to look' "$err" '^tailgate: unknown option --frob; see'
run -f
like '-f without a file' "$rc $err" '^2 tailgate: -f needs a file'
run status extra
like 'an argument too many' "$rc $err" \
	'^2 tailgate status: unknown argument "extra"'
run completion tcsh
is 'a shell without completions' "$rc" 2

if command -v bash >/dev/null; then
	"$TAILGATE" completion bash >"$dir/complete.bash"
	cat >"$dir/try.bash" <<-'END'
		. "$1"; shift
		COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		_tailgate
		echo "${COMPREPLY[*]}"
	END
	bash_completes()
	{
		bash "$dir/try.bash" "$dir/complete.bash" "$@"
	}
	is 'bash completes a command' "$(bash_completes tailgate ch)" 'check'
	is 'after -f FILE too' "$(bash_completes tailgate -f x us)" 'usage'
	is 'and its options' "$(bash_completes tailgate usage --fo)" \
		'--format --follow'
	is 'and the words of client' "$(bash_completes tailgate client s)" 'set show'
fi

# The beginning of an option is not the option.
run client set laptop --model chat
is 'an option that is not written out: exit status' "$rc" 2
like 'is named with the whole one' "$err" \
	'unknown option --model; did you mean --models[?]'

# The configuration by the environment; -f is stronger.
TAILGATE_CONFIG=$dir/by-environment.conf
export TAILGATE_CONFIG
run check
like 'TAILGATE_CONFIG names the configuration' "$err" 'by-environment\.conf'
run -f "$dir/by-option.conf" check
like '-f names another' "$err" 'by-option\.conf'
unset TAILGATE_CONFIG

finish
