#!/bin/sh
# The runctl agent: everything runctl does with a job on the machine itself. Sent whole with every call; nothing is installed.
# Here: places, facts, status, watch, log, stop, pack-outputs. Starting a job is in agent-launch.sh, sent along only for that.
# Needs POSIX sh, coreutils, tar and, where setsid or setpriv are missing, Python 3. The exit record is the only truth about an end.
#   BASE/claims/N      symlink, its text "RUN PID START FLAG": the Nth launch on this machine. Never removed, so never reused
#   BASE/runs/ID/      code/ checkpoints/ training.log training.pid training_exit_code.txt training_complete.txt, and
#     launch           symlink "ID PID START FLAG": the call that launched it     supervisor, job   "PID START [STARTED_AT]"
#     exit_record      key=value, written last, by rename                        heartbeat         epoch seconds
#     boot             which start of the machine it was launched in: "BOOT_ID START_OF_PID_1"
# Never write two opening braces in a row here: SSM would take them for a parameter.

# --- facts: key=value lines between two marks; key64 means that the value is base64 ---
runctl_begin() { printf '\nrunctl-facts-begin\n'; }
runctl_end() { printf 'runctl-facts-end\n'; }
runctl_say() { [ -z "$2" ] || printf '%s=%s\n' "$1" "$2"; }
runctl_say64() { printf '%s64=%s\n' "$1" "$(printf %s "$2" | base64 | tr -d '\n')"; }
runctl_fail() { # STATUS ERROR MESSAGE
  printf 'runctl agent: %s\n' "$3" >&2
  runctl_begin
  runctl_say error "$2"
  runctl_say64 message "$3"
  runctl_end
  exit "$1"
}
runctl_put() { cat >"$1.tmp" && mv -f "$1.tmp" "$1"; } # FILE <stdin; readers see the old or the new, never half
runctl_nap() { sleep "$1" 2>/dev/null || sleep 1; }
runctl_size() { rc_size=0; [ ! -f "$1" ] || rc_size=$(($(wc -c <"$1"))); }

# --- processes: a pid means nothing without its start time and boot ---
runctl_proc() { # PID -> rc_state rc_start; false when there is none
  rc_state='' rc_start=''
  case $1 in '' | *[!0-9]*) return 1 ;; esac
  if [ -r /proc/self/stat ]; then
    [ -r "/proc/$1/stat" ] || return 1
    rc_stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086
    set -- ${rc_stat##*) }
    rc_state=${1-} rc_start=${20-}
    rc_boot=''
    [ ! -r /proc/sys/kernel/random/boot_id ] || read -r rc_boot </proc/sys/kernel/random/boot_id
    rc_start=$rc_start@$rc_boot
  else
    # shellcheck disable=SC2046
    set -- $(LC_ALL=C ps -o stat= -o lstart= -p "$1" 2>/dev/null)
    [ $# -gt 1 ] || return 1
    rc_state=$1 rc_start=$3_$4_$5_$6
  fi
}
runctl_alive() { # PID START
  runctl_proc "$1" || return 1
  case $rc_state in Z* | X*) return 1 ;; esac
  [ "$rc_start" = "$2" ]
}

runctl_born() { # -> rc_born: this start of the machine, "BOOT_ID START_OF_PID_1", - for what cannot be read
  rc_born=-
  if [ -r /proc/sys/kernel/random/boot_id ]; then
    read -r rc_born </proc/sys/kernel/random/boot_id
  else
    rc_born=$(sysctl -n kern.bootsessionuuid 2>/dev/null) || rc_born=-
  fi
  # A container keeps the boot id of its host; its first process is new each time. Where /proc is missing, ps tells no more than that.
  if [ -r /proc/1/stat ] && runctl_proc 1; then rc_born="$rc_born ${rc_start%@*}"; else rc_born="$rc_born -"; fi
}
runctl_booted() { # -> rc_booted: epoch seconds of the start that rc_born names; empty when not known
  rc_booted=$(sed -n 's/^btime \([0-9]*\)$/\1/p' /proc/stat 2>/dev/null)
  if [ -n "$rc_booted" ]; then
    rc_hz=$(getconf CLK_TCK 2>/dev/null) || rc_hz=100
    case ${rc_born##* } in *[!0-9]*) ;; *) rc_booted=$((rc_booted + ${rc_born##* } / rc_hz)) ;; esac
  else
    rc_booted=$(sysctl -n kern.boottime 2>/dev/null | sed -n 's/^[^0-9]*sec = \([0-9]*\),.*/\1/p')
  fi
}
runctl_rebooted() { # since the launch of rc_run? False too when nobody can tell
  [ -f "$rc_run/boot" ] || return 1
  runctl_born
  read -r rc_was rc_was_one <"$rc_run/boot"
  case $rc_was:${rc_born% *} in -:* | :* | *:-) ;; *) [ "$rc_was" = "${rc_born% *}" ] || return 0 ;; esac
  case $rc_was_one:${rc_born#* } in -:* | *:- | :*) return 1 ;; *) [ "$rc_was_one" != "${rc_born#* }" ] ;; esac
}
runctl_mtime() { stat -c %Y "$1" 2>/dev/null || stat -f %m "$1" 2>/dev/null; }

# --- places ---
runctl_passwd() { # UID -> rc_pw_name rc_pw_home
  [ -r /etc/passwd ] || return 1
  while IFS=: read -r rc_pw_name rc_pw_x rc_pw_uid rc_pw_gid rc_pw_gecos rc_pw_home rc_pw_shell || [ -n "$rc_pw_name" ]; do
    [ "$rc_pw_uid" != "$1" ] || return 0
  done </etc/passwd
  : "$rc_pw_x $rc_pw_gid $rc_pw_gecos $rc_pw_shell"
  return 1
}
runctl_home() { # -> rc_home rc_base rc_owner rc_group rc_user; SSM may leave HOME unset or at root's
  rc_me=$(id -u)
  rc_home=${HOME-}
  if [ -n "${RUNCTL_BASE-}" ]; then # this very machine, in the name of whoever calls: nothing is to be found out
    rc_home=${HOME:-/} rc_base=$RUNCTL_BASE rc_owner=$rc_me rc_group=$(id -g) rc_user=$(id -un 2>/dev/null || echo "$rc_me")
    return 0
  fi
  case $rc_home in '' | / | /root | /root/ | [!/]*)
    if [ "$rc_me" != 0 ]; then
      runctl_passwd "$rc_me" && rc_home=$rc_pw_home
    elif runctl_passwd 1000 && [ "$rc_pw_home" != / ] && [ -d "$rc_pw_home" ]; then
      rc_home=$rc_pw_home
    else
      rc_home=/root
    fi
    ;;
  esac
  case $rc_home in /*) ;; *) runctl_fail 73 unwritable "no home directory is known for user $rc_me: HOME is '${HOME-}'" ;; esac
  rc_base=${rc_home%/}/runctl
  rc_owner=$rc_me rc_group=$(id -g)
  if [ "$rc_me" = 0 ] && [ -d "$rc_home" ]; then
    # shellcheck disable=SC2046
    set -- $(LC_ALL=C ls -ldn "$rc_home/")
    rc_owner=$3 rc_group=$4
  fi
  if runctl_passwd "$rc_owner"; then rc_user=$rc_pw_name; else rc_user=$(id -un "$rc_owner" 2>/dev/null || echo "$rc_owner"); fi
}
runctl_run() { # RUN_ID -> rc_id rc_run
  case ${1-} in '' | [!A-Za-z0-9]* | *[!A-Za-z0-9._-]*) runctl_fail 64 usage "not a run id: '${1-}'" ;; esac
  rc_id=$1 rc_run=$rc_base/runs/$1
}
runctl_known() { # RUN_ID
  runctl_run "$1"
  [ -d "$rc_run" ] || runctl_fail 66 unknown-run "no run $rc_id in $rc_base/runs"
}
runctl_number() { case $1 in '' | *[!0-9]*) runctl_fail 64 usage "not a whole number: '$1'" ;; esac }
runctl_own() { [ "$rc_me" = "$rc_owner" ] || chown -Rh "$rc_owner:$rc_group" "$@"; }
runctl_make() {
  for rc_dir in "$rc_base/claims" "$rc_run/code" "$rc_run/checkpoints"; do
    rc_why=$(mkdir -p "$rc_dir" 2>&1) || runctl_fail 73 unwritable "cannot create $rc_dir: $rc_why"
  done
  [ -w "$rc_run" ] || runctl_fail 73 unwritable "cannot write in $rc_run as $(id -un)"
  [ "$rc_me" = "$rc_owner" ] || chown -h "$rc_owner:$rc_group" "$rc_base" "$rc_base/claims" "$rc_base/runs" "$rc_run" "$rc_run/code" "$rc_run/checkpoints"
}
runctl_log_check() { # PATH: the log of rc_run elsewhere than in its directory -> rc_log_file. Its directory is made, and tried
  rc_log_file=''
  [ -n "$1" ] || return 0
  rc_log_file=$1
  case $rc_log_file in
    /*) ;;
    "~"/*) rc_log_file=${rc_home%/}/${rc_log_file#??} ;;
    *) rc_log_file=${rc_home%/}/$rc_log_file ;;
  esac
  rc_dir=${rc_log_file%/*} rc_top_made=''
  rc_n=$rc_dir
  while [ -n "$rc_n" ] && [ ! -e "$rc_n" ]; do
    rc_top_made=$rc_n
    rc_n=${rc_n%/*}
  done
  rc_why=$(mkdir -p "$rc_dir" 2>&1) || runctl_fail 73 log-unwritable "the directory for the log cannot be made: $rc_why"
  # A disk that is full takes new names, but no bytes.
  rc_why=$( (head -c 65536 /dev/zero >"$rc_log_file.try") 2>&1) || {
    rm -f "$rc_log_file.try"
    runctl_fail 73 log-unwritable "the log cannot be written to $rc_log_file: $rc_why"
  }
  rm -f "$rc_log_file.try"
  [ -z "$rc_top_made" ] || runctl_own "$rc_top_made"
}
runctl_prepare() { # RUN_ID [--force [LOG]]: refused before anything is sent while another job is alive
  runctl_run "$1"
  [ "${2-}" = --force ] || ! runctl_busy || runctl_refuse
  runctl_log_check "${3-}"
  runctl_make
  runctl_begin
  runctl_say run_id "$rc_id"
  runctl_say64 directory "$rc_run"
  runctl_say64 home "$rc_home"
  runctl_say64 user "$rc_user"
  runctl_say uid "$rc_owner"
  runctl_end
}

# --- what became of a run ---
runctl_ended() { # exit record -> rc_phase rc_exit rc_started rc_ended
  [ -f "$rc_run/exit_record" ] || return 1
  while IFS='=' read -r rc_key rc_value; do
    case $rc_key in
      exit_code) rc_exit=$rc_value ;;
      pid) rc_pid=$rc_value ;;
      started_at) rc_started=$rc_value ;;
      ended_at) rc_ended=$rc_value ;;
    esac
  done <"$rc_run/exit_record"
  if [ "$rc_exit" = 0 ]; then rc_phase=succeeded; else rc_phase=failed; fi
}
runctl_phase() { # of rc_run
  rc_phase=none rc_pid='' rc_mark='' rc_started='' rc_ended='' rc_exit=''
  [ ! -f "$rc_run/job" ] || read -r rc_pid rc_mark rc_started <"$rc_run/job"
  ! runctl_ended || return 0
  if runctl_alive "$rc_pid" "$rc_mark"; then
    rc_phase=running
    return
  fi
  if [ -f "$rc_run/supervisor" ]; then
    read -r rc_sup rc_sup_mark <"$rc_run/supervisor"
  elif [ -L "$rc_run/launch" ]; then
    # shellcheck disable=SC2046
    set -- $(readlink "$rc_run/launch")
    rc_sup=${2-} rc_sup_mark=${3-}
  else
    return 0
  fi
  if runctl_alive "$rc_sup" "$rc_sup_mark"; then
    rc_phase=starting # or just ended: the supervisor is about to write the record
    [ -z "$rc_pid" ] || rc_phase=running
  elif ! runctl_ended; then
    rc_phase=lost
  fi
}
runctl_busy() { # -> rc_other: another run that is alive
  rc_mine=$rc_run
  for rc_run in "$rc_base"/runs/*; do
    if [ "$rc_run" = "$rc_mine" ] || [ ! -L "$rc_run/launch" ] || [ -f "$rc_run/exit_record" ]; then continue; fi
    runctl_phase
    case $rc_phase in starting | running)
      rc_other=${rc_run##*/} rc_run=$rc_mine
      return 0
      ;;
    esac
  done
  rc_run=$rc_mine
  return 1
}
runctl_refuse() {
  runctl_run "$rc_other"
  rc_tries=0
  runctl_phase
  while [ "$rc_tries" -lt 30 ]; do # claimed a moment ago: its pid is what whoever is refused needs to know
    case $rc_phase in none | starting) ;; *) break ;; esac
    rc_tries=$((rc_tries + 1))
    runctl_nap 0.1
    runctl_phase
  done
  printf 'runctl agent: %s is %s on this machine\n' "$rc_other" "$rc_phase" >&2
  runctl_begin
  runctl_say outcome refused
  runctl_facts
  runctl_end
  exit 75
}
runctl_facts() { # of rc_run, after runctl_phase
  rc_log=$rc_run/training.log
  [ ! -L "$rc_log" ] || rc_log=$(readlink "$rc_log")
  runctl_size "$rc_log"
  rc_beat=''
  [ ! -f "$rc_run/heartbeat" ] || read -r rc_beat <"$rc_run/heartbeat"
  runctl_say phase "$rc_phase"
  runctl_say run_id "$rc_id"
  runctl_say pid "$rc_pid"
  runctl_say exit_code "$rc_exit"
  runctl_say started_at "$rc_started"
  runctl_say ended_at "$rc_ended"
  runctl_say heartbeat_at "$rc_beat"
  runctl_lease_facts
  [ -d "$rc_run" ] || return 0
  if [ -f "$rc_run/lease_ended" ]; then
    read -r rc_value <"$rc_run/lease_ended"
    runctl_say ended_by_lease "$rc_value"
  fi
  runctl_say now_at "$(date +%s)"
  if runctl_rebooted; then
    runctl_booted
    runctl_say rebooted yes
    runctl_say booted_at "$rc_booted"
  fi
  runctl_say64 directory "$rc_run"
  [ ! -f "$rc_run/script" ] || printf 'script64=%s\n' "$(base64 <"$rc_run/script" | tr -d '\n')"
  if [ -f "$rc_log" ]; then
    runctl_say64 log "$rc_log"
    runctl_say log_bytes "$rc_size"
    runctl_say log_at "$(runctl_mtime "$rc_log")"
  fi
  rc_newest=$(find "$rc_run/checkpoints/" -type f -size +0 ! -name '.*' ! -name '*.tmp' ! -name '*.part' -exec ls -td {} + 2>/dev/null | head -n 1)
  if [ -n "$rc_newest" ]; then
    runctl_say64 checkpoint "$rc_newest"
    runctl_say checkpoint_at "$(runctl_mtime "$rc_newest")"
  fi
}
# shellcheck disable=SC2154
runctl_lease_facts() { # what the keeper of the machine's lease wrote last; nothing where there is none
  runctl_lease_place
  [ -f "$rc_lease/facts" ] || return 0
  while IFS='=' read -r rc_key rc_value; do
    case $rc_key in lease_*) runctl_say "$rc_key" "$rc_value" ;; esac
  done <"$rc_lease/facts"
}
runctl_bytes() { # OFFSET MAX_BYTES: of the log
  runctl_say offset "$1"
  printf 'bytes64='
  [ ! -f "$rc_run/training.log" ] || tail -c "+$(($1 + 1))" "$rc_run/training.log" | head -c "$2" | base64 | tr -d '\n'
  printf '\n'
}
runctl_tail() { [ ! -f "$rc_run/training.log" ] || printf 'log_tail64=%s\n' "$(tail -c 4096 "$rc_run/training.log" | base64 | tr -d '\n')"; }
runctl_status() { # [RUN_ID]: the newest launched when none is named
  rc_id=${1-}
  [ -n "$rc_id" ] || [ ! -f "$rc_base/latest" ] || read -r rc_id <"$rc_base/latest"
  rc_run=$rc_base/none
  [ -z "$rc_id" ] || runctl_run "$rc_id"
  runctl_phase
  runctl_begin
  runctl_facts
  runctl_tail
  runctl_end
}
runctl_started() { # PID FILE FILE: whether the process has written one of the files; false when it is gone, or after 30 s
  rc_child=$1
  rc_looks=1500 # counted, not timed: somebody may set the clock meanwhile
  until [ -f "$2" ] || [ -f "$3" ]; do
    rc_looks=$((rc_looks - 1))
    if [ "$rc_looks" -lt 0 ] || ! runctl_proc "$rc_child" || [ "${rc_state#Z}" != "$rc_state" ]; then
      # It may have written them between the two looks.
      [ -f "$2" ] || [ -f "$3" ] || return 1
      return 0
    fi
    runctl_nap 0.02
  done
}
runctl_watch() { # RUN_ID OFFSET MAX_BYTES WAIT_S
  runctl_run "$1"
  for rc_n in "$2" "$3" "$4"; do runctl_number "$rc_n"; done
  rc_until=$(($(date +%s) + $4))
  rc_new=''
  while :; do
    runctl_phase # before the size: once the job has ended the log grows no more
    runctl_size "$rc_run/training.log"
    case $rc_phase in starting | running) ;; *) break ;; esac
    if [ -n "$rc_new" ] || [ "$(date +%s)" -ge "$rc_until" ]; then break; fi
    # A last line is often followed by the end: one more look saves the asker a whole question.
    [ "$rc_size" -le "$2" ] || rc_new=1
    [ "$((rc_size - $2))" -lt "$3" ] || break
    runctl_nap 0.2
  done
  runctl_begin
  runctl_facts
  case $rc_phase in starting | running) ;; *) runctl_tail ;; esac
  runctl_bytes "$2" "$3"
  runctl_end
}
runctl_log() { # RUN_ID OFFSET MAX_BYTES
  runctl_known "$1"
  runctl_number "$2"
  runctl_number "$3"
  runctl_size "$rc_run/training.log"
  runctl_begin
  runctl_say log_bytes "$rc_size"
  runctl_bytes "$2" "$3"
  runctl_end
}

runctl_jobs() { # every run that was ever launched here, one a line: RUN PHASE PID STARTED_AT, - for what is not known
  rc_list=''
  for rc_run in "$rc_base"/runs/*; do
    [ -L "$rc_run/launch" ] || continue
    runctl_phase
    rc_list="$rc_list${rc_run##*/} $rc_phase ${rc_pid:--} ${rc_started:--}
"
  done
  runctl_begin
  runctl_say64 jobs "$rc_list"
  runctl_end
}

# --- ending ---
runctl_signal() { # SIGNAL: to the job's process group, as long as it is the process we started
  runctl_alive "$rc_pid" "$rc_mark" || return 1
  kill -s "$1" -- "-$rc_pid" 2>/dev/null || kill -s "$1" "$rc_pid" 2>/dev/null
}
runctl_until_ended() { # SECONDS
  rc_until=$(($(date +%s) + $1))
  while :; do
    runctl_phase
    case $rc_phase in starting | running) ;; *) return 0 ;; esac
    [ "$(date +%s)" -lt "$rc_until" ] || return 1
    runctl_nap 0.1
  done
}
runctl_stop() { # RUN_ID GRACE_S
  runctl_known "$1"
  runctl_number "$2"
  rc_how=none rc_tries=0
  runctl_phase
  while [ "$rc_phase" = starting ] && [ "$rc_tries" -lt 100 ]; do
    rc_tries=$((rc_tries + 1))
    runctl_nap 0.1
    runctl_phase
  done
  if [ "$rc_phase" = running ] && rc_gid=$rc_pid && runctl_signal TERM; then
    rc_how=term
    runctl_until_ended "$2" || { rc_how='kill'; runctl_signal KILL; runctl_until_ended 10; }
    kill -s KILL -- "-$rc_gid" 2>/dev/null # children that outlived it
  fi
  runctl_until_ended 1
  runctl_begin
  runctl_say stopped "$rc_how"
  runctl_facts
  runctl_end
}
runctl_pack() { # RUN_ID MOST_INLINE_BYTES [FILE]: a small archive comes in the answer itself
  runctl_known "$1"
  rc_inline=$2
  set -- "$1" "${3:-$rc_run/outputs.tar.gz}"
  case $2 in /*) ;; *) runctl_fail 64 usage "not an absolute path: '$2'" ;; esac
  cd "$rc_run" || runctl_fail 66 unknown-run "cannot enter $rc_run"
  rc_file=$2
  set --
  for rc_n in checkpoints exit_record training.pid training_exit_code.txt training_complete.txt; do
    [ ! -e "$rc_n" ] || set -- "$@" "$rc_n"
  done
  if [ -L training.log ] && [ -e training.log ]; then # elsewhere by configuration: in the archive it has its usual name all the same
    rc_log=$(readlink training.log)
    if ! mkdir -p "$rc_run/pack" || ! { ln -f "$rc_log" "$rc_run/pack/training.log" 2>/dev/null || cp "$rc_log" "$rc_run/pack/training.log"; }; then
      runctl_fail 73 unwritable "cannot copy the log $rc_log into $rc_run"
    fi
    set -- "$@" -C "$rc_run/pack" training.log
  elif [ -e training.log ]; then
    set -- "$@" training.log
  fi
  rc_why=$(umask 077 && tar -czf "$rc_file.part" "$@" 2>&1)
  rc_packed=$?
  rm -rf "$rc_run/pack"
  case $rc_packed:$rc_why in
    0:* | 1:*'file changed as we read it'* | 1:*'removed before we read it'*) ;; # the job goes on meanwhile
    *)
      rm -f "$rc_file.part"
      runctl_fail 73 unwritable "cannot pack $rc_run into $rc_file: $rc_why"
      ;;
  esac
  mv -f "$rc_file.part" "$rc_file" || runctl_fail 73 unwritable "cannot write $rc_file"
  rc_sum=$(sha256sum <"$rc_file" 2>/dev/null || shasum -a 256 <"$rc_file" 2>/dev/null ||
    python3 -I -c 'import hashlib,sys; h=hashlib.sha256()
for b in iter(lambda:sys.stdin.buffer.read(1<<20),b""):h.update(b)
print(h.hexdigest())' <"$rc_file")
  runctl_size "$rc_file"
  runctl_begin
  runctl_say64 file "$rc_file"
  runctl_say size "$rc_size"
  runctl_say sha256 "${rc_sum%% *}"
  [ "$rc_size" -gt "$rc_inline" ] || printf 'bytes64=%s\n' "$(base64 <"$rc_file" | tr -d '\n')"
  runctl_end
}

runctl_main() {
  unset CDPATH
  rc_word=${1-}
  [ $# -eq 0 ] || shift
  case $rc_word in
    supervise) runctl_supervise "$@" ;;
    exec)
      rc_run=$1 rc_id=${1##*/}
      # shellcheck source=/dev/null
      . "$rc_run/job.sh"
      ;;
    prepare | launch | status | jobs | watch | log | stop | pack-outputs)
      runctl_home
      # Somebody is there: a machine whose lease ends leaves him time to fetch the results.
      case $rc_word in watch | log | pack-outputs)
        runctl_lease_place
        [ ! -f "$rc_lease/lease" ] || echo "$$" >"$rc_lease/contact"
        ;;
      esac
      [ "$rc_word" != pack-outputs ] || rc_word=pack
      "runctl_$rc_word" "$@"
      ;;
    command-supervise) runctl_command_supervise "$@" ;;
    command-exec)
      rc_cmd=$1
      # shellcheck source=/dev/null
      . "$rc_cmd/command.sh"
      ;;
    command-start | command-watch | command-kill | machine)
      runctl_home
      case $rc_word in command-start) runctl_command_start "$@" ;; command-watch) runctl_command_watch "$@" ;; command-kill) runctl_command_kill "$@" ;; *) runctl_machine "$@" ;; esac
      ;;
    *) runctl_fail 64 usage "unknown word '$rc_word'" ;;
  esac
}
