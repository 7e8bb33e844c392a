# The generic builder: environment, hooks and phases under nixpkgs' names.
set -eo pipefail

# Not $BASH: nix starts the builder without a path, and bash then guesses.
export SHELL=$builderShell CONFIG_SHELL=$builderShell TERM=dumb
export HOME=${HOME:-/homeless-shelter}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-315532800} # 1980: the oldest that zip files can hold
export NIX_BUILD_CORES=${NIX_BUILD_CORES:-1}

declare -a preHooks postHooks preFixupHooks postFixupHooks fixupOutputHooks envHooks

# runHook NAME: the hooks that setup hooks registered, then the function or
# variable of that name.
runHook() {
  local name=$1 hook list="$1Hooks[@]"
  for hook in "${!list}"; do "$hook"; done
  if declare -F "$name" >/dev/null; then "$name"
  elif [ -n "${!name:-}" ]; then eval "${!name}"; fi
}

# --- inputs ---

addInput() {
  local input=$1 file
  case " $_inputs " in *" $input "*) return 0 ;; esac
  _inputs+=" $input"
  if [ -f "$input" ]; then . "$input"; return 0; fi
  [ ! -d "$input/bin" ] || _path+=${_path:+:}$input/bin
  if [ -f "$input/nix-support/propagated-build-inputs" ]; then
    for file in $(< "$input/nix-support/propagated-build-inputs"); do addInput "$file"; done
  fi
  if [ -f "$input/nix-support/setup-hook" ]; then . "$input/nix-support/setup-hook"; fi
  addDevelopmentPaths "$input"
}

# What a compiler and pkg-config must know of an input.
addDevelopmentPaths() {
  local dir
  for dir in lib/pkgconfig share/pkgconfig lib/x86_64-linux-gnu/pkgconfig; do
    [ ! -d "$1/$dir" ] || export PKG_CONFIG_PATH=${PKG_CONFIG_PATH:-}${PKG_CONFIG_PATH:+:}$1/$dir
  done
  [ ! -d "$1/include" ] || export NIX_CFLAGS_COMPILE="${NIX_CFLAGS_COMPILE:-} -isystem $1/include"
  for dir in lib lib/x86_64-linux-gnu; do
    compgen -G "$1/$dir/*.so" >/dev/null || continue
    export NIX_LDFLAGS="${NIX_LDFLAGS:-} -L$1/$dir -rpath $1/$dir"
    break
  done
}

_inputs= _path=
for _input in ${nativeBuildInputs:-} ${buildInputs:-} ${propagatedNativeBuildInputs:-} ${propagatedBuildInputs:-}; do
  addInput "$_input"
done
for _input in $initialPath; do _path+=${_path:+:}$_input/bin; done
export PATH=$_path
unset _inputs _path _input

# --- tools that phases call ---

substitute() {
  local from=$1 to=$2 text
  shift 2
  text=$(cat "$from"; printf .)
  text=${text%.}
  while [ $# -gt 0 ]; do
    case $1 in
    --replace-fail)
      [[ $text == *"$2"* ]] || { echo "substitute: $from does not contain $2" >&2; return 1; }
      text=${text//"$2"/"$3"}; shift 3 ;;
    --replace | --replace-warn | --replace-quiet) text=${text//"$2"/"$3"}; shift 3 ;;
    --subst-var) text=${text//"@$2@"/"${!2}"}; shift 2 ;;
    --subst-var-by) text=${text//"@$2@"/"$3"}; shift 3 ;;
    *) echo "substitute: unknown option $1" >&2; return 1 ;;
    esac
  done
  printf %s "$text" > "$to"
}
substituteInPlace() {
  local -a files
  local file
  while [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; do files+=("$1"); shift; done
  for file in "${files[@]}"; do substitute "$file" "$file" "$@"; done
}

# patchShebangs FILES…: interpreters found in PATH by their store paths.
patchShebangs() {
  local file line program found
  case ${1:-} in --build | --host) shift ;; esac
  find "$@" -type f -perm -0100 -print0 | while IFS= read -r -d "" file; do
    IFS= read -r line 2>/dev/null < <(head -c 256 "$file" | tr -d '\0') || [ -n "$line" ] || continue
    [ "${line:0:2}" = "#!" ] || continue
    read -r program line <<< "${line:2}"
    case $program in
    "$NIX_STORE"/*) continue ;;
    */env)
      read -r program line <<< "${line#-S }" ;;
    esac
    found=$(type -P "$(basename "$program")") || continue
    line="#!$found${line:+ $line}"
    if [ -w "$file" ]; then sed -i "1s|.*|${line//|/\\|}|" "$file"; else
      chmod u+w "$file"
      sed -i "1s|.*|${line//|/\\|}|" "$file"
      chmod u-w "$file"
    fi
  done
}

# --- phases ---

unpackFile() {
  local name
  if [ -d "$1" ]; then
    name=$(stripHash "$1")
    cp -r --no-preserve=mode,ownership --reflink=auto "$1" "$name"
    # keep the execute bits, which --no-preserve=mode drops
    (cd "$1" && find . -type f -perm -0100 -print0) | (cd "$name" && xargs -0 -r chmod +x --)
    return
  fi
  case $1 in
  *.tar | *.tar.* | *.tgz | *.tbz2 | *.txz) tar xf "$1" ;;
  *.zip) unzip -q "$1" ;;
  *) echo "do not know how to unpack $1" >&2; return 1 ;;
  esac
}
stripHash() {
  local name=${1##*/}
  if [[ $name =~ ^[a-z0-9]{32}- ]]; then name=${name:33}; fi
  echo "$name"
}

unpackPhase() {
  local source dir
  runHook preUnpack
  for source in ${srcs:-${src:-}}; do
    if [ -n "${unpackCmd:-}" ]; then curSrc=$source; eval "$unpackCmd"; else unpackFile "$source"; fi
  done
  if [ -n "${setSourceRoot:-}" ]; then eval "$setSourceRoot"
  elif [ -z "${sourceRoot:-}" ]; then
    for dir in */; do [ "$dir" = "*/" ] || sourceRoot=${dir%/}; done
  fi
  [ -z "${sourceRoot:-}" ] || [ -n "${dontMakeSourcesWritable:-}" ] || chmod -R u+w -- "$sourceRoot"
  runHook postUnpack
}
patchPhase() {
  local file
  runHook prePatch
  for file in ${patches:-}; do patch ${patchFlags:--p1} < "$file"; done
  runHook postPatch
}
configurePhase() {
  runHook preConfigure
  if [ -n "${configureScript:=$([ ! -x ./configure ] || echo ./configure)}" ]; then
    $configureScript ${dontAddPrefix:---prefix="${prefix:-$out}"} ${configureFlags:-}
  fi
  runHook postConfigure
}
buildPhase() {
  runHook preBuild
  if [ -n "${makefile:-}" ] || [ -e Makefile ] || [ -e makefile ] || [ -e GNUmakefile ]; then
    make ${makefile:+-f "$makefile"} ${enableParallelBuilding:+-j"$NIX_BUILD_CORES"} SHELL="$SHELL" ${makeFlags:-} ${buildFlags:-}
  fi
  runHook postBuild
}
checkPhase() {
  runHook preCheck
  make ${makefile:+-f "$makefile"} SHELL="$SHELL" ${makeFlags:-} ${checkFlags:-} ${checkTarget:-check}
  runHook postCheck
}
installPhase() {
  runHook preInstall
  make ${makefile:+-f "$makefile"} SHELL="$SHELL" ${makeFlags:-} ${installFlags:-} ${installTargets:-install}
  runHook postInstall
}
fixupPhase() {
  local output
  runHook preFixup
  for output in ${outputs:-out}; do
    [ -d "${!output}" ] || continue
    [ -n "${dontPatchShebangs:-}" ] || patchShebangs "${!output}"
  done
  if [ -n "${propagatedBuildInputs:-}" ]; then
    mkdir -p "$out/nix-support"
    echo "$propagatedBuildInputs" > "$out/nix-support/propagated-build-inputs"
  fi
  if [ -n "${setupHook:-}" ]; then
    mkdir -p "$out/nix-support"
    cp "$setupHook" "$out/nix-support/setup-hook"
  fi
  runHook postFixup
}

# wanted PHASE: whether its dont… or do… variable lets it run.
wanted() {
  case $1 in
  unpackPhase) [ -z "${dontUnpack:-}" ] ;;
  patchPhase) [ -z "${dontPatch:-}" ] ;;
  configurePhase) [ -z "${dontConfigure:-}" ] ;;
  buildPhase) [ -z "${dontBuild:-}" ] ;;
  checkPhase) [ -n "${doCheck:-}" ] ;;
  installPhase) [ -z "${dontInstall:-}" ] ;;
  fixupPhase) [ -z "${dontFixup:-}" ] ;;
  installCheckPhase) [ -n "${doInstallCheck:-}" ] ;;
  esac
}

runPhase() {
  [ -z "${NIX_LOG_FD:-}" ] || printf '@nix { "action": "setPhase", "phase": "%s" }\n' "$1" >&"$NIX_LOG_FD"
  echo "Running phase: $1"
  if [ -n "${!1:-}" ]; then eval "${!1}"; elif declare -F "$1" >/dev/null; then "$1"; fi
  if [ "$1" = unpackPhase ]; then cd -- "${sourceRoot:-.}"; fi
}

genericBuild() {
  local phase
  if [ -n "${buildCommandPath:-}" ]; then . "$buildCommandPath"; return; fi
  if [ -n "${buildCommand:-}" ]; then eval "$buildCommand"; return; fi
  for phase in ${phases:-${prePhases:-} unpackPhase patchPhase ${preConfigurePhases:-} configurePhase ${preBuildPhases:-} buildPhase \
    checkPhase ${preInstallPhases:-} installPhase ${preFixupPhases:-} fixupPhase installCheckPhase ${postPhases:-}}; do
    if wanted "$phase"; then runPhase "$phase"; fi
  done
}

runHook preHook
