# mkDerivation with nixpkgs' names: phases, hooks, env, passAsFile, outputs,
# finalAttrs, overrideAttrs. The shell side is build/setup.sh.
{ lib, system, bash, cc, initialPath }:
let
  platform = {
    inherit system;
    config = "x86_64-unknown-linux-gnu";
    isLinux = true;
    isDarwin = false;
    isx86_64 = true;
    isAarch64 = false;
    is64bit = true;
    isStatic = false;
    isMusl = false;
    parsed = { cpu.name = "x86_64"; kernel.name = "linux"; };
    canExecute = _: true;
    emulatorAvailable = _: true;
  };

  # Attributes that tell something to nix expressions only.
  notForTheBuilder = [ "meta" "passthru" "pos" "env" "strictDeps" "checkInputs" "nativeCheckInputs" ];

  # Of a library with headers of its own, the output that has them.
  clean = xs: map (x: x.forBuilding or x) (lib.filter (x: x != null && x != "") (lib.flatten xs));

  mkDerivationWith = compiler: argument:
    let
      make = f:
        let
          attrs = f final;
          drv = derivation (removeAttrs attrs notForTheBuilder // (attrs.env or { }) // {
            name = attrs.name or "${attrs.pname}-${attrs.version}";
            inherit system initialPath;
            builder = attrs.builder or "${bash}/bin/bash";
            args = attrs.args or [ "-e" ./build/default-builder.sh ];
            setup = ./build/setup.sh;
            builderShell = "${bash}/bin/bash";
            nativeBuildInputs = clean ([ (attrs.nativeBuildInputs or [ ]) ] ++ lib.optional (attrs.doCheck or false) (attrs.nativeCheckInputs or [ ]) ++ lib.optional (compiler != null) compiler);
            buildInputs = clean [ (attrs.buildInputs or [ ]) ];
            propagatedBuildInputs = clean [ (attrs.propagatedBuildInputs or [ ]) ];
            __ignoreNulls = true;
          });
          final = drv // (attrs.passthru or { }) // {
            pname = attrs.pname or (builtins.parseDrvName drv.name).name;
            version = attrs.version or (builtins.parseDrvName drv.name).version;
            passthru = attrs.passthru or { };
            meta = { inherit (drv) name; } // (attrs.meta or { });
            finalPackage = final;
            overrideAttrs = g: make (self:
              let
                previous = f self;
                once = if lib.isFunction g then g self else g;
                # either previous: attrs, or final: previous: attrs
                new = if lib.isFunction once then once previous else if lib.isFunction g then g previous else once;
              in
              previous // new);
          };
        in
        final;
    in
    make (if lib.isFunction argument then argument else (_: argument));

  mkStdenv = compiler: {
    inherit system initialPath;
    cc = compiler;
    name = if compiler == null then "stdenv-no-cc" else "stdenv";
    shell = "${bash}/bin/bash";
    hostPlatform = platform;
    buildPlatform = platform;
    targetPlatform = platform;
    inherit (platform) isLinux isDarwin;
    mkDerivation = mkDerivationWith compiler;
  };
in
{
  stdenv = mkStdenv cc;
  stdenvNoCC = mkStdenv null;
}
