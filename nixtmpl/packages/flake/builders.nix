# nixpkgs' trivial builders and fetchurl.
{ lib, bash, stdenv, stdenvNoCC, fetch }:
let
  runCommandWith = { name, stdenv ? stdenvNoCC, derivationArgs ? { }, runLocal ? false }: buildCommand:
    stdenv.mkDerivation (derivationArgs // {
      inherit name buildCommand;
      passAsFile = [ "buildCommand" ] ++ (derivationArgs.passAsFile or [ ]);
    });
  runCommand = name: derivationArgs: runCommandWith { inherit name derivationArgs; };

  writeTextFile = { name, text, executable ? false, destination ? "", checkPhase ? "", meta ? { }, passthru ? { }, ... }:
    runCommand name
      {
        inherit text destination checkPhase meta passthru;
        passAsFile = [ "text" ];
        mode = if executable then "755" else "644";
      } ''
      target=$out$destination
      mkdir -p "$(dirname "$target")"
      cp "$textPath" "$target"
      chmod "$mode" "$target"
      eval "$checkPhase"
    '';
  script = text: "#!${bash}/bin/bash\n${text}\n";

  # Links of all files of the paths in one folder; the first path wins.
  buildEnv = { name, paths, pathsToLink ? [ "/" ], postBuild ? "", nativeBuildInputs ? [ ], meta ? { }, passthru ? { }, ... }:
    runCommand name
      {
        inherit nativeBuildInputs meta passthru;
        paths = lib.filter (p: p != null) paths;
        pathsToLink = map (lib.removePrefix "/") pathsToLink;
      } ''
      mkdir -p $out
      for path in $paths; do
        cd "$path"
        for link in ''${pathsToLink:-.}; do
          [ -d "$link" ] || continue
          find "$link" -mindepth 1 -type d -printf '%P\0' | (cd $out && mkdir -p "$link" && cd "$link" && xargs -0 -r mkdir -p -- .)
          find "$link" ! -type d -print0 | while IFS= read -r -d "" file; do
            [ -e "$out/$file" ] || [ -L "$out/$file" ] || ln -s "$path/''${file#./}" "$out/$file"
          done
        done
      done
      cd $out
      ${postBuild}
    '';

  mkShellWith = stdenv: { packages ? [ ], nativeBuildInputs ? [ ], inputsFrom ? [ ], name ? "nix-shell", ... }@attrs:
    stdenv.mkDerivation (removeAttrs attrs [ "packages" "inputsFrom" ] // {
      inherit name;
      outputs = [ "out" ];
      buildCommand = "export > $out";
      # what nix develop sources before it shows the environment
      stdenv = writeTextFile { name = "shell-stdenv"; destination = "/setup"; text = "source ${./build/setup.sh}"; };
      nativeBuildInputs = packages ++ nativeBuildInputs ++ lib.concatMap (d: (d.nativeBuildInputs or [ ]) ++ (d.buildInputs or [ ])) inputsFrom;
    });
in
{
  inherit runCommandWith runCommand writeTextFile buildEnv;
  runCommandLocal = runCommand;
  runCommandCC = name: derivationArgs: runCommandWith { inherit name stdenv derivationArgs; };

  writeText = name: text: writeTextFile { inherit name text; };
  writeTextDir = path: text: writeTextFile { inherit text; name = baseNameOf path; destination = "/${path}"; };
  writeScript = name: text: writeTextFile { inherit name text; executable = true; };
  writeScriptBin = name: text: writeTextFile { inherit name text; executable = true; destination = "/bin/${name}"; };
  writeShellScript = name: text: writeTextFile { inherit name; text = script text; executable = true; };
  writeShellScriptBin = name: text: writeTextFile { inherit name; text = script text; executable = true; destination = "/bin/${name}"; meta.mainProgram = name; };
  writeShellApplication = { name, text, runtimeInputs ? [ ], ... }: writeTextFile {
    inherit name;
    executable = true;
    destination = "/bin/${name}";
    meta.mainProgram = name;
    text = script ''
      set -o errexit -o nounset -o pipefail
      ${lib.optionalString (runtimeInputs != [ ]) "export PATH=${lib.makeBinPath runtimeInputs}:$PATH"}
      ${text}'';
  };
  symlinkJoin = { paths, name ? "${attrs.pname}-${attrs.version}", ... }@attrs: buildEnv (removeAttrs attrs [ "pname" "version" ] // { inherit name paths; });

  makeSetupHook = { name, propagatedBuildInputs ? [ ], ... }: hook: runCommand name { inherit propagatedBuildInputs; } ''
    mkdir -p $out/nix-support
    cp ${hook} $out/nix-support/setup-hook
    [ -z "$propagatedBuildInputs" ] || echo $propagatedBuildInputs > $out/nix-support/propagated-build-inputs
  '';
  makeWrapper = runCommand "make-wrapper-hook" { } ''
    mkdir -p $out/nix-support
    cp ${./build/make-wrapper.sh} $out/nix-support/setup-hook
  '';

  mkShell = mkShellWith stdenv;
  mkShellNoCC = mkShellWith stdenvNoCC;

  # Path depends on name and hash alone, as in nixpkgs.
  fetchurl = { url ? lib.head urls, urls ? [ url ], hash ? "", sha256 ? "", sha512 ? "", sha1 ? "", name ? null, executable ? false, ... }:
    let
      typed = algo: value: if value == "" then "" else if lib.hasInfix "-" value then value else "${algo}:${value}";
      given = lib.filter (h: h != "") [ hash (typed "sha256" sha256) (typed "sha512" sha512) (typed "sha1" sha1) lib.fakeHash ];
      legal = lib.concatStrings (map (part: if lib.isString part then part else "_") (builtins.split "[^A-Za-z0-9+._=-]+" (baseNameOf url)));
    in
    fetch {
      name = if name != null then name else legal;
      url = lib.head urls;
      hash = lib.head given;
      inherit executable;
    };
}
