# Languages that need a wrapper and no more: it says where Debian's files are.
{ lib, lock, groups, groupOf, hookFor, runCommand, bash, ... }:
let
  versionOf = group: lib.head (lib.splitString "-" (lib.head (lib.splitString "+" lock.groups.${group}.version)));
  wrapped = { pname, group, programs, env, hook ? null, extra ? "" }: runCommand "${pname}-${versionOf group}"
    {
      inherit pname hook;
      version = versionOf group;
      meta.mainProgram = lib.head (lib.attrNames programs);
      shell = "${bash}/bin/bash";
    } ''
    mkdir -p $out/bin
    wrap() {
      printf '#!%s\n%s\nexec %s "$@"\n' $shell "$settings" "$2" > $out/bin/$1
      chmod +x $out/bin/$1
    }
    settings=${lib.escapeShellArg (lib.concatStrings (lib.mapAttrsToList (name: value: "export ${name}=\"${value}\"\n") env))}
    ${lib.concatStringsSep "\n" (lib.mapAttrsToList (name: path: "wrap ${name} ${lib.escapeShellArg path}") programs)}
    if [ -n "$hook" ]; then
      mkdir -p $out/nix-support
      echo $hook $(cat $hook/nix-support/more-inputs) > $out/nix-support/propagated-build-inputs
    fi
    ${extra}
  '';

  crystalLibraries = [ "libpcre2-dev" "libssl-dev" "libyaml-dev" "libxml2-dev" "libgmp-dev" "libgc-dev" "libevent-dev" ];
  # Programs name the files that they were made of: a path without the compiler.
  crystalSources = runCommand "crystal-sources-${versionOf "crystal"}" { from = groups.crystal; } "cp -r $from/lib/crystal/lib $out";
  crystal = wrapped {
    pname = "crystal";
    group = "crystal";
    programs.crystal = "${groups.crystal}/bin/crystal";
    env = {
      CRYSTAL_PATH = "\${CRYSTAL_PATH-lib:${crystalSources}}";
      CRYSTAL_LIBRARY_PATH = "\${CRYSTAL_LIBRARY_PATH-${lib.concatMapStringsSep ":" (d: "${groups.${groupOf d}}/lib/x86_64-linux-gnu") crystalLibraries}}";
    };
    hook = hookFor "crystal" (map groupOf crystalLibraries);
  };
  shards = wrapped { pname = "shards"; group = "shards"; programs.shards = "${groups.shards}/bin/shards"; env = { }; };

  gnucobol = wrapped {
    pname = "gnucobol";
    group = "gnucobol3";
    programs = { cobc = "${groups.gnucobol3}/bin/cobc"; cobcrun = "${groups.gnucobol3}/bin/cobcrun"; };
    env = {
      COB_CONFIG_DIR = "${groups.gnucobol3}/share/gnucobol/config";
      COB_COPY_DIR = "${groups.gnucobol3}/share/gnucobol/copy";
      COB_CFLAGS = "\${COB_CFLAGS--O -pipe -fsigned-char -Wno-unused -Wno-pointer-sign -I${groups.gnucobol3}/include}";
      COB_LIBS = "\${COB_LIBS--L${groups.gnucobol3}/lib/x86_64-linux-gnu -lcob -Wl,-rpath,${groups.gnucobol3}/lib/x86_64-linux-gnu}";
    };
    hook = hookFor "gnucobol" [ "libgmp-dev" "libncurses-dev" ];
  };
in
{
  inherit crystal shards gnucobol;
  gnu-cobol = gnucobol;
}
