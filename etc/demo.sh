#!/bin/sh
# SPDX-License-Identifier: ISC
# demo.sh [--once] - imapbell rings a phone, on this machine alone: installs
# what is missing, builds, starts a throw-away Dovecot, a stand-in for Apple's
# push service and imapbell on loopback, plays the phone and delivers a mail.
# Then all stays up for you to try, until Ctrl-C. --once ends after the first
# ring: status 0, or 1 if it did not ring. Only installed packages stay behind.
set -eu
cd "$(dirname "$0")/.."

case $#:${1-} in
0:) once= ;;
1:--once) once=--once ;;
*)
	echo "usage: $0 [--once]" >&2
	exit 64 ;;
esac

[ -t 1 ] && bold=$(printf '\033[1m') plain=$(printf '\033[0m') || bold='' plain=''
step() {
	printf '  %-10s %s\n' "$1" "$2"
}

quiet() { # shows what a command printed only if it failed
	"$@" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
}

folder=$(mktemp -d "${TMPDIR:-/tmp}/imapbell-demo-XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
chmod 755 "$folder"

printf '%simapbell: Apple Mail push for any IMAP server%s\n\n' "$bold" "$plain"
step packages "$(tests/packages.sh build demo 2>&1 | grep . ||
	echo 'everything is there')"
begin=$(date +%s)
quiet meson setup --buildtype=release "$folder/build"
quiet meson compile -C "$folder/build" imapbell
step build "in $(($(date +%s) - begin)) s"

# From here on the folder is the program's to remove.
trap - EXIT
IMAPBELL_BIN=$folder/build/src/imapbell exec /usr/bin/python3 -B \
	tests/e2e/demo.py "$folder" $once
