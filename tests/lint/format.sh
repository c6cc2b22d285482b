#!/bin/sh
# SPDX-License-Identifier: ISC
# Every C file looks as clang-format 14 would have it (other versions differ).
# usage: format.sh <source root>
cd "$1" || exit 1

for tool in clang-format-14 clang-format ''; do
	case $("$tool" --version 2>/dev/null) in
	*'version 14.'*) break ;;
	esac
done
if [ -z "$tool" ]; then
	echo 'clang-format 14 is missing'
	[ -z "$CI" ] && exit 77
	exit 1
fi
find src tests -name '*.[ch]' -print0 |
	xargs -0 -n 8 -P 8 "$tool" --dry-run -Werror
