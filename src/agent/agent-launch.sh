#!/bin/sh
# The part of the runctl agent that starts a job and stays with it: launch, supervise, exec. Appended to agent.sh, whose
# functions and variables it uses; a copy of both stays in the run directory, for the supervisor outlives the call.
# shellcheck disable=SC2154,SC2034

rc_setsid_py='import os,signal,sys
if os.getpgrp()!=os.getpid(): os.setsid()
for s in ("SIGPIPE","SIGINT","SIGQUIT"): signal.signal(getattr(signal,s),signal.SIG_DFL)
u,g=int(sys.argv[1]),int(sys.argv[2])
if u!=os.getuid(): os.setgroups(os.getgrouplist(sys.argv[3],g)); os.setgid(g); os.setuid(u)
os.execvp(sys.argv[4],sys.argv[4:])'

runctl_detached() { # COMMAND...: in its own session, as the owner of the home. Call with & and all three streams redirected
  if command -v setsid >/dev/null 2>&1; then
    [ "$rc_me" != "$rc_owner" ] || exec setsid "$@"
    rc_groups=--init-groups
    runctl_passwd "$rc_owner" || rc_groups=--clear-groups
    if setpriv "--reuid=$rc_owner" "--regid=$rc_group" "$rc_groups" true 2>/dev/null; then
      exec setsid setpriv "--reuid=$rc_owner" "--regid=$rc_group" "$rc_groups" "$@"
    fi
  fi
  exec python3 -I -c "$rc_setsid_py" "$rc_owner" "$rc_group" "$rc_user" "$@"
}
runctl_top() { # -> rc_top: number of the newest claim
  rc_top=0
  for rc_claim in "$rc_base"/claims/*; do
    rc_n=${rc_claim##*/}
    [ ! -L "$rc_claim" ] || [ "$rc_n" -le "$rc_top" ] || rc_top=$rc_n
  done
}
# RUN_ID [--force], with RUNCTL_AGENT (this text), RUNCTL_JOB (job.sh), RUNCTL_SCRIPT and RUNCTL_LOG (may be empty) set by the caller.
runctl_launch() {
  runctl_run "$1"
  runctl_log_check "${RUNCTL_LOG-}"
  runctl_make
  rc_flag=${2:-plain} rc_outcome=already
  runctl_proc $$ || runctl_fail 70 no-process "cannot read the start time of a process: neither /proc nor ps works here"
  rc_text="$rc_id $$ $rc_start $rc_flag"
  while [ ! -L "$rc_run/launch" ]; do
    runctl_top
    # shellcheck disable=SC2046
    set -- $(readlink "$rc_base/claims/$rc_top")
    if [ $# -gt 2 ] && [ ! -L "$rc_base/runs/$1/launch" ] && runctl_alive "$2" "$3"; then
      # Claimed a moment ago and not recorded yet. Our own run: another call launches it. A forced launch waits its turn.
      rc_other=$1
      [ "$1" = "$rc_id" ] || [ "$rc_flag" = --force ] || runctl_refuse
      runctl_nap 0.05
      continue
    fi
    # Only now, so that whoever was recorded meanwhile is seen here.
    [ "$rc_flag" = --force ] || ! runctl_busy || runctl_refuse
    rc_next=$rc_base/claims/$((rc_top + 1))
    if ! rc_why=$(ln -s "$rc_text" "$rc_next" 2>&1); then
      [ -L "$rc_next" ] || runctl_fail 73 unwritable "cannot create $rc_next: $rc_why"
      continue
    fi
    # A supervisor whose launcher was killed may have shown itself only now; it looks at the claims just after (see supervise).
    [ "$rc_flag" = --force ] || ! runctl_busy || runctl_refuse
    if ! rc_why=$(ln -s "$rc_text" "$rc_run/launch" 2>&1); then
      [ -L "$rc_run/launch" ] || runctl_fail 73 unwritable "cannot create $rc_run/launch: $rc_why"
      break
    fi
    rc_outcome=launched
    runctl_start
    break
  done
  runctl_phase
  runctl_begin
  runctl_say outcome "$rc_outcome"
  runctl_facts
  runctl_end
}
runctl_start() {
  runctl_place_log
  # The job's environment may hold secrets: for its owner's eyes only.
  if ! (umask 077 && printf '%s\nrunctl_main "$@"\n' "$RUNCTL_AGENT" >"$rc_run/agent.sh" && printf '%s\n' "$RUNCTL_JOB" >"$rc_run/job.sh") ||
    ! printf %s "$RUNCTL_SCRIPT" >"$rc_run/script" || ! : >>"$rc_run/training.log"; then
    runctl_fail 73 unwritable "cannot write in $rc_run"
  fi
  for rc_n in training.log training.pid training_exit_code.txt training_complete.txt; do
    runctl_link "$rc_base/$rc_n" "runs/$rc_id/$rc_n"
  done
  echo "$rc_id" | runctl_put "$rc_base/latest"
  runctl_own "$rc_run"
  cd "$rc_run" || runctl_fail 73 unwritable "cannot enter $rc_run"
  runctl_detached sh "$rc_run/agent.sh" supervise "$rc_run" "$rc_home" "$rc_user" </dev/null >>"$rc_run/supervisor.log" 2>&1 &
  runctl_started $! "$rc_run/job" "$rc_run/exit_record" || runctl_fail 70 not-started "the supervisor of $rc_id did not start: $(tail -c 1000 "$rc_run/supervisor.log")"
}
runctl_place_log() { # training.log of the run leads to where the log is wanted; what is in it already moves there
  [ -n "$rc_log_file" ] || return 0
  if [ -f "$rc_run/training.log" ] && [ ! -L "$rc_run/training.log" ]; then
    rc_why=$( (cat "$rc_run/training.log" >>"$rc_log_file") 2>&1) || runctl_fail 73 log-unwritable "the log cannot be written to $rc_log_file: $rc_why"
  fi
  rc_why=$( (: >>"$rc_log_file") 2>&1) || runctl_fail 73 log-unwritable "the log cannot be written to $rc_log_file: $rc_why"
  runctl_own "$rc_log_file"
  runctl_link "$rc_run/training.log" "$rc_log_file"
}
runctl_link() { # LINK TARGET: replaced in one step
  ln -s "$2" "$1.$$" && mv -f "$1.$$" "$1"
}
# RUN_DIRECTORY HOME USER: detached, one per run. Starts the job, keeps the heartbeat, writes down how it ended.
runctl_supervise() {
  rc_run=$1 rc_base=${1%/runs/*} rc_id=${1##*/}
  rc_me=$(id -u) rc_group=$(id -g)
  rc_owner=$rc_me rc_user=$3
  HOME=$2 USER=$3 LOGNAME=$3
  export HOME USER LOGNAME
  cd "$rc_run" || exit 1
  runctl_proc $$
  rc_self=$rc_start
  runctl_born
  echo "$rc_born" | runctl_put boot
  echo "$$ $rc_self" | runctl_put supervisor
  runctl_top
  # shellcheck disable=SC2046
  set -- $(readlink "$rc_base/claims/$rc_top")
  if [ "$1" != "$rc_id" ] && [ "${4-}" != --force ]; then
    echo "runctl: $1 was launched meanwhile; $rc_id does not start" | tee -a training.log
    exit 1
  fi
  # As the user of the job, who may be kept out of a directory that the launch could write in as root.
  rc_why=$( (: >>training.log) 2>&1) || {
    echo "runctl: $rc_user cannot write the log: $rc_why"
    exit 1
  }
  head -c 65536 /dev/zero >reserve # given back at the end, so that a full disk cannot keep the exit record from being written
  rc_started=$(date +%s)
  runctl_detached sh "$rc_run/agent.sh" exec "$rc_run" </dev/null >>training.log 2>&1 &
  rc_pid=$!
  runctl_proc "$rc_pid"
  echo "$rc_pid" | runctl_put training.pid
  echo "$rc_pid $rc_start $rc_started" | runctl_put job
  (
    trap '[ "$!" = "$rc_pid" ] || kill "$!" 2>/dev/null; exit 0' TERM # $! is the sleep, before the first one still the job
    while runctl_alive $$ "$rc_self"; do
      date +%s | runctl_put heartbeat
      sleep 5 &
      wait "$!"
    done
  ) </dev/null >/dev/null 2>&1 &
  rc_heart=$!
  trap '' HUP INT TERM # only after both were started, or they would ignore them too: at shutdown everybody gets TERM
  wait "$rc_pid"
  rc_exit=$?
  rm -f reserve
  echo "$rc_exit" | runctl_put training_exit_code.txt
  [ "$rc_exit" != 0 ] || echo "$rc_id" | runctl_put training_complete.txt
  printf 'exit_code=%s\npid=%s\nstarted_at=%s\nended_at=%s\n' "$rc_exit" "$rc_pid" "$rc_started" "$(date +%s)" | runctl_put exit_record
  kill "$rc_heart" 2>/dev/null
  wait "$rc_heart" 2>/dev/null
  exit 0
}
# job.sh calls this with CODE_DIRECTORY SCRIPT ARGS... and defines runctl_job_env.
runctl_exec() {
  rc_code=${1:-$rc_run/code} rc_script=$2
  shift 2
  cd "$rc_code" || { echo "runctl: no code directory $rc_code"; exit 127; }
  [ -f "$rc_script" ] || { echo "runctl: no script $rc_script in $rc_code"; exit 127; }
  # Many scripts save to ./checkpoints whatever they are told: in code that is the run's own it leads to the right place.
  [ "$rc_code" != "$rc_run/code" ] || [ -e checkpoints ] || ln -s ../checkpoints checkpoints 2>/dev/null || :
  rc_line=''
  case $rc_script in -*) rc_path=./$rc_script ;; */* | *.py) rc_path=$rc_script ;; *) rc_path=./$rc_script ;; esac
  IFS= read -r rc_line <"$rc_path" 2>/dev/null || :
  rc_line=${rc_line%"$(printf '\r')"}
  if [ "${rc_path%.py}" != "$rc_path" ]; then
    rc_python=python3
    # What a Deep Learning image was made for is not in its python3.
    [ "$rc_code" != "$rc_run/code" ] || [ ! -x /opt/pytorch/bin/python ] || rc_python=/opt/pytorch/bin/python
    [ ! -x .venv/bin/python ] || rc_python=$rc_code/.venv/bin/python
    set -- "$rc_python" "$rc_path" "$@"
  elif [ -x "$rc_path" ]; then
    set -- "$rc_path" "$@"
  elif [ "${rc_line#\#!}" != "$rc_line" ]; then
    set -- "$rc_path" "$@"
    read -r rc_word rc_rest <<RUNCTL_SHEBANG
${rc_line#\#!}
RUNCTL_SHEBANG
    [ -z "$rc_rest" ] || set -- "$rc_rest" "$@"
    set -- "$rc_word" "$@"
  elif [ "${rc_path%.sh}" != "$rc_path" ]; then
    set -- sh "$rc_path" "$@"
  else
    echo "runctl: $rc_script is neither .py, .sh nor executable, and has no #! line"
    exit 126
  fi
  PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin} PYTHONUNBUFFERED=1
  export PATH PYTHONUNBUFFERED
  if [ -x .venv/bin/python ]; then # for python, accelerate and the like in shell scripts
    VIRTUAL_ENV=$rc_code/.venv PATH=$rc_code/.venv/bin:$PATH
    export VIRTUAL_ENV
  fi
  runctl_job_env
  RUNCTL_RUN_ID=$rc_id RUNCTL_RUN_DIR=$rc_run RUNCTL_CHECKPOINT_DIR=$rc_run/checkpoints RUNCTL_CODE_DIR=$rc_code
  export RUNCTL_RUN_ID RUNCTL_RUN_DIR RUNCTL_CHECKPOINT_DIR RUNCTL_CODE_DIR
  exec "$@"
}
