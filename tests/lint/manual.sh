#!/bin/sh
# SPDX-License-Identifier: ISC
# The manual pages are rendered without a warning.
# usage: manual.sh <source root>
cd "$1" || exit 1

if ! command -v groff >/dev/null; then
	echo 'groff is missing'
	[ -z "$CI" ] && exit 77
	exit 1
fi
for page in etc/*.[1-9]; do
	said=$(groff -mandoc -ww -z -Tutf8 "$page" 2>&1)
	if command -v mandoc >/dev/null; then
		said=$said$(mandoc -Tlint -Wwarning "$page" 2>&1)
	fi
	if [ -n "$said" ]; then
		echo "$page: $said"
		failed=1
	fi
done
exit "${failed:-0}"
