#!/bin/sh
# SPDX-License-Identifier: ISC
# packages.sh PURPOSE... - install what is missing of Debian 12's packages for
# build, check, e2e, demo or bench. Of what comes along no service is left
# enabled or running; a service that was there before is left alone, and nothing
# is ever removed to make room.
set -eu

list() {
	case $1 in
	build) # what compiling needs, nothing else
		echo gcc libc6-dev meson ninja-build pkg-config libevent-dev \
			libssl-dev libnghttp2-dev libsqlite3-dev libconfig-dev \
			libjansson-dev libseccomp-dev uthash-dev ;;
	check) # unit tests, lint, fuzz, valgrind
		echo libcmocka-dev clang-14 libclang-rt-14-dev clang-format-14 \
			clang-tidy-14 shellcheck valgrind binutils git python3 \
			groff-base systemd ;;
	demo) # a Dovecot to stand in front of, and an APNs stand-in
		echo dovecot-imapd dovecot-lmtpd openssl python3 python3-h2 ;;
	e2e) # the three servers, see unpack
		list demo
		echo python3-pytest python3-pytest-timeout \
			python3-pytest-xdist sqlite3 util-linux cyrus-common \
			cyrus-admin sasl2-bin courier-base courier-authlib \
			courier-authlib-userdb gamin isync mutt curl ;;
	bench) # what imapbell is compared with
		list demo
		echo haproxy nginx-light libnginx-mod-mail ;;
	*)
		echo "$0: no such purpose: $1" >&2
		return 64 ;;
	esac
}

installed() { # all packages, one a line
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' |
		sed -n 's/^installed //p' | LC_ALL=C sort -u
}

# Services may not start while we install, whatever the machine says otherwise.
policy=/usr/sbin/policy-rc.d
hold_services() {
	if [ -e $policy ] && [ ! -e $policy.imapbell ]; then
		mv $policy $policy.imapbell
	fi
	trap release_services EXIT
	trap 'exit 1' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
}

release_services() {
	rm -f $policy
	if [ -e $policy.imapbell ]; then
		mv $policy.imapbell $policy
	fi
	rm -rf "$tmp"
}

quiet() { # shows what a command printed only if it failed
	"$@" >"$tmp/log" 2>&1 || { tail -n 40 "$tmp/log" >&2; exit 1; }
}

disable_services() { # of the packages named on standard input
	while read -r package; do
		dpkg -L "$package" | while read -r file; do
			case $file in
			*/systemd/system/*.service | */systemd/system/*.socket | \
				*/systemd/system/*.timer | */systemd/system/*.path)
				deb-systemd-helper disable "${file##*/}" ;;
			/etc/init.d/?*)
				update-rc.d "${file##*/}" disable ;;
			esac </dev/null
		done
	done
}

install() { # PACKAGE...
	if [ "$(id -u)" != 0 ]; then
		# shellcheck disable=SC2086 # a list of words
		command -v sudo >/dev/null && exec sudo "$0" $purposes
		echo "$0: not root, and these are missing: $*" >&2
		exit 1
	fi
	echo "installing $*"
	hold_services
	installed >"$tmp/before"
	export DEBIAN_FRONTEND=noninteractive
	quiet apt-get -q update
	quiet apt-get -q -y -o DPkg::Lock::Timeout=300 install \
		--no-install-recommends --no-remove "$@"
	installed | LC_ALL=C comm -13 "$tmp/before" - | quiet disable_services
}

# courier-imap and cyrus-imapd conflict with Dovecot as packages, not as
# programs: the tests run them from a folder.
servers=$(dirname "$0")/../.cache/servers
unpack() { # PACKAGE
	[ ! -d "$servers/$1" ] || return 0
	echo "unpacking $1"
	mkdir -p "$servers"
	(cd "$tmp" && quiet apt-get -q download "$1")
	quiet dpkg-deb -x "$tmp/$1"_*.deb "$tmp/$1"
	chmod 755 "$tmp/$1"
	mv "$tmp/$1" "$servers/"
}

purposes=$*
wanted=$(for purpose; do list "$purpose" || exit; done)
have=$(installed | tr '\n' ' ')
missing=
for package in $wanted; do
	case " $have $missing " in
	*" $package "*) ;;
	*) missing="$missing${missing:+ }$package" ;;
	esac
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# shellcheck disable=SC2086 # a list of words
[ -z "$missing" ] || install $missing
case " $purposes " in
*" e2e "*)
	unpack courier-imap
	unpack cyrus-imapd ;;
esac
