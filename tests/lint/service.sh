#!/bin/sh
# SPDX-License-Identifier: ISC
# The units have no mistake that systemd knows, and the sandbox is tight.
# usage: service.sh <service> <sbindir in it> <folder of the program> <socket>
if ! command -v systemd-analyze >/dev/null; then
	echo 'systemd-analyze is missing'
	[ -z "$CI" ] && exit 77
	exit 1
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
sed "s|$2/|$3/|" "$1" >"$tmp/imapbell.service"
cp "$4" "$tmp"

# The pages may not be installed, and need not be.
systemd-analyze verify --man=no "$tmp/imapbell.service" \
	"$tmp/imapbell.socket" || exit
# Tenths. What is left is the network, port 993, and the call that gives it up.
systemd-analyze security --offline=true --no-pager --threshold=15 \
	"$tmp/imapbell.service" >"$tmp/exposure" && exit
cat "$tmp/exposure"
exit 1
