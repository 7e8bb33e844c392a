{ lib }:
let
  # Debian's certifi reads /etc, which a build does not have.
  certifi = folder: ''
    authorities=$(look /usr/share/ca-certificates/mozilla)
    cat "$authorities"/*.crt > ${folder}/cacert.pem
    sed -i "s|'/etc/ssl/certs/ca-certificates.crt'|'$out/${folder}/cacert.pem'|" ${folder}/core.py
    grep -q "$out/${folder}/cacert.pem" ${folder}/core.py
  '';
  # Python modules are compiled here, as Debian does it when it installs them: a
  # process cannot write into the store (Flask starts in 0.2 s instead of 0.7).
  # One process, in one order: the same bytes each time.
  compile = python: folder: ''
    PYTHONHASHSEED=0 ${python} -m compileall -q --invalidation-mode unchecked-hash "$out/${folder}" || true # some files are for another python
  '';
  # One folder of headers, as other systems than Debian have them.
  developer = ''
    if [ -d include/x86_64-linux-gnu ]; then
      (cd include/x86_64-linux-gnu && find . ! -type d) | while read -r header; do
        [ ! -e "include/$header" ] || continue
        mkdir -p "include/''${header%/*}"
        ln -s "$out/include/x86_64-linux-gnu/''${header#./}" "include/$header"
      done
    fi
    # lib/x.so leads to the library of another package
    find lib -name '*.so' -type l 2>/dev/null | while read -r link; do
      [ ! -e "$link" ] || continue
      target=$(readlink "$link")
      if found=$(look "/usr/lib/x86_64-linux-gnu/''${target##*/}"); then
        ln -sfn "$found" "$link"
        for version in "''${found%.so.*}".so.*; do [ -e "''${link%/*}/''${version##*/}" ] || ln -s "$version" "''${link%/*}/"; done
      fi
    done
  '';
in
# What maintainer scripts do on an installed system and a package cannot do
# without, or what only costs space. Shell, run in $out by build/relocate.sh.
{
  ofPython = ''
    if [ -d lib/python3/dist-packages ] && python=$(look /usr/bin/python3.13); then
      ${compile "$python" "lib/python3/dist-packages"}
    fi
  '';

  byKind = name:
    if lib.hasPrefix "libghc-" name then builtins.readFile ./fixups/ghc.sh
    else lib.optionalString (lib.hasSuffix "dev" name) developer;

  ruby33 = builtins.readFile ./fixups/ruby.sh;
  php84 = builtins.readFile ./fixups/php.sh;
  perl5 = builtins.readFile ./fixups/perl.sh;
  erlang27 = builtins.readFile ./fixups/erlang.sh;
  ghc96 = builtins.readFile ./fixups/ghc.sh;
  r45 = builtins.readFile ./fixups/r.sh;

  # What Debian's alternatives choose.
  libblas3 = "ln -s blas/libblas.so.3 lib/x86_64-linux-gnu/libblas.so.3";
  liblapack3 = "ln -s lapack/liblapack.so.3 lib/x86_64-linux-gnu/liblapack.so.3";
  jdk21 = builtins.readFile ./fixups/jdk.sh;
  jdk25 = builtins.readFile ./fixups/jdk.sh;

  bash = "ln -sf bash bin/sh";
  gawk = "ln -sf gawk bin/awk";

  # A process has no /usr/share/zoneinfo.
  ruby-tzinfo = ''
    zones=$(look /usr/share/zoneinfo)
    sed -i "s|DEFAULT_SEARCH_PATH = \['/usr/share/zoneinfo'|DEFAULT_SEARCH_PATH = ['$zones'|" share/rubygems-integration/all/gems/tzinfo-*/lib/tzinfo/data_sources/zoneinfo_data_source.rb
    grep -q "'$zones'" share/rubygems-integration/all/gems/tzinfo-*/lib/tzinfo/data_sources/zoneinfo_data_source.rb
  '';

  # Pages that only errors of a developer show.
  libmojolicious-perl = "find -L share -type l -exec rm {} +";

  postgresql17 = builtins.readFile ./fixups/postgresql.sh;

  # The marker forbids pip to install anywhere; it is about a system's Python.
  python313 = ''
    ln -sf python3.13 bin/python3
    ln -sf python3.13 bin/python
    rm -rf lib/python3.13/EXTERNALLY-MANAGED lib/python3.13/test lib/python3.13/idlelib
    ${compile "bin/python3.13" "lib/python3.13"}
  '';

  python3-certifi = certifi "lib/python3/dist-packages/certifi";
  python3-pip = certifi "lib/python3/dist-packages/pip/_vendor/certifi";

  # OpenSSL looks for its modules where Debian has them.
  python3-cryptography = ''
    modules=$(look /usr/lib/x86_64-linux-gnu/ossl-modules)
    printf '\nimport os\nos.environ.setdefault("OPENSSL_MODULES", "%s")\n' "$modules" >> lib/python3/dist-packages/cryptography/__init__.py
  '';

  # Linker scripts name libraries by absolute path.
  libc6-dev = ''
    glibc=$(look /usr/lib64/ld-linux-x86-64.so.2)
    glibc=''${glibc%/lib64/*}
    for script in lib/x86_64-linux-gnu/libc.so lib/x86_64-linux-gnu/libm.so lib/x86_64-linux-gnu/libm.a; do
      head -c 2 $script | grep -q '/\*' || continue
      sed -i -e 's|\(/usr\)*/lib\(64\)*/\(x86_64-linux-gnu/\)*\([^ ]*\)|@@\2/\3\4|g' $script
      sed -i -e "s|@@64/|$glibc/lib64/|g" -e "s|@@/\([^ ]*\.a\)|$out/lib/\1|g" -e "s|@@/|$glibc/lib/|g" $script
    done
  '';
}
