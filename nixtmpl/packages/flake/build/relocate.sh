# Unpacks .debs into $out as one store path that works without /usr: run by
# busybox' shell with busybox' tools.
#
#   $debs         the files
#   $deps         store paths that they may refer to: the transitive dependencies
#   $interpreter  the ELF interpreter; none in stage 1 and for glibc itself
#   $shell        what /bin/sh becomes in scripts, if anything
#   $patchelf     the command, several words; none in stage 1
#   $tools        folder with xz; none in stage 1
#   $finish       shell to run at the end, in $out
set -eu
export PATH=${tools:+$tools:}$stage0/bin
umask 022

triplet=x86_64-linux-gnu
mkdir "$NIX_BUILD_TOP/root" "$out"
cd "$NIX_BUILD_TOP/root"

for deb in $debs; do
  member=$(ar t "$deb" | grep '^data\.tar')
  case $member in
  *.xz) ar p "$deb" "$member" | xz -dc | tar x -o ;;
  *.gz) ar p "$deb" "$member" | gzip -dc | tar x -o ;;
  *.tar) ar p "$deb" "$member" | tar x -o ;;
  *) echo "cannot unpack $member of $deb" >&2; exit 1 ;;
  esac
done
chmod -R u+w .

# /usr/X becomes $out/X.
if [ -d usr ]; then
  for entry in usr/*; do
    name=${entry#usr/}
    if [ -e "$name" ]; then cp -a "$entry/." "$name/"; else mv "$entry" "$name"; fi
  done
  rm -rf usr
fi
# What only an installed system uses. Licences stay.
rm -rf var etc/init.d etc/cron* lib/systemd lib/udev \
  share/man share/info share/locale share/lintian share/bug share/doc-base share/bash-completion share/zsh share/fish \
  share/gdb share/applications share/pixmaps share/icons share/menu
if [ -d share/doc ]; then
  find share/doc ! -type d ! -name copyright -exec rm -f {} +
fi
for entry in * .[!.]*; do
  if [ -e "$entry" ] || [ -L "$entry" ]; then mv "$entry" "$out/"; fi
done
cd "$out"

# Libraries where nixpkgs has them.
if [ -d lib/$triplet ]; then
  for library in lib/$triplet/lib*.so lib/$triplet/lib*.so.*; do
    name=${library##*/}
    if [ -e "$library" ] && [ ! -e "lib/$name" ]; then ln -s "$triplet/$name" "lib/$name"; fi
  done
fi

# look PATH: the store path of an absolute path of an installed system.
look() {
  rel=${1#/}
  rel=${rel#usr/}
  for store in $out $deps; do
    if [ -e "$store/$rel" ] || [ -L "$store/$rel" ]; then
      echo "$store/$rel"
      return 0
    fi
  done
  return 1
}

find . -type l | while read -r link; do
  target=$(readlink "$link")
  case $target in
  /nix/*) ;;
  /*)
    if found=$(look "$target"); then ln -sfn "$found" "$link"; else
      echo "dropping $link, which points to $target"
      rm "$link"
    fi ;;
  esac
done

# Scripts: the interpreter by its store path.
find . -type f -perm -100 -exec awk 'FNR == 1 { if (/^#!/) print FILENAME; nextfile }' {} + 2>/dev/null | while read -r script; do
  read -r line < "$script" || continue
  set -f
  # shellcheck disable=SC2086 # an interpreter and its arguments
  set -- ${line#\#!}
  set +f
  program=$1
  shift
  case $program in
  /nix/*) continue ;;
  */env)
    [ $# -gt 0 ] || continue
    program=/usr/bin/$1
    shift ;;
  esac
  case $program in
  /bin/sh | /usr/bin/sh) found=${shell:-} ;;
  *) found=$(look "$program") || continue ;;
  esac
  [ -n "$found" ] || continue
  sed -i -e "1s|.*|#!$found $*|" -e '1s| *$||' "$script"
done

find . -name '*.pc' -type f | while read -r pc; do
  sed -i -e "s|^prefix=/usr|prefix=$out|" -e "s|=/usr/|=$out/|" "$pc"
done

# ELF files: the interpreter, and as search path just the folders of the
# libraries that they ask for, so that the references are the run-time closure.
# A group can have hundreds of them: few processes for each.
relocate_elf() {
  has=
  case $1 in
  *.so | *.so.*) needed=$($patchelf --print-needed "$1" 2>/dev/null) || return 0 ;;
  *)
    # the interpreter comes first
    if needed=$($patchelf --print-interpreter --print-needed "$1" 2>/dev/null); then has=1; else
      needed=$($patchelf --print-needed "$1" 2>/dev/null) || return 0
    fi ;;
  esac
  search=
  for library in $needed; do
    case $library in /* | ld-linux*) continue ;; esac
    find_library "$library" || { echo "no package has $library, which $1 needs"; continue; }
    case :$search: in *":$folder:"*) ;; *) search=$search${search:+:}$folder ;; esac
  done
  if [ -n "$has" ]; then
    $patchelf --set-interpreter "$interpreter" --set-rpath "$search" "$1"
  elif [ -n "$search" ]; then
    $patchelf --set-rpath "$search" "$1"
  fi
}

# find_library NAME: sets folder to the folder that has it.
find_library() {
  case $own in
  *"/$1
"*)
    folder=${own%%"/$1
"*}
    folder=$out/${folder##*"
"./}
    return 0 ;;
  esac
  for store in $deps; do
    for folder in "$store/lib/$triplet" "$store/lib"; do
      if [ -e "$folder/$1" ]; then return 0; fi
    done
  done
  return 1
}

if [ -n "${interpreter:-}" ]; then
  # The group's own libraries, a line each; links in lib/ come last.
  own=$(
    echo
    find . -name '*.so*' ! -type d ! -path './lib/lib*'
    find . -name '*.so*' ! -type d -path './lib/lib*'
    echo .
  )
  find . -type f \( -perm -100 -o -name '*.so' -o -name '*.so.*' \) ! -name '*.o' ! -name '*.a' \
    -exec grep -l "$(printf '^\177ELF')" {} + | while read -r program; do
    relocate_elf "$program"
  done
fi

eval "$finish"
