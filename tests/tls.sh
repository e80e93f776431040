# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Upstreams with TLS: the connection is kept, the certificate is checked.  The
# server is Caddy in front of the stub, with a certificate of our own.
. "${abs_srcdir:-.}/tests/lib.sh"

shape= # one of its own, below
need openssl caddy

. "$tests/certificates.sh"
authority ours
authority theirs
certificate right ours IP:127.0.0.1
certificate wrongname ours DNS:elsewhere.invalid
mkdir "$dir/capath"
cp "$dir/ours.pem" "$dir/capath/"
openssl rehash "$dir/capath" >/dev/null 2>&1 || broken 'openssl rehash'

# server NAME CERTIFICATE: Caddy with it before the stub, at NAME_port.  One
# process each: it would choose among the certificates that it knows.
server()
{
	reserve_port "$1"
	eval "server_port=\$${1}_port"
	mkdir "$dir/$1.caddy"
	cat >"$dir/$1.Caddyfile" <<-END
		{
			admin off
			auto_https off
		}
		https://:$server_port {
			bind 127.0.0.1
			tls $dir/$2.pem $dir/$2.key
			log {
				output file $dir/$1.caddy/access.json
				format json
			}
			reverse_proxy 127.0.0.1:$stub_port {
				flush_interval -1
			}
		}
	END
	spawn "$1_server" env "HOME=$dir/$1.caddy" \
		"XDG_DATA_HOME=$dir/$1.caddy" "XDG_CONFIG_HOME=$dir/$1.caddy" \
		caddy run --adapter caddyfile --config "$dir/$1.Caddyfile"
	wait_until -p "$pid" curl -s -o /dev/null -k \
		"https://127.0.0.1:$server_port/_stats" ||
		broken 'no TLS server'
}
start_upstream stub
server good right
server bad wrongname
like 'the other server really has the wrong name' \
	"$(openssl s_client -connect "127.0.0.1:$bad_port" </dev/null 2>&1 |
		tr -d ' ')" \
	'subject=CN=wrongname'

provider()
{
	printf ', { name = "%s"; place = "local"; url = "%s"; %s
		circuit = { failures = 0; }; }' "$1" "$2" "$3"
}
model()
{
	printf ', { id = "%s"; targets = ( { provider = "%s"; model = "plain"; } ); }' \
		"$1" "$1"
}
good=https://127.0.0.1:$good_port/v1
more_providers="$(provider file "$good" "ca_file = \"$dir/ours.pem\";")
$(provider path "$good" "ca_path = \"$dir/capath\";")
$(provider other "$good" "ca_file = \"$dir/theirs.pem\";")
$(provider system "$good" '')
$(provider name "https://127.0.0.1:$bad_port/v1" "ca_file = \"$dir/ours.pem\";")"
more_models="$(model file) $(model path) $(model other) $(model system) $(model name)"
more='processes = 1;'
stub_config
add_client anna
start_tailgate
start_lighttpd

# Connections that carried a request, by the client's port.
connections()
{
	sed -n 's/.*"remote_port":"\([0-9]*\)".*chat.completions.*/\1/p' \
		"$dir/good.caddy/access.json" | sort -u | wc -l | tr -d ' '
}
ask()
{
	post /v1/chat/completions "{\"model\":\"$1\",\"messages\":[]}"
}

for n in 1 2 3 4; do
	ask file
	is "by ca_file, request $n" "$status" 200
done
is 'four requests one after another open one connection' \
	"$(connections)" 1
ask path
is 'by ca_path' "$status" 200
is 'five were served' "$(stat stub requests)" 5

for model in other system name; do
	ask $model
	like "$model: refused" "$status" '^50[23]$'
	check "$model: as an error" grep -q '"error"' "$dir/body"
	unlike "$model: no path of ours" "$(body)" "$dir"
done
is 'and nothing was sent there' "$(stat stub requests)" 5
ask file
is 'the good one still works' "$status" 200
finish
