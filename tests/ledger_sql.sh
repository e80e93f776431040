# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# contrib/ledger on real engines: DuckDB, ClickHouse (chdb) and PostgreSQL load
# the ledgers of three hosts twice, and give the same results for the ten
# questions as tests/ledgers.py.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

need python3

mkdir "$dir/made"
python3 "$tests/ledgers.py" make "$dir/made" 600
contrib=$abs_srcdir/contrib/ledger
files="$dir/made/front-1.jsonl $dir/made/front-2.jsonl
	$dir/made/gpu.home.jsonl"

# agree ENGINE: its results in $dir/ENGINE are ours.
# shellcheck disable=SC2086 # words
agree()
{
	for n in 1 2 3 4 5 6 7 8 9 10; do
		python3 "$tests/ledgers.py" ask $n $files >"$dir/want"
		check "$1: $(sed -n "s/^-- $n\. //p" \
			"$contrib/$1_questions.sql")" \
			python3 "$tests/ledgers.py" same "$dir/$1/$n" "$dir/want"
	done
}

# missing WHAT: an engine that is not here, which in CI is a failure.
missing()
{
	if [ "${TAILGATE_CI:-0}" = 1 ]; then
		fail "$1 is here (in CI it has to be)"
	else
		detail "left out: $1"
	fi
}

for engine in duckdb clickhouse; do
	module=$engine
	[ $engine = duckdb ] || module=chdb
	if ! "$clients/venv/bin/python" -c "import $module" 2>/dev/null; then
		missing "$module (tests/clients/install $clients)"
		continue
	fi
	mkdir "$dir/$engine"
	# shellcheck disable=SC2086 # words
	check "$engine: the files are loaded" "$clients/venv/bin/python" \
		"$tests/ledger_sql.py" $engine "$contrib" \
		"$dir/$engine" $files
	agree $engine
done

# --- The shippers' own files ------------------------------------------------------

if python3 -c 'import yaml' 2>/dev/null; then
	for file in vector fluent-bit; do
		check "$file.yaml has only what its reference documents" \
			python3 "$tests/shippers.py" "$contrib/$file.yaml"
		sed 's/^\( *\)\(auth\|http_user\):/\1\2s:/' "$contrib/$file.yaml" \
			>"$dir/wrong.yaml"
		check_not "$file.yaml: a slip would be found" \
			python3 "$tests/shippers.py" "$dir/wrong.yaml"
	done
else
	missing 'the yaml module of Python (python3-yaml)'
fi

# --- PostgreSQL ---------------------------------------------------------------

# as_postgres COMMAND...: its server does not run as root.
as_postgres()
{
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid postgres --regid postgres --clear-groups "$@"
	else
		"$@"
	fi
}

psql_do()
{
	as_postgres psql -q -X -v ON_ERROR_STOP=1 -h "$dir/pg" -d postgres "$@"
}

pg=
for bin in /usr/lib/postgresql/*/bin; do
	[ -d "$bin" ] && pg=$bin
done
if [ -z "$pg" ]; then
	missing postgresql
else
	mkdir "$dir/pg" "$dir/postgresql"
	chmod 755 "$dir/made"
	[ "$(id -u)" -ne 0 ] || chown postgres "$dir/pg"
	as_postgres "$pg/initdb" -A trust -D "$dir/pg/data" >"$dir/initdb.log" \
		2>&1 || broken 'initdb failed'
	cd "$dir/pg" || broken 'no directory'
	# Directly: a shell in between would not pass on the signal that ends it.
	set -- "$pg/postgres" -D "$dir/pg/data" -k "$dir/pg" \
		-c listen_addresses=
	[ "$(id -u)" -ne 0 ] || set -- setpriv --reuid postgres \
		--regid postgres --clear-groups "$@"
	spawn postgres "$@"
	wait_until -p "$postgres_pid" psql_do -c 'select 1' ||
		broken 'PostgreSQL did not start'
	check 'postgresql: the tables are made, twice' \
		psql_do -f "$contrib/postgresql.sql" \
		-f "$contrib/postgresql.sql"
	for file in $files $files; do
		psql_do -c "\\copy ledger_in (line) from '$file' with (format csv, quote e'\\x01', delimiter e'\\x02')" ||
			fail "postgresql: $file is loaded"
	done
	for n in 1 2 3 4 5 6 7 8 9 10; do
		awk -v n=$n '/^-- [0-9]+\. / { on = $2 == n "." } on' \
			"$contrib/postgresql_questions.sql" |
			psql_do --csv -t >"$dir/postgresql/$n"
	done
	agree postgresql
	for file in $files; do
		name=$(basename "$file" .jsonl)
		psql_do -A -t -c "select line from ledger where
			gateway = '$name' order by n" >"$dir/copy"
		same "postgresql: the lines of $name as they were written" \
			"$dir/copy" "$file"
		check "postgresql: its chain can be verified there" \
			"$TAILGATE" usage --verify "$dir/copy"
	done
	check 'postgresql: what is no line of a named host is passed over' \
		psql_do -c "insert into ledger_in values ('{\"v\":2}')"
fi

# --- rsyslog into it ----------------------------------------------------------

# Paths other than Debian's, if these are given.
rsyslogd=${RSYSLOGD:-rsyslogd}
modules=${RSYSLOG_MODULES:-}
for libraries in /usr/lib/*/rsyslog; do
	[ -z "$modules" ] && [ -d "$libraries" ] && modules=$libraries
done

rows_are()
{
	[ "$(psql_do -A -t -c 'select count(*) from ledger')" = "$1" ]
}

if [ -n "$pg" ] && command -v "$rsyslogd" >/dev/null &&
	[ -e "$modules/ompgsql.so" ]; then
	psql_do -c 'truncate ledger'
	mkdir "$dir/rsyslog"
	live=$dir/rsyslog/ledger.jsonl
	{
		echo "global(workDirectory=\"$dir/rsyslog\")"
		sed -e "s|server=\"[^\"]*\"|server=\"$dir/pg\"|" \
			-e 's/user="tailgate"/user="postgres"/' \
			-e 's/db="tailgate"/db="postgres"/' \
			-e "s|File=\".*\"|File=\"$live\"|" \
			"$contrib/rsyslog.conf"
	} >"$dir/rsyslog.conf"
	head -n 100 "$dir/made/front-1.jsonl" >"$live"
	spawn rsyslog "$rsyslogd" -n -f "$dir/rsyslog.conf" \
		-i "$dir/rsyslog/pid" -M "$modules"
	check 'rsyslog: what is there is shipped' \
		wait_until -p "$rsyslog_pid" rows_are 100
	{
		sed -n '101,200p' "$dir/made/front-1.jsonl"
		sed -n '150,200p' "$dir/made/front-1.jsonl"
		sed -n '201,250p' "$dir/made/front-1.jsonl"
	} >>"$live"
	check 'rsyslog: what is added is shipped, once each' \
		wait_until -p "$rsyslog_pid" rows_are 250
	psql_do -A -t -c 'select line from ledger order by n' >"$dir/shipped"
	head -n 250 "$dir/made/front-1.jsonl" >"$dir/written"
	same 'rsyslog: as it was written' "$dir/shipped" "$dir/written"
	stop "$rsyslog_pid"
else
	missing 'rsyslog with ompgsql'
fi
[ -z "$pg" ] || stop "$postgres_pid" INT
[ "$tap_count" -gt 0 ] || skip_all 'no engine is here'

finish
