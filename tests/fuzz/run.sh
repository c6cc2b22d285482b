#!/bin/sh
# SPDX-License-Identifier: ISC
# run.sh SECONDS [TARGET...] - fuzzes each target (all of them) for so long,
# two at a time. Fresh inputs lie in FUZZ_CORPUS, by default in the
# build folder, so that the next run goes on from there; crashes and logs lie
# in FUZZ_LOGS. For a corpus that may be committed:
#	fuzz_NAME -merge=1 tests/corpus/NAME build-fuzz/fuzz/NAME
#
#	FUZZ_BUILD   build folder (build-fuzz); made if it is not there
#	FUZZ_JOBS    targets at a time (2)
#	FUZZ_SEED    of the random numbers, so that a run can be repeated
cd "$(dirname "$0")/../.." || exit 1

build=${FUZZ_BUILD:-build-fuzz}
corpus=${FUZZ_CORPUS:-$build/fuzz}
logs=${FUZZ_LOGS:-$build/fuzz-logs}
if [ $# = 0 ]; then
	echo "usage: $0 SECONDS [TARGET...]" >&2
	exit 64
fi

dict() { # NAME: those that read IMAP have words
	case $1 in
	apns_reply | conf | h2 | message | proxy_protocol | request) ;;
	*) echo "-dict=tests/fuzz/imap.dict" ;;
	esac
}

one() { # SECONDS NAME
	mkdir -p "$corpus/$2" "$logs" || return
	# shellcheck disable=SC2046 # one word or none
	if "$build/tests/fuzz/fuzz_$2" -max_total_time="$1" -timeout=10 \
		-print_final_stats=1 -seed="${FUZZ_SEED:-0}" $(dict "$2") \
		-artifact_prefix="$logs/crash-$2-" \
		"$corpus/$2" "tests/corpus/$2" >"$logs/fuzz-$2" 2>&1
	then
		printf '%-12s %10d executions\n' "$2" \
			"$(sed -n 's/^stat::number_of_executed_units: *//p' \
				"$logs/fuzz-$2")"
		return 0
	fi
	printf '%-12s failed\n' "$2"
	grep -v '^#' "$logs/fuzz-$2" | tail -n 100 | sed 's/^/    /'
	return 1
}

if [ -n "${FUZZ_ONE-}" ]; then
	one "$1" "$2"
	exit
fi

if [ ! -e "$build/build.ninja" ]; then
	CC=clang-14 meson setup "$build" -Dfuzz=true \
		-Db_sanitize=address,undefined -Db_lundef=false || exit
fi
export ASAN_OPTIONS="${ASAN_OPTIONS-detect_stack_use_after_return=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS-print_stacktrace=1}"
seconds=$1
shift
if [ $# = 0 ]; then
	for source in tests/fuzz/fuzz_*.c; do
		name=${source##*/fuzz_}
		set -- "$@" "${name%.c}"
	done
fi
# shellcheck disable=SC2046 # names are words
ninja -C "$build" $(printf 'tests/fuzz/fuzz_%s ' "$@") >&2 || exit
export FUZZ_ONE=1
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-2}" -n 1 \
	tests/fuzz/run.sh "$seconds"
