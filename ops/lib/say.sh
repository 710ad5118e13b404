# ops/lib/say.sh - how the scripts talk: progress, and a failure that names step, reason and log
# shellcheck shell=bash

say() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }

# die STEP WHY LOG
die() {
    printf '\n%s: step "%s" failed: %s\n' "${0##*/}" "$1" "$2" >&2
    if [ -s "${3:-}" ]; then
        printf 'the end of %s:\n' "$3" >&2
        tail -n 15 "$3" | sed 's/^/    /' >&2
    fi
    exit 1
}
