# The package set for one system. Everything is lazy: what a derivation does not
# refer to is neither fetched nor built.
{ system }:
let
  lib = import ./lib.nix;

  # Pinned by hash; the addresses in config.json change no store path, because
  # the path of a fixed output depends on its name and hash alone.
  lock = lib.importJSON ./lock.json;
  config = { debian = ""; security = ""; npm = ""; go = ""; }
    // (if builtins.pathExists ./config.json then lib.importJSON ./config.json else { });

  bootstrap = import ./bootstrap.nix { inherit lib lock config system; };
  inherit (bootstrap) stage0 fetch groups closureOf groupOf relocateGroup patchelf interpreter;

  # A Debian group under the names that nixpkgs gives to packages.
  package = pname: group: groups.${group} // {
    inherit pname;
    inherit (lock.groups.${group}) version;
    meta.mainProgram = pname;
    passthru = { };
  };
  bash = package "bash" "bash";

  stdenvs = import ./stdenv.nix {
    inherit lib system bash;
    cc = toolchains.gcc;
    initialPath = map (g: package g g) [
      "coreutils" "findutils" "diffutils" "sed" "grep" "gawk" "tar" "gzip" "bzip2" "xz-utils" "unzip" "make" "bash" "patch"
    ];
  };
  inherit (stdenvs) stdenv stdenvNoCC;

  builders = import ./builders.nix { inherit lib bash stdenv stdenvNoCC fetch; };

  toolchainArguments = {
    inherit lib lock config system stage0 fetch groups closureOf groupOf relocateGroup patchelf interpreter bash;
    inherit (builders) runCommand;
  };
  libraries = import ./toolchains/libraries.nix toolchainArguments;
  toolchains = libraries.libraries // import ./toolchains/cc.nix toolchainArguments
    // import ./toolchains/go.nix toolchainArguments
    // import ./toolchains/node.nix (toolchainArguments // { inherit (toolchains) python3; })
    // import ./toolchains/python.nix toolchainArguments
    // import ./toolchains/ruby.nix toolchainArguments
    // import ./toolchains/php.nix (toolchainArguments // { inherit (self) cacert; })
    // import ./toolchains/perl.nix toolchainArguments
    // import ./toolchains/lua.nix toolchainArguments
    // import ./toolchains/rust.nix toolchainArguments
    // import ./toolchains/java.nix toolchainArguments
    // import ./toolchains/haskell.nix (toolchainArguments // { inherit (libraries) hookFor; })
    // import ./toolchains/more.nix (toolchainArguments // { inherit (libraries) hookFor; })
    // import ./toolchains/make.nix (toolchainArguments // { inherit (toolchains) python3; })
    // import ./toolchains/beam.nix toolchainArguments
    // import ./toolchains/guile.nix toolchainArguments
    // import ./toolchains/databases.nix toolchainArguments
    // import ./toolchains/r.nix toolchainArguments
    // import ./toolchains/tools.nix (toolchainArguments // { inherit (toolchains) nodejs; });

  self = builders // toolchains // {
    inherit lib system stdenv stdenvNoCC bash;
    bashInteractive = bash;
    runtimeShell = "${bash}/bin/bash";

    coreutils = package "coreutils" "coreutils";
    findutils = package "findutils" "findutils";
    diffutils = package "diffutils" "diffutils";
    gnugrep = package "grep" "grep";
    gnused = package "sed" "sed";
    gawk = package "gawk" "gawk";
    gnutar = package "tar" "tar";
    gzip = package "gzip" "gzip";
    bzip2 = package "bzip2" "bzip2";
    xz = package "xz" "xz-utils";
    gnumake = package "make" "make";
    gnupatch = package "patch" "patch";
    unzip = package "unzip" "unzip";
    file = package "file" "file";
    jq = package "jq" "jq";
    caddy = package "caddy" "caddy";
    socat = package "socat" "socat";
    hugo = package "hugo" "hugo";
    zsh = package "zsh" "zsh";
    tzdata = package "tzdata" "tzdata";
    zlib = package "zlib" "zlib1g" // {
      lib = builders.runCommand "zlib-lib" { } "mkdir -p $out/lib; ln -s ${groups.zlib1g}/lib/x86_64-linux-gnu/libz.so* $out/lib/"; # where nixpkgs has it
    };
    glibc = package "glibc" "glibc";
    busybox = stage0 // { pname = "busybox"; meta.mainProgram = "busybox"; };

    # Debian compiles the paths of git's own programs and of a pager in.
    git = self.gitMinimal;
    gitMinimal = builders.runCommand "git-${lock.groups.git.version}" { meta.mainProgram = "git"; } ''
      mkdir -p $out/bin
      cat > $out/bin/git <<END
      #!${bash}/bin/bash
      export GIT_EXEC_PATH=${groups.git}/lib/git-core GIT_TEMPLATE_DIR=${groups.git}/share/git-core/templates GIT_PAGER=\''${GIT_PAGER-cat}
      exec ${groups.git}/bin/git "\$@"
      END
      chmod +x $out/bin/git
    '';

    cacert = builders.runCommand "cacert-${lock.groups.ca-certificates.version}" { } ''
      mkdir -p $out/etc/ssl/certs
      cat ${groups.ca-certificates}/share/ca-certificates/mozilla/*.crt > $out/etc/ssl/certs/ca-bundle.crt
      ln -s ca-bundle.crt $out/etc/ssl/certs/ca-certificates.crt
    '';

    pkg-config = builders.runCommand "pkg-config-${lock.groups.pkgconf-bin.version}" { meta.mainProgram = "pkg-config"; } ''
      mkdir -p $out/bin
      cat > $out/bin/pkg-config <<END
      #!${bash}/bin/bash
      export PKG_CONFIG_LIBDIR=\''${PKG_CONFIG_LIBDIR-}
      exec ${groups.pkgconf-bin}/bin/pkgconf "\$@"
      END
      chmod +x $out/bin/pkg-config
    '';

    patchelf = builders.runCommand "patchelf" { meta.mainProgram = "patchelf"; } "mkdir -p $out/bin; ln -s ${patchelf} $out/bin/";

    callPackage = lib.callPackageWith self;

    # The store paths of all files of the lock, as nix computes them.
    lockedFiles = map (d: d.outPath) (
      [ stage0 ] ++ map bootstrap.fetchDeb ([ lock.patchelf ] ++ lib.concatMap (g: g.debs) (lib.attrValues lock.groups))
      ++ map (line: toolchains.${"go_" + lib.replaceStrings [ "." ] [ "_" ] line}.zip) (lib.attrNames (lib.filterAttrs (_: pin: pin.sha256 != "") lock.go))
      ++ lib.concatMap (line: with toolchains."nodejs_${line}"; [ node npm ]) (lib.attrNames lock.node)
      ++ lib.concatMap (tool: map (pin: fetch { name = pin.file; url = config.npm + pin.path; inherit (pin) hash; }) (lib.attrValues lock.npm.${tool})) (lib.attrNames lock.npm));

    # Every Debian group by its own name, for tools that look behind the curtain.
    debian = groups;
  };
in
self
