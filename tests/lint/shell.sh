#!/bin/sh
# SPDX-License-Identifier: ISC
# Every shell script passes shellcheck.
# usage: shell.sh <source root>
cd "$1" || exit 1

if ! command -v shellcheck >/dev/null; then
	echo 'shellcheck is missing'
	[ -z "$CI" ] && exit 77
	exit 1
fi
find . -name .git -prune -o -name 'build*' -prune -o -type f \
	\( -name '*.sh' -o -path './.ci/run' \) -print0 |
	xargs -0 shellcheck
