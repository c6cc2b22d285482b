#!/bin/sh
# SPDX-License-Identifier: ISC
# The unit has no mistake that systemd knows, and its sandbox is tight.
# usage: service.sh <unit> <sbindir in it> <folder of the program>
if ! command -v systemd-analyze >/dev/null; then
	echo 'systemd-analyze is missing'
	[ -z "$CI" ] && exit 77
	exit 1
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
sed "s|$2/|$3/|" "$1" >"$tmp/imapbell.service"

# The pages may not be installed, and need not be.
systemd-analyze verify --man=no "$tmp/imapbell.service" || exit
# Tenths. What is left is the network and port 993.
systemd-analyze security --offline=true --no-pager --threshold=14 \
	"$tmp/imapbell.service" >"$tmp/exposure" && exit
cat "$tmp/exposure"
exit 1
