# Guile, whose folders are compiled in. Its strings are Latin-1, which the C library converts by a module.
{ lib, lock, groups, runCommand, bash, ... }:
let
  version = lib.head (lib.splitString "+" lock.groups.guile30.version);
  guile = runCommand "guile-${version}" { pname = "guile"; inherit version; meta.mainProgram = "guile"; from = groups.guile30; shell = "${bash}/bin/bash"; guild = ../build/guild.scm; passthru.effectiveVersion = "3.0"; } ''
    mkdir -p $out/bin
    native=$from/lib/x86_64-linux-gnu/guile/3.0
    printf '#!%s\nexport GUILE_SYSTEM_PATH=%s GUILE_SYSTEM_COMPILED_PATH=%s GUILE_SYSTEM_EXTENSIONS_PATH=%s GCONV_PATH=%s\nexec %s/bin/guile-3.0 "$@"\n' \
      $shell $from/share/guile/3.0 $native/ccache $native/extensions ${groups.glibc}/lib/x86_64-linux-gnu/gconv $from > $out/bin/guile
    printf '#!%s\nexec %s/bin/guile --no-auto-compile %s "$@"\n' $shell $out $guild > $out/bin/guild
    chmod +x $out/bin/*
  '';
in
{ inherit guile; guile_3_0 = guile; }
