# Tools that their authors publish in the npm registry: programs of their own
# (deno, bun) and scripts for Node (pnpm, yarn).
{ lib, lock, config, system, stage0, fetch, groups, patchelf, interpreter, bash, nodejs, ... }:
let
  pins = tool: lib.attrNames lock.npm.${tool};
  make = { tool, line, pname ? tool, script ? null, extra ? { } }:
    let pin = lock.npm.${tool}.${line}; in
    derivation ({
      name = "${pname}-${pin.version}";
      inherit system stage0 tool patchelf interpreter;
      package = fetch { name = pin.file; url = config.npm + pin.path; inherit (pin) hash; };
      search = lib.concatMapStringsSep ":" (g: "${groups.${g}}/lib/x86_64-linux-gnu") [ "glibc" ];
      builder = "${stage0}/bin/sh";
      args = [ ../build/tool.sh ];
      shell = "${bash}/bin/bash";
    } // extra) // {
      inherit pname;
      inherit (pin) version;
      meta.mainProgram = if pname == "yarn-berry" then "yarn" else pname;
      passthru = { };
    };
  script = tool: pname: line: lib.makeOverridable ({ nodejs }: make { inherit tool line pname; extra = { inherit nodejs; }; }) { inherit nodejs; };
  newest = tool: lib.foldl' (a: b: if lib.versionOlder a b then b else a) "0" (pins tool);
  pnpm = lib.genAttrs (pins "pnpm") (script "pnpm" "pnpm");
  berry = lib.genAttrs (pins "yarn-berry") (script "yarn-berry" "yarn-berry");
in
{
  deno = make { tool = "deno"; line = newest "deno"; };
  bun = make { tool = "bun"; line = newest "bun"; };
  pnpm = pnpm.${newest "pnpm"};
  yarn = script "yarn" "yarn" "1";
  yarn-berry = berry.${newest "yarn-berry"};
}
// lib.mapAttrs' (line: lib.nameValuePair "pnpm_${line}") pnpm
// lib.mapAttrs' (line: lib.nameValuePair "yarn-berry_${line}") berry
