#!/bin/sh
# The second guard of a lease: runs as root at every boot (cloud-init documentation, "User data formats": cloud-boothook), needs
# neither runctl nor its agent nor Python, and powers the machine off when its time is over. Words: none (a boot), loop, tick, arm, off.
# Time is counted, never read off a clock that somebody may set. GUARD_LEASE, set before this text, is the lease as bought.
# In the directory of the lease, each written by rename:
#   lease     key=value: state=on|off, what it allows and off_after, the running seconds at which this guard powers off
#   used      running seconds that count, over all starts          floor     the same as of the last boot
#   window    used seconds until which a machine that was started after its end may stay        ended  why and when it ended
#   ticker    pid of the loop below       armed  number of the timer       by_clock  it is a shutdown +N
#   guard.sh  this text                   lease.py  the keeper
# Never write two opening braces in a row here: SSM would take them for a parameter.
# shellcheck disable=SC2154

guard_put() { # FILE <stdin; on the disk before it takes the place of the old one, where sync knows files
  cat >"$1.tmp.$$" && { sync "$1.tmp.$$" 2>/dev/null || :; } && mv -f "$1.tmp.$$" "$1"
}
guard_number() { # FILE DEFAULT -> gd_n
  gd_n=''
  [ ! -f "$1" ] || read -r gd_n <"$1"
  case $gd_n in '' | *[!0-9]*) gd_n=$2 ;; esac
}
guard_read() { # -> gd_state gd_tick gd_off: empty when only idleness ends it; gd_used
  gd_state=off gd_tick=30 gd_off='' gd_grace=0
  while IFS='=' read -r gd_key gd_value; do
    case $gd_key in
      state) gd_state=$gd_value ;;
      tick) gd_tick=$gd_value ;;
      grace) gd_grace=$gd_value ;;
      off_after) gd_off=$gd_value ;;
    esac
  done <"$rc_lease/lease"
  guard_number "$rc_lease/floor" 0
  guard_number "$rc_lease/used" "$gd_n"
  gd_used=$gd_n
  guard_number "$rc_lease/window" 0
  if [ -n "$gd_off" ] && [ "$gd_n" -gt 0 ] && [ "$((gd_n + gd_grace + 30))" -gt "$gd_off" ]; then gd_off=$((gd_n + gd_grace + 30)); fi
}
guard_disarm() { # NUMBER of the timer, or none
  if [ -d /run/systemd/system ]; then systemctl stop "runctl-lease-$1.timer" >/dev/null 2>&1; fi
  [ ! -f "$rc_lease/by_clock" ] || shutdown -c >/dev/null 2>&1
  rm -f "$rc_lease/by_clock"
}
guard_arm() { # by the counted seconds that are left, from now; the old timer goes only when the new one is there
  guard_read
  guard_number "$rc_lease/armed" 0
  gd_old=$gd_n
  if [ "$gd_state" != on ] || [ -z "$gd_off" ]; then
    guard_disarm "$gd_old"
    echo "$gd_old" | guard_put "$rc_lease/armed"
    return 0
  fi
  gd_left=$((gd_off - gd_used))
  [ "$gd_left" -ge 1 ] || gd_left=1
  # A timer of systemd's counts running time; its shutdown +N goes by the wall clock, so that is for machines without systemd.
  # It must not be waited for: at boot the queue of jobs waits for us.
  if [ -d /run/systemd/system ] && systemd-run --quiet --no-block "--unit=runctl-lease-$((gd_old + 1))" "--on-active=${gd_left}s" \
    --timer-property=AccuracySec=1s --timer-property=DefaultDependencies=no sh "$rc_lease/guard.sh" off "$rc_lease"; then
    guard_disarm "$gd_old"
  else
    guard_disarm "$gd_old"
    if ! shutdown -h "+$(((gd_left + 59) / 60))" >/dev/null 2>&1; then # early in a boot nobody takes it: the loop tries again
      rm -f "$rc_lease/armed"
      return 0
    fi
    : >"$rc_lease/by_clock"
  fi
  echo "$((gd_old + 1))" | guard_put "$rc_lease/armed"
}
guard_off() { # REASON: nothing returns from here
  guard_read
  [ "$gd_state" = on ] || exit 0 # lifted since the timer was armed
  [ -f "$rc_lease/ended" ] || printf 'reason=%s\nused=%s\n' "$1" "$gd_used" | guard_put "$rc_lease/ended"
  while :; do
    shutdown -h now
    sleep 60
    poweroff
    sleep 30
    systemctl poweroff --force
    sleep 30
    poweroff -f
  done
}
guard_keeper() { # start the keeper if it is there and does not live; it sees to it itself that it is alone
  [ -f "$rc_lease/lease.py" ] || return 0
  guard_number "$rc_lease/keeper" none
  case $( (tr '\0' ' ' <"/proc/$gd_n/cmdline") 2>/dev/null) in *lease.py*) return 0 ;; esac
  guard_apart python3 -s "$rc_lease/lease.py" "$rc_lease"
}
guard_apart() { # COMMAND...: outlives whoever asks, and holds none of its pipes
  if command -v setsid >/dev/null 2>&1; then set -- setsid "$@"; fi
  (cd / && exec "$@" </dev/null >>"$rc_lease/log" 2>&1) &
}
guard_loop() { # under systemd it comes back when it is killed; the keeper that it starts is none of systemd's business
  if [ -d /run/systemd/system ] && systemd-run --quiet --no-block "--unit=runctl-lease-loop-$$" --property=Restart=on-failure \
    --property=RestartSec=5 --property=KillMode=process --property=DefaultDependencies=no sh "$rc_lease/guard.sh" tick "$rc_lease"; then
    return 0
  fi
  guard_apart sh "$rc_lease/guard.sh" tick "$rc_lease"
}
guard_now() { # -> gd_now: seconds of a clock that nobody sets. Python's first: a pretend cloud moves that one, and not the kernel's
  gd_now=$(python3 -s -c 'import time; print(int(time.monotonic()))' 2>/dev/null) || gd_now=''
  [ -n "$gd_now" ] || gd_now=$(sed 's/[. ].*//' /proc/uptime 2>/dev/null)
  case $gd_now in '' | *[!0-9]*) gd_now=0 ;; esac
}
guard_tick() { # counts when nobody else does, and powers off when the timer did not
  guard_read
  if [ -f "$rc_lease/ticker" ]; then # it was killed
    gd_used=$((gd_used + gd_tick))
    echo "$gd_used" | guard_put "$rc_lease/used"
  fi
  echo "$$" | guard_put "$rc_lease/ticker"
  gd_last=$gd_used
  guard_now
  while :; do
    gd_then=$gd_now
    sleep "$gd_tick" || sleep 30
    guard_number "$rc_lease/ticker" 0
    [ "$gd_n" = "$$" ] || exit 0
    [ -f "$rc_lease/armed" ] || guard_arm
    guard_read
    if [ "$gd_used" = "$gd_last" ]; then
      guard_now
      gd_passed=$((gd_now - ${gd_then:-$gd_now}))
      [ "$gd_passed" -ge "$gd_tick" ] || gd_passed=$gd_tick
      gd_used=$((gd_used + gd_passed))
      echo "$gd_used" | guard_put "$rc_lease/used"
      [ "$gd_state" != on ] || guard_keeper
    else
      gd_now='' # the keeper counts; to look at a clock as well would cost something every time
    fi
    gd_last=$gd_used
    if [ "$gd_state" = on ] && [ -n "$gd_off" ] && [ "$gd_used" -ge "$gd_off" ]; then guard_off time; fi
  done
}
guard_boot() {
  runctl_lease_place
  mkdir -p "$rc_lease" && chmod 755 "$rc_lease" || exit 1
  guard_put "$rc_lease/guard.sh" <"$0" || exit 1
  rm -f "$rc_lease/keeper" "$rc_lease/ticker" "$rc_lease/facts" "$rc_lease/by_clock"
  if [ ! -f "$rc_lease/lease" ]; then printf '%s\n' "$GUARD_LEASE" | guard_put "$rc_lease/lease"; fi
  gd_again=''
  [ ! -f "$rc_lease/used" ] || gd_again=1
  guard_read
  # What nobody counted: the time until here, and before that the one between the last count and the end.
  gd_used=$((gd_used + gd_tick))
  [ -z "$gd_again" ] || gd_used=$((gd_used + gd_tick))
  echo "$gd_used" | guard_put "$rc_lease/used"
  echo "$gd_used" | guard_put "$rc_lease/floor"
  if [ -f "$rc_lease/ended" ]; then # somebody started it after its end: time to fetch what is there, or for a longer lease
    echo "$((gd_used + 900))" | guard_put "$rc_lease/window"
    mv -f "$rc_lease/ended" "$rc_lease/ended.before"
  fi
  guard_arm
  guard_loop
  guard_keeper
}
guard_main() { # [WORD DIRECTORY]
  PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  export PATH
  rc_lease=${2-}
  case ${1-} in
    '') guard_boot ;;
    tick) guard_tick ;;
    arm) guard_arm ;;
    loop) guard_loop ;;
    off) guard_off time ;;
  esac
}
