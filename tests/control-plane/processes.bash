# shellcheck shell=bash
# Sourced by start and stop: what DIR/pids says about the processes of one control plane. Both set "dir".
# shellcheck disable=SC2154

# is_ours NAME: the process of DIR/pids/NAME still runs. Its command line must name its program and DIR, because the
# system may have given the number to a process of someone else.
is_ours() {
  local pid file=$dir/pids/$1 arguments
  [[ -s $file ]] || return 1
  pid=$(<"$file")
  is_running "$pid" || return 1
  arguments=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
  [[ $arguments == *"$1"* && $arguments == *"$dir"* ]]
}

# A zombie counts as gone: it is only waiting for its parent to take note.
is_running() {
  local status
  status=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  [[ ${status##*) } != [ZX]* ]]
}
