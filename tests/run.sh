#!/bin/sh
# SPDX-License-Identifier: ISC
# run.sh [--long] - every test: unit tests, lint and corpora on the release and
# on the sanitized build, end to end against real servers, clang-tidy, a short
# run of each fuzz target. Ends with one line, "N passed, N failed"; the status
# is 0 if nothing failed. End to end each imapbell has four workers; some tests
# are run without sanitizers too, with two workers that are confined, and with
# all roles in one process. --long adds what does not fit 15 minutes: all with
# one worker and in one process, the minute that a password may live, everything
# under valgrind, longer fuzzing.
set -u
cd "$(dirname "$0")/.." || exit 1

fuzz_s=10
fuzz_seed=1 # the same each time: what is new is looked for by --long
case $#:${1-} in
0:) long= ;;
1:--long)
	long=--long
	fuzz_s=300
	fuzz_seed= ;;
*)
	echo "usage: $0 [--long]" >&2
	exit 64 ;;
esac

top=$PWD/build-tests
mkdir -p "$top/logs"
passed=0
failed=0
export CI=1 # a missing tool is a failure, not a skip
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1

# step NAME COMMAND...: runs it, and shows its log if it failed. A command that
# leaves no tally counts as one test.
step() {
	name=$1
	log=$top/logs/$(echo "$1" | tr ' ' -)
	shift
	printf '%-32s' "$name"
	begin=$(date +%s)
	rm -f "$top/tally"
	if "$@" >"$log" 2>&1; then good=1 bad=0; else good=0 bad=1; fi
	if [ -s "$top/tally" ]; then
		ended=$bad
		read -r good bad <"$top/tally"
		[ "$bad" != 0 ] || bad=$ended
	fi
	passed=$((passed + good))
	failed=$((failed + bad))
	printf '%5d passed %4d failed %5d s\n' "$good" "$bad" \
		$(($(date +%s) - begin))
	[ "$bad" = 0 ] || tail -n 300 "$log" | sed 's/^/    /'
}

# build NAME OPTIONS...: with --werror; configures what is not configured yet
build() {
	folder=$top/$1
	shift
	[ -e "$folder/build.ninja" ] ||
		meson setup --werror "$folder" "$@" || return
	ninja -C "$folder"
}

unit() { # NAME; some tests wait more than they work
	meson test -C "$top/$1" -t 4 --num-processes 4 --no-rebuild \
		--print-errorlogs >"$top/out" 2>&1
	status=$?
	cat "$top/out"
	awk '/^Ok:/ { good += $NF }
		/^(Fail|Timeout|Unexpected Pass):/ { bad += $NF }
		END { print good + 0, bad + 0 }' "$top/out" >"$top/tally"
	return $status
}

e2e() { # NAME WORKERS OPTIONS...; half of the time is waited
	IMAPBELL_BIN=$top/$1/src/imapbell
	IMAPBELL_TEST_WORKERS=$2
	export IMAPBELL_BIN IMAPBELL_TEST_WORKERS
	shift 2
	/usr/bin/python3 -B -m pytest -q -n 8 --dist loadfile \
		--junitxml "$top/junit.xml" tests/e2e "$@"
	status=$?
	sed -nE 's/.*<testsuite [^>]*errors="([0-9]+)" failures="([0-9]+)" skipped="([0-9]+)" tests="([0-9]+)".*/\1 \2 \3 \4/p' \
		"$top/junit.xml" |
		awk '{ print $4 - $1 - $2 - $3, $1 + $2 }' >"$top/tally"
	return $status
}

valgrind() {
	IMAPBELL_TEST_VALGRIND=1 IMAPBELL_TEST_SLOW=8 e2e "$@"
}

tidy() { # the compile commands of clang, which knows its own options
	run-clang-tidy-14 -quiet -p "$top/clang" "$PWD/src/.*\.c$" \
		>"$top/out" 2>&1
	status=$?
	sed 's/\x1b\[[0-9;]*m//g' "$top/out" | grep -E ' (error|warning): '
	return $status
}

fuzz() { # on a copy of the corpora; what it finds stays with the logs
	work=$(mktemp -d) || return
	FUZZ_BUILD=$top/clang FUZZ_CORPUS=$work FUZZ_LOGS=$top/logs \
		FUZZ_SEED=$fuzz_seed \
		tests/fuzz/run.sh "$fuzz_s" >"$top/out" 2>&1
	status=$?
	rm -rf "$work"
	cat "$top/out"
	awk '/ executions$/ { good++ }
		/^[a-z0-9_]+ +failed$/ { bad++ }
		END { print good + 0, bad + 0 }' "$top/out" >"$top/tally"
	return $status
}

echo "imapbell: tests, see $top/logs"
step packages tests/packages.sh build check e2e
if [ "$(id -u)" = 0 ] && [ "$(sysctl -n vm.mmap_rnd_bits)" -gt 28 ]; then
	# AddressSanitizer of LLVM 14 fails at random above that.
	sysctl -qw vm.mmap_rnd_bits=28
fi

step 'build release' build release --buildtype=debugoptimized
step 'unit release' unit release
step 'build sanitized' build sanitized -Db_sanitize=address,undefined \
	-Db_lundef=false
step 'unit sanitized' unit sanitized
# shellcheck disable=SC2086 # $long may be no word
step 'end to end sanitized' e2e sanitized 4 $long
# shellcheck disable=SC2086
step 'end to end release' e2e release 2 -m 'smoke or sandbox' $long
# shellcheck disable=SC2086
step 'end to end one process' e2e release 0 -m smoke $long
CC=clang-14 step 'build clang' build clang -Dfuzz=true \
	-Db_sanitize=address,undefined -Db_lundef=false
step clang-tidy tidy
step fuzz fuzz
if [ -n "$long" ]; then
	step 'end to end one worker' e2e sanitized 1
	step 'end to end no worker' e2e sanitized 0
	step 'end to end valgrind' valgrind release 0
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
