#!/bin/sh
# The part of the runctl agent that speaks with the keeper of the machine's lease (lease.py) and its guard (guard.sh). Appended to
# agent.sh; runs as root, as everything that comes through Systems Manager does.
# shellcheck disable=SC2153,SC2154

# WORD, with RUNCTL_LEASE (key=value lines), RUNCTL_KEEPER (lease.py) and RUNCTL_GUARD (guard.sh) set by the caller.
#   hold  the lease that is there already, else this one; its keeper and its guard live from here on
#   set   this lease, whatever was there
runctl_lease_main() {
  unset CDPATH
  rc_word=$1
  runctl_home
  runctl_lease_place
  case $rc_word in
    show) ;;
    hold | set) runctl_lease_keep "$rc_word" ;;
    *) runctl_fail 64 usage "unknown word '$rc_word'" ;;
  esac
  runctl_begin
  runctl_lease_facts
  if [ -f "$rc_lease/lease" ]; then
    runctl_say64 lease "$(cat "$rc_lease/lease")"
    ! runctl_lease_lives || runctl_say lease_kept yes
  fi
  runctl_end
}
runctl_lease_lives() {
  [ -f "$rc_lease/keeper" ] || return 1
  read -r rc_pid <"$rc_lease/keeper"
  case $( (tr '\0' ' ' <"/proc/$rc_pid/cmdline") 2>/dev/null) in *lease.py*) return 0 ;; esac
  return 1
}
# shellcheck disable=SC2153
runctl_lease_keep() { # hold | set
  command -v python3 >/dev/null 2>&1 || runctl_fail 69 not-held "python3 is not there; it is what keeps a lease"
  rc_why=$(mkdir -p "$rc_lease" 2>&1) || runctl_fail 73 unwritable "cannot create $rc_lease: $rc_why"
  printf 'base=%s\nhome=%s\n' "$rc_base" "$rc_home" | runctl_put "$rc_lease/place" || runctl_fail 73 unwritable "cannot write in $rc_lease"
  rc_changed=''
  [ -f "$rc_lease/guard.sh" ] || printf '%s\n' "$RUNCTL_GUARD" | runctl_put "$rc_lease/guard.sh"
  [ -f "$rc_lease/used" ] || echo 0 | runctl_put "$rc_lease/used"
  if [ "$1" = set ] || [ ! -f "$rc_lease/lease" ]; then
    printf '%s\n' "$RUNCTL_LEASE" | runctl_put "$rc_lease/lease" || runctl_fail 73 unwritable "cannot write in $rc_lease"
    rc_changed=1
  fi
  if [ ! -f "$rc_lease/lease.py" ] || [ "$(cat "$rc_lease/lease.py")" != "$RUNCTL_KEEPER" ]; then
    printf '%s\n' "$RUNCTL_KEEPER" | runctl_put "$rc_lease/lease.py"
  fi
  [ -z "$rc_changed" ] || sh "$rc_lease/guard.sh" arm "$rc_lease" >>"$rc_lease/log" 2>&1
  rc_pid=''
  [ ! -f "$rc_lease/ticker" ] || read -r rc_pid <"$rc_lease/ticker"
  case $( (tr '\0' ' ' <"/proc/${rc_pid:-none}/cmdline") 2>/dev/null) in
    *guard.sh*) ;;
    *) sh "$rc_lease/guard.sh" loop "$rc_lease" >>"$rc_lease/log" 2>&1 ;;
  esac
  if runctl_lease_lives; then
    if [ -n "$rc_changed" ]; then # what it says from here on is of the new lease
      rm -f "$rc_lease/facts"
      kill -s USR1 "$rc_pid"
    fi
  else
    rm -f "$rc_lease/facts"
    runctl_lease_apart python3 -s "$rc_lease/lease.py" "$rc_lease"
  fi
  rc_tries=0
  until [ -f "$rc_lease/facts" ]; do
    rc_tries=$((rc_tries + 1))
    [ "$rc_tries" -lt 100 ] || runctl_fail 70 not-held "the keeper of the lease did not start: $(tail -c 1000 "$rc_lease/log")"
    runctl_nap 0.1
  done
}
runctl_lease_apart() { # COMMAND...
  if command -v setsid >/dev/null 2>&1; then set -- setsid "$@"; fi
  (cd / && exec "$@" </dev/null >>"$rc_lease/log" 2>&1) &
}
