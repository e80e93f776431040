# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The official OpenAI SDK for JavaScript does everything through both web
# servers (tests/clients/sdk.mjs).
. "${abs_srcdir:-.}/tests/lib.sh"

clients=${TAILGATE_CLIENTS:-$abs_builddir/clients}
[ -d "$clients/node_modules/openai" ] ||
	skip_all "the SDK is not installed (tests/clients/install $clients)"
# The SDK may want a newer node than the system's.
for node in "$clients"/node_modules/node-linux-*/bin/node node; do
	[ ! -x "$node" ] || break
done
need "$node"

start_upstream stub -n
more_models=', { id = "plain"; aliases = [ "gpt-4o-mini" ];
	targets = ( { provider = "stub"; model = "plain"; } ); },
	{ id = "hidden"; targets = ( { provider = "stub"; model = "x"; } ); }'
stub_config
add_client sdk --models 'stub/*,plain'
start_tailgate

# Where the script's imports are looked for.
mkdir "$dir/js"
cp "$tests/clients/sdk.mjs" "$dir/js/"
ln -s "$clients/node_modules" "$dir/js/node_modules"

suite()
{
	BASE_URL=$base/v1 API_KEY=$key STUB=http://127.0.0.1:$stub_port \
		DIR=$dir "$node" "$dir/js/sdk.mjs" >"$dir/sdk.out" 2>&1
	is "$1: the script ran to its end" "$?" 0
	take "$dir/sdk.out" "$1"
	like "$1: all of it" "$(tail -n 1 "$dir/sdk.out")" '^done$'
}
each_server suite
finish
