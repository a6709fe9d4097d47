#!/bin/sh
# Stands in the guest for date, sleep and stat, so that they tell, wait for and reckon in the world's time (clock-file.ts says how
# it runs). While that is real time, the real program does it, but for a sleep of a second or more, which must notice a skip.
clock='@CLOCK@'
# Real milliseconds -> now. Not every date has %N.
tell_real() {
  now=$('@DATE@' +%s%N)
  case $now in
    *[!0-9]*) now=$('@DATE@' +%s)000 ;;
    *) now=${now%??????} ;;
  esac
}
# How time runs -> base since pace until; false: as real time does.
look() { [ -e "$clock" ] && { read -r base since pace until rest <"$clock"; } 2>/dev/null; }
# World milliseconds at the real ones given -> world.
reckon() {
  world=$base
  [ "$1" -le "$since" ] || world=$((base + ($1 - since) * pace / 1000))
  [ "$until" -eq 0 ] || [ "$world" -le "$until" ] || world=$until
}

tell_date() {
  for word in "$@"; do
    case $word in
      # About another moment than now, or for setting the clock.
      -I*) ;;
      -d* | --date* | -f* | --file* | -r* | --reference* | -s* | --set* | --help | --version | -[!-]*[dfrs]*) return ;;
    esac
  done
  look || return
  tell_real
  reckon "$now"
  at=$((world / 1000)).$(printf %03d $((world % 1000)))
  # shellcheck disable=SC2050 # filled in when the machine boots
  if [ @PLATFORM@ = linux ]; then exec '@DATE@' -d "@$at" "$@"; else exec '@DATE@' -r "${at%.*}" "$@"; fi
}

# `stat -c %Y FILE`, which scripts compare with date: when it was written, in the world's time of then.
tell_written() {
  [ $# -eq 3 ] && [ "$1 $2" = '-c %Y' ] && [ -e "$clock" ] || return
  written=$('@STAT@' -c %.3Y "$3") || exit
  at=${written%.*}${written#*.}
  while read -r base since pace until rest; do
    [ "$at" -lt "$since" ] || break
  done <"$clock"
  # Before the oldest course that is known: as if it had been real time.
  if [ "$at" -lt "$since" ]; then world=$((base - since + at)); else reckon "$at"; fi
  echo $((world / 1000))
  exit 0
}

# WORD: as sleep takes it -> adds to left, ms. False: sleep itself shall say what is wrong with it.
add_up() {
  unit=1000 number=${1%[smhd]}
  case $1 in
    *m) unit=60000 ;;
    *h) unit=3600000 ;;
    *d) unit=86400000 ;;
  esac
  case $number in
    '' | . | *[!0-9.]* | *.*.*) return 1 ;;
    *.*) whole=${number%.*} part=${number#*.}000 ;;
    *) whole=$number part=000 ;;
  esac
  # Leading zeros would make them octal.
  whole=${whole#"${whole%%[!0]*}"} part=$(printf %.3s "$part")
  left=$((left + ${whole:-0} * unit + (1$part - 1000) * unit / 1000))
}

nap() { '@SLEEP@' "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))" </dev/null >/dev/null 2>&1 || exit; }

sleep_there() {
  left=0 wake=
  [ $# -gt 0 ] || return
  for word in "$@"; do add_up "$word" || return; done
  if [ ! -e "$clock" ] && [ "$left" -lt 1000 ]; then return; fi
  while :; do
    if look; then
      tell_real
      reckon "$now"
      # Who fell asleep while the world's time was real wakes when that time has come in the world.
      [ -n "$wake" ] || if [ -n "$slept" ]; then wake=$((now + left)); else wake=$((world + left)); fi
      left=$((wake - world)) pause=100
      [ "$left" -gt 0 ] || exit 0
      if [ "$pace" -gt 0 ]; then
        pause=$((left * 1000 / pace)) least=20
        # However fast the world: a loop that sleeps leaves this computer room for its work.
        [ "$left" -ge "$least" ] || least=$left
        [ "$pause" -ge "$least" ] || pause=$least
        [ "$now" -ge "$since" ] || pause=$((pause + since - now))
      fi
      [ "$pause" -le 200 ] || pause=200
    else
      [ -z "$wake" ] && [ "$left" -gt 0 ] || exit 0
      pause=$left slept=yes
      [ "$pause" -le 500 ] || pause=500
      left=$((left - pause))
    fi
    nap "$pause"
  done
}

case ${0##*/} in
  date) tell_date "$@"; exec '@DATE@' "$@" ;;
  stat) tell_written "$@"; exec '@STAT@' "$@" ;;
  *) slept=; sleep_there "$@"; exec '@SLEEP@' "$@" ;;
esac
