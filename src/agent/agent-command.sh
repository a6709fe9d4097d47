#!/bin/sh
# The part of the runctl agent that runs one command for somebody who looks on: detached like a job, its two outputs in files
# that are fetched by offset, so that nothing is cut and a lost connection loses nothing. Appended to agent.sh; starting one
# needs agent-launch.sh too.
#   BASE/commands/ID/  stdout stderr, supervisor and process "PID START", timed_out, exit "CODE EPOCH" written last, by rename
# shellcheck disable=SC2154

runctl_command() { # ID -> rc_cmd
  case ${1-} in '' | *[!a-z0-9]*) runctl_fail 64 usage "not a command id: '${1-}'" ;; esac
  rc_cmd=$rc_base/commands/$1
}
runctl_command_sweep() { # what ended ten minutes ago has been read
  for rc_old in "$rc_base"/commands/*; do
    rc_at=''
    if [ -f "$rc_old/exit" ]; then
      read -r rc_n rc_at <"$rc_old/exit"
    elif [ -f "$rc_old/supervisor" ] && read -r rc_pid rc_mark <"$rc_old/supervisor" && ! runctl_alive "$rc_pid" "$rc_mark"; then
      rc_at=0
    fi
    if [ -n "$rc_at" ] && [ $(($(date +%s) - rc_at)) -gt 600 ]; then rm -rf "$rc_old"; fi
  done
}
# ID TIMEOUT_S RUN DIRECTORY WATCH_ARGUMENTS...; RUN and DIRECTORY may be empty. RUNCTL_AGENT (all three texts) and
# RUNCTL_COMMAND (command.sh) are set by the caller. The same id is started once.
runctl_command_start() {
  runctl_command "$1"
  runctl_number "$2"
  rc_limit=$2 rc_id=$3
  [ -z "$rc_id" ] || runctl_known "$rc_id"
  [ -n "$rc_id" ] || [ ! -f "$rc_base/latest" ] || read -r rc_id <"$rc_base/latest"
  rc_cwd=$rc_home rc_run=''
  if [ -n "$rc_id" ] && [ -d "$rc_base/runs/$rc_id" ]; then rc_cwd=$rc_base/runs/$rc_id rc_run=$rc_cwd; fi
  case $4 in '') ;; /*) rc_cwd=$4 ;; *) rc_cwd=${rc_cwd%/}/$4 ;; esac
  [ -d "$rc_cwd" ] || runctl_fail 66 no-directory "there is no directory $rc_cwd"
  runctl_command_sweep
  rc_why=$(mkdir -p "$rc_base/commands" 2>&1) || runctl_fail 73 unwritable "cannot create $rc_base/commands: $rc_why"
  [ "$rc_me" = "$rc_owner" ] || chown -h "$rc_owner:$rc_group" "$rc_base" "$rc_base/commands"
  if (umask 077 && mkdir "$rc_cmd") 2>/dev/null; then
    if ! (umask 077 && printf '%s\nrunctl_main "$@"\n' "$RUNCTL_AGENT" >"$rc_cmd/agent.sh" && printf '%s\n' "$RUNCTL_COMMAND" >"$rc_cmd/command.sh" &&
      : >"$rc_cmd/stdout" && : >"$rc_cmd/stderr"); then
      rm -rf "$rc_cmd"
      runctl_fail 73 unwritable "cannot write in $rc_cmd"
    fi
    runctl_own "$rc_cmd"
    cd / || :
    runctl_detached sh "$rc_cmd/agent.sh" command-supervise "$rc_cmd" "$rc_home" "$rc_user" "$rc_limit" "$rc_cwd" "$rc_run" </dev/null >"$rc_cmd/supervisor.log" 2>&1 &
    runctl_started $! "$rc_cmd/process" "$rc_cmd/exit" || runctl_fail 70 not-started "the command did not start: $(tail -c 1000 "$rc_cmd/supervisor.log")"
  elif [ ! -d "$rc_cmd" ]; then
    runctl_fail 73 unwritable "cannot create $rc_cmd"
  fi
  rc_n=$1
  shift 4
  runctl_command_watch "$rc_n" "$@"
}
runctl_command_supervise() { # DIRECTORY HOME USER TIMEOUT_S CWD RUN_DIRECTORY
  rc_cmd=$1 rc_limit=$4 rc_cwd=$5 rc_run=$6
  rc_me=$(id -u) rc_group=$(id -g)
  rc_owner=$rc_me rc_user=$3
  HOME=$2 USER=$3 LOGNAME=$3
  export HOME USER LOGNAME
  runctl_proc $$
  echo "$$ $rc_start" | runctl_put "$rc_cmd/supervisor"
  cd "$rc_cwd" || exit 1
  if [ -n "$rc_run" ]; then
    RUNCTL_RUN_ID=${rc_run##*/} RUNCTL_RUN_DIR=$rc_run RUNCTL_CHECKPOINT_DIR=$rc_run/checkpoints RUNCTL_CODE_DIR=$rc_run/code
    export RUNCTL_RUN_ID RUNCTL_RUN_DIR RUNCTL_CHECKPOINT_DIR RUNCTL_CODE_DIR
  fi
  runctl_detached sh "$rc_cmd/agent.sh" command-exec "$rc_cmd" </dev/null >"$rc_cmd/stdout" 2>"$rc_cmd/stderr" &
  rc_pid=$!
  runctl_proc "$rc_pid"
  echo "$rc_pid $rc_start" | runctl_put "$rc_cmd/process"
  rc_timer=''
  if [ "$rc_limit" -gt 0 ]; then
    (
      trap 'kill "$rc_sleep" 2>/dev/null; exit 0' TERM
      sleep "$rc_limit" &
      rc_sleep=$!
      wait "$rc_sleep"
      : >"$rc_cmd/timed_out"
      kill -s TERM -- "-$rc_pid" 2>/dev/null || kill -s TERM "$rc_pid" 2>/dev/null
      sleep 5 &
      rc_sleep=$!
      wait "$rc_sleep"
      kill -s KILL -- "-$rc_pid" 2>/dev/null || kill -s KILL "$rc_pid" 2>/dev/null
    ) </dev/null >/dev/null 2>&1 &
    rc_timer=$!
  fi
  trap '' HUP INT TERM
  wait "$rc_pid"
  rc_exit=$?
  echo "$rc_exit $(date +%s)" | runctl_put "$rc_cmd/exit"
  [ -z "$rc_timer" ] || kill "$rc_timer" 2>/dev/null
  exit 0
}
runctl_command_exec() { # COMMAND ARGS...; command.sh calls this
  PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
  export PATH
  rm -f "$rc_cmd/command.sh" # arguments may hold secrets, and it has been read
  command -v "$1" >/dev/null 2>&1 || {
    echo "runctl: there is no program '$1' on this machine" >&2
    exit 127
  }
  exec "$@"
}
runctl_command_state() { # -> rc_state_now: running, ended or lost; rc_exit
  rc_exit='' rc_state_now=running
  if [ ! -f "$rc_cmd/exit" ]; then
    [ -f "$rc_cmd/supervisor" ] || return 0
    read -r rc_pid rc_mark <"$rc_cmd/supervisor"
    ! runctl_alive "$rc_pid" "$rc_mark" || return 0
    rc_state_now=lost
  fi
  if [ -f "$rc_cmd/exit" ]; then # it may have come just now
    read -r rc_exit rc_n <"$rc_cmd/exit"
    rc_state_now=ended
  fi
}
runctl_command_bytes() { # KEY FILE OFFSET MAX_BYTES
  printf '%s64=' "$1"
  tail -c "+$(($3 + 1))" "$2" | head -c "$4" | base64 | tr -d '\n'
  printf '\n'
}
runctl_command_watch() { # ID STDOUT_OFFSET STDERR_OFFSET MAX_BYTES WAIT_S
  runctl_command "$1"
  for rc_n in "$2" "$3" "$4" "$5"; do runctl_number "$rc_n"; done
  [ -d "$rc_cmd" ] || runctl_fail 66 unknown-command "no command $1 in $rc_base/commands"
  rc_until=$(($(date +%s) + $5)) rc_grown=''
  while :; do
    runctl_command_state # before the sizes: once it has ended they grow no more
    runctl_size "$rc_cmd/stdout"
    rc_out=$rc_size
    runctl_size "$rc_cmd/stderr"
    rc_err=$rc_size
    [ "$rc_state_now" = running ] || break
    [ -z "$rc_grown" ] || break
    [ "$(date +%s)" -lt "$rc_until" ] || break
    # Most commands print and end: a moment more saves asking again.
    if [ "$rc_out" -gt "$2" ] || [ "$rc_err" -gt "$3" ]; then rc_grown=yes; fi
    runctl_nap 0.05
  done
  rc_err_part=$((rc_err - $3))
  [ "$rc_err_part" -ge 0 ] || rc_err_part=0
  [ "$rc_err_part" -le $(($4 / 2)) ] || rc_err_part=$(($4 / 2))
  rc_out_part=$(($4 - rc_err_part))
  runctl_begin
  runctl_say state "$rc_state_now"
  runctl_say exit_code "$rc_exit"
  [ ! -f "$rc_cmd/timed_out" ] || runctl_say timed_out yes
  runctl_say stdout_bytes "$rc_out"
  runctl_say stderr_bytes "$rc_err"
  runctl_command_bytes stdout "$rc_cmd/stdout" "$2" "$rc_out_part"
  runctl_command_bytes stderr "$rc_cmd/stderr" "$3" "$rc_err_part"
  runctl_end
}
runctl_machine() { # LIMIT MEASURE_S, with RUNCTL_PROBE (machine.py): what the machine is busy with
  command -v python3 >/dev/null 2>&1 || runctl_fail 69 not-measured "python3 is not there; it is what measures"
  rc_limit=$1 rc_measure=$2
  set --
  for rc_run in "$rc_base"/runs/*; do
    if [ ! -L "$rc_run/launch" ] || [ -f "$rc_run/exit_record" ]; then continue; fi
    runctl_phase
    [ "$rc_phase" != running ] || set -- "$@" "$rc_pid=${rc_run##*/}"
  done
  rc_answer=$(python3 -I -c "$RUNCTL_PROBE" "$rc_limit" "$rc_measure" "$@") || runctl_fail 70 not-measured "python3 could not measure the machine"
  runctl_begin
  runctl_say machine "$rc_answer"
  runctl_end
}
runctl_command_kill() { # ID GRACE_S
  runctl_command "$1"
  runctl_number "$2"
  if [ -f "$rc_cmd/process" ]; then
    read -r rc_pid rc_mark <"$rc_cmd/process"
    rc_gid=$rc_pid
    runctl_signal TERM
    rc_until=$(($(date +%s) + $2))
    while [ ! -f "$rc_cmd/exit" ] && [ "$(date +%s)" -lt "$rc_until" ]; do runctl_nap 0.05; done
    [ -f "$rc_cmd/exit" ] || runctl_signal KILL
    kill -s KILL -- "-$rc_gid" 2>/dev/null
  fi
  runctl_begin
  runctl_say killed yes
  runctl_end
}
