# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# realtime_servers.sh: web servers with contrib/realtime that pass /v1/realtime
# on to $port; for tests that source it after lib.sh.

# Variables of lib.sh and of the test.
# shellcheck disable=SC2154

contrib=$abs_srcdir/contrib/realtime
export REALTIME_KEY=its-own

caddy_conf()
{
	{
		sed "s|@runstatedir@|$dir|" "$contrib/Caddyfile"
		sed "s|^	import tailgate$|	import tailgate_realtime voice 127.0.0.1:$port\n&|" \
			"$abs_srcdir/contrib/caddy/Caddyfile"
	} >"$dir/snippets"
	# Its options come first.
	awk '/^{$/ { options = 1 } options { print } /^}$/ && options { exit }' \
		"$dir/snippets" >"$dir/Caddyfile"
	awk '/^{$/ { options = 1 } !options { print }
		/^}$/ { options = 0 }' "$dir/snippets" >>"$dir/Caddyfile"
}
lighttpd_with()
{
	{
		printf 'var.realtime_%s\n' "provider = \"voice\"" \
			"host = \"127.0.0.1\"" "port = $port" \
			'authorization = "Bearer its-own"' \
			"inner = \"$dir/realtime.sock\""
		sed "s|include \"tailgate.conf\"|include \"$abs_srcdir/contrib/lighttpd/tailgate.conf\"|" \
			"$abs_srcdir/contrib/lighttpd/lighttpd.conf"
		echo "include \"$contrib/lighttpd.conf\""
		# One that asks about what is the gateway's own.
		cat <<-'END'
			$HTTP["url"] =~ "^/v1/models/talk$" {
				fastcgi.server = ( "/v1/models/talk" => ((
					"socket" => var.tailgate_socket,
					"mode" => "authorizer",
					"check-local" => "disable"
				)) )
			}
		END
	} >"$dir/lighttpd.conf"
}
# nginx's start takes contrib/nginx as it is; the snippet is put beside it.
nginx_share()
{
	mkdir -p "$dir/contrib/nginx"
	cp "$abs_srcdir"/contrib/nginx/*.conf "$dir/contrib/nginx"
	sed -e "s|127.0.0.1:8000|127.0.0.1:$port|" \
		-e 's|Authorization ""|Authorization "Bearer its-own"|' \
		"$contrib/nginx.conf" >>"$dir/contrib/nginx/tailgate.conf"
}

start_caddy_realtime()
{
	caddy_conf
	start_caddy "$dir/Caddyfile"
	wait_until serves
}
start_lighttpd_realtime()
{
	lighttpd_with
	start_lighttpd "$dir/lighttpd.conf"
	wait_until serves
}
start_nginx_realtime()
{
	nginx_share
	real=$abs_srcdir
	abs_srcdir=$dir
	start_nginx
	abs_srcdir=$real
	wait_until serves
}
