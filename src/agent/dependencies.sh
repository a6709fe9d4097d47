#!/bin/sh
# The part of the runctl agent that installs what a project depends on. Appended to agent.sh and agent-launch.sh: an install is a
# job of its own, with the same launch, log, exit record and stop, below BASE/installs; what it makes lies below BASE/envs.
# The work itself is done by dependencies.py, by the owner of the home, never by root.
# shellcheck disable=SC2154,SC2034

runctl_install_places() { # RUN_ID -> as runctl_home and runctl_run, but of its install; rc_job_run: the run that needs it
  runctl_home
  rc_machine_base=$rc_base
  runctl_run "$1"
  rc_job_run=$rc_run rc_base=$rc_base/installs
  runctl_run "$1"
}
# RUN_ID, with RUNCTL_AGENT, RUNCTL_INSTALL_PY and RUNCTL_INSTALL_REQUEST (JSON) set by the caller.
runctl_install() {
  runctl_install_places "$1"
  [ -d "$rc_job_run/code" ] || runctl_fail 66 unknown-run "no code in $rc_job_run"
  command -v python3 >/dev/null 2>&1 || runctl_fail 69 no-python "there is no python3 on this machine"
  rc_envs=$rc_machine_base/envs
  rc_why=$(mkdir -p "$rc_envs" 2>&1) || runctl_fail 73 unwritable "cannot create $rc_envs: $rc_why"
  [ "$rc_me" = "$rc_owner" ] || chown -h "$rc_owner:$rc_group" "$rc_machine_base" "$rc_envs"
  runctl_own "$rc_job_run"
  rc_file=$rc_job_run/.install.py # gone again before the job starts
  printf '%s\n' "$RUNCTL_INSTALL_PY" >"$rc_file" || runctl_fail 73 unwritable "cannot write in $rc_job_run"
  chmod 644 "$rc_file"
  # An environment that is there already costs this one look and nothing else.
  rc_said=$(
    HOME=$rc_home
    export HOME
    runctl_detached sh -c "$(runctl_install_line "$rc_file" look)" </dev/null 2>&1
  )
  rc_state=$?
  rm -f "$rc_file"
  if [ "$rc_state" = 0 ]; then
    runctl_begin
    runctl_say outcome ready
    runctl_say64 detail "$rc_said"
    runctl_end
    return
  fi
  RUNCTL_SCRIPT=install RUNCTL_LOG=''
  RUNCTL_JOB="printf '%s\\n' $(runctl_word "$RUNCTL_INSTALL_PY") >\"\$rc_run/install.py\" || exit 1
$(runctl_install_line "$rc_base/runs/$rc_id/install.py" install)"
  rc_n=../../installs/runs/$rc_id/training.log
  [ -L "$rc_job_run/install.log" ] || ln -s "$rc_n" "$rc_job_run/install.log" || runctl_fail 73 unwritable "cannot write in $rc_job_run"
  [ "$rc_me" = "$rc_owner" ] || chown -h "$rc_owner:$rc_group" "$rc_job_run/install.log"
  runctl_launch "$1" --force
}
runctl_install_line() { # PROGRAM MODE: in the code, with the variables of the job, which it finds and leaves there
  rc_n=$(runctl_word "$rc_job_run/env.sh")
  printf '%s\n' "[ ! -f $rc_n ] || . $rc_n" 'PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}' 'export PATH' \
    "cd $(runctl_word "$rc_job_run/code") || exit 1" \
    "exec python3 -I -u $(runctl_word "$1") $2 $(runctl_word "$rc_job_run/code") $(runctl_word "$rc_envs") $(runctl_word "$RUNCTL_INSTALL_REQUEST")"
}
runctl_word() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }
runctl_install_main() {
  unset CDPATH
  rc_word=$1
  shift
  case $rc_word in
    install) runctl_install "$1" ;;
    watch)
      runctl_install_places "$1"
      runctl_watch "$@"
      ;;
    stop)
      runctl_install_places "$1"
      runctl_stop "$@"
      ;;
    *) runctl_fail 64 usage "unknown word '$rc_word'" ;;
  esac
}
