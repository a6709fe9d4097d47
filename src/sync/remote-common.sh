# Shared by all sync scripts. An answer is one line: "runctl-sync WORD ...".
# shellcheck shell=sh
answer() { printf 'runctl-sync %s\n' "$*"; }
hash_of() { if command -v sha256sum >/dev/null 2>&1; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -c1-64; }
last_words() { tail -c 600 | tr '\n\r' '  '; }
told() { last_words <"$1"; }
