# Checks the archive in $in, unpacks it aside, verifies each file and moves the tree into place as $run/code.
# shellcheck shell=sh disable=SC2154 # in, run, parts, bytes, sha and verify_py are set by the lines that remote.ts puts before this
# Given: run in sha bytes parts (0: the archive is there already). Whatever goes wrong, nothing is left behind.
fail() { # STAGE MESSAGE
  rm -rf "$in"
  answer failed "$1" "$(printf %s "$2" | last_words)"
  exit 1
}
# Files under a job that has been started are not to be touched, by whatever mistake.
if [ -e "$run/supervisor" ] || [ -L "$run/launch" ]; then fail place "a job was started in $run"; fi
if [ "$parts" -gt 0 ]; then
  missing='' n=0
  set --
  while [ "$n" -lt "$parts" ]; do
    if [ -f "$in/part.$n" ]; then set -- "$@" "$in/part.$n"; else missing="$missing $n"; fi
    n=$((n + 1))
  done
  if [ -n "$missing" ]; then
    # shellcheck disable=SC2086
    answer missing $missing
    exit 0
  fi
  # Complaints go to a variable: on a full disk there is no room for them in a file.
  why=$(cat "$@" 2>&1 >"$in/archive") || fail assemble "$why"
  rm -f "$@"
fi
got=$(($(wc -c <"$in/archive")))
[ "$got" -eq "$bytes" ] || fail check "$got of $bytes bytes arrived"
[ "$(hash_of "$in/archive")" = "$sha" ] || fail check "the sha256 of the archive is not the one that was sent"
{ echo unpack >"$in/stage"; } 2>/dev/null # for whoever asks how far it is; no matter if there is no room for it
why=$(mkdir -p "$in/tree/code" 2>&1) || fail unpack "$why"
umask 022
why=$(tar -xzof "$in/archive" -C "$in/tree" 2>&1) || fail unpack "$why"
command -v python3 >/dev/null 2>&1 || fail verify 'python3 is missing on the machine'
{ echo verify >"$in/stage"; } 2>/dev/null
counts=$(python3 -I -c "$verify_py" "$in/tree" "$run" "$in/verified" 2>&1) || fail verify "$counts"
counts=$(printf '%s\n' "$counts" | tail -n 1)
if [ -e "$run/code" ]; then mv "$run/code" "$in/old" || fail place "cannot replace $run/code"; fi
if ! mv "$in/tree/code" "$run/code"; then
  if [ -e "$in/old" ]; then mv "$in/old" "$run/code"; fi
  fail place "cannot create $run/code"
fi
mv "$in/tree/manifest" "$run/code.manifest" || fail place "cannot create $run/code.manifest"
rm -rf "$in"
# shellcheck disable=SC2086
answer 'done' $counts
