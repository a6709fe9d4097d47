#!/bin/sh
# Where the lease of a machine is kept: with its guard, which has no home to go by when the machine boots, and with its agent.
# Never below the home of whoever trains: a clean-up there must not end the bounds.
# shellcheck disable=SC2034
runctl_lease_place() { # -> rc_lease
  case ${HOME-} in
    '' | / | /root | /root/ | [!/]*)
      rc_lease=/var/lib/runctl
      [ -w "$rc_lease" ] || [ -w /var/lib ] || rc_lease=/root/.runctl-lease # where the system is read-only
      ;;
    *) rc_lease=${HOME%/}/.runctl-lease ;; # no machine of its own: whoever calls is at home
  esac
}
