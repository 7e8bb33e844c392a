# makeWrapper EXECUTABLE WRAPPER OPTIONS… and wrapProgram PROGRAM OPTIONS…, with
# the options of nixpkgs.
makeWrapper() {
  local original=$1 wrapper=$2 before= after= lines= run=
  shift 2
  while [ $# -gt 0 ]; do
    case $1 in
    --set) lines+="export $2=${3@Q}"$'\n'; shift 3 ;;
    --set-default) lines+="export $2=\${$2-${3@Q}}"$'\n'; shift 3 ;;
    --unset) lines+="unset $2"$'\n'; shift 2 ;;
    --chdir) lines+="cd ${2@Q}"$'\n'; shift 2 ;;
    --run) lines+="$2"$'\n'; shift 2 ;;
    --prefix) lines+="export $2=${4@Q}\${$2:+${3@Q}\$$2}"$'\n'; shift 4 ;;
    --suffix) lines+="export $2=\${$2:+\$$2${3@Q}}${4@Q}"$'\n'; shift 4 ;;
    --add-flag) before+=" ${2@Q}"; shift 2 ;;
    --append-flag) after+=" ${2@Q}"; shift 2 ;;
    --add-flags) before+=" $2"; shift 2 ;;
    --append-flags) after+=" $2"; shift 2 ;;
    --argv0) run+=" -a ${2@Q}"; shift 2 ;;
    --inherit-argv0) run+=' -a "$0"'; shift ;;
    *) echo "makeWrapper: unknown option $1" >&2; return 1 ;;
    esac
  done
  mkdir -p "$(dirname "$wrapper")"
  printf '#!%s\n%sexec%s %q%s "$@"%s\n' "$SHELL" "$lines" "$run" "$original" "$before" "$after" > "$wrapper"
  chmod +x "$wrapper"
}
makeShellWrapper() { makeWrapper "$@"; }
makeBinaryWrapper() { makeWrapper "$@"; }
wrapProgram() {
  local program=$1 hidden
  hidden=$(dirname "$program")/.$(basename "$program")-wrapped
  shift
  mv "$program" "$hidden"
  makeWrapper "$hidden" "$program" "$@"
}
wrapProgramShell() { wrapProgram "$@"; }
