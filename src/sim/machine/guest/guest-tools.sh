#!/bin/sh
# Stands in the guest for programs that would reach the host's init: shutdown, poweroff, halt, reboot, systemctl, systemd-run,
# and for sudo, since everything in the guest already runs as its root. One file, many names.
ask() { printf '%s\n' "$*" >@INITCTL@; }
no_systemd() {
  echo "System has not been booted with systemd as init system (PID 1). Can't operate." >&2
  exit 1
}
name=${0##*/}
how=poweroff
case $name in
  halt) how=halt ;;
  reboot) how=reboot ;;
esac
case $name in
  poweroff | halt | reboot)
    for word in "$@"; do
      case $word in
        -p | --poweroff) how=poweroff ;;
        --halt) how=halt ;;
        --reboot) how=reboot ;;
        -w | --wtmp-only) exit 0 ;;
      esac
    done
    ask "$how" now
    ;;
  shutdown)
    when=
    for word in "$@"; do
      case $word in
        -c) ask cancel; exit 0 ;;
        -r | --reboot) how=reboot ;;
        -H | --halt) how=halt ;;
        -k) exit 0 ;;
        -*) ;;
        *) [ -n "$when" ] || when=$word ;;
      esac
    done
    when=${when:-+1}
    case $when in
      now) ;;
      +*[!0-9]* | + ) echo "Failed to parse time specification: $when" >&2; exit 1 ;;
      +* | [0-9]:[0-9][0-9] | [0-9][0-9]:[0-9][0-9]) echo "Shutdown scheduled for $when, use 'shutdown -c' to cancel." >&2 ;;
      *) echo "Failed to parse time specification: $when" >&2; exit 1 ;;
    esac
    ask "$how" "$when"
    ;;
  systemctl)
    for word in "$@"; do
      case $word in
        -*) ;;
        poweroff | reboot | halt) ask "$word" now; exit 0 ;;
        *) no_systemd ;;
      esac
    done
    no_systemd
    ;;
  systemd-run) no_systemd ;;
  sudo)
    while [ $# -gt 0 ]; do
      case $1 in
        -u | -g | -h | -p | -C | -D | -R | -T | --user | --group) shift 2 ;;
        --) shift; break ;;
        -*) shift ;;
        [A-Za-z_]*=*) export "${1?}"; shift ;;
        *) break ;;
      esac
    done
    [ $# -gt 0 ] || { echo "usage: sudo command" >&2; exit 1; }
    exec "$@"
    ;;
esac
