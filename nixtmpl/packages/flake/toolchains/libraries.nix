# Libraries to compile against, under nixpkgs' names. The path of a library is
# what programs need at run time; .dev has headers and pkg-config files, and is
# what mkDerivation takes of one of its inputs.
{ lib, lock, groups, closureOf, runCommand, patchelf, groupOf, ... }:
let
  isDev = g: (lib.hasSuffix "dev" g && g != "libc6-dev") || g == "zlib1g"; # which has both
  # The search path of what is linked: the libraries that headers belong to.
  linking = devs:
    let
      all = lib.unique (lib.concatMap (d: [ d ] ++ lib.filter isDev (closureOf d)) devs);
      runtime = lib.unique (lib.concatMap (d: lib.filter (g: (!(isDev g) || g == "zlib1g") && g != "glibc") lock.groups.${d}.deps) all);
    in
    {
      inherit all;
      flags = lib.concatMapStringsSep " " (g: "-L${groups.${g}}/lib/x86_64-linux-gnu") (lib.filter isDev all)
        + lib.concatMapStrings (g: " -rpath ${groups.${g}}/lib/x86_64-linux-gnu") runtime;
    };
  hookFor = name: devs: runCommand "${name}-link-hook" { inherit (linking devs) flags; all = map (g: groups.${g}) (linking devs).all; inherit patchelf; hook = ../hooks/link.sh; } ''
    mkdir -p $out/nix-support
    echo $all > $out/nix-support/more-inputs
    substitute $hook $out/nix-support/setup-hook --subst-var flags --subst-var patchelf
  '';

  library = pname: { dev, run ? null, bin ? null, also ? [ ] }:
    let
      devGroup = groupOf dev;
      runGroup = if run == null then devGroup else groupOf run;
      libs = groups.${runGroup} // { inherit pname version; };
      inherit (lock.groups.${devGroup}) version;
      devOutput = runCommand "${pname}-dev-${version}"
        {
          inherit pname version;
          hook = hookFor pname ([ devGroup ] ++ map groupOf also);
          group = groups.${devGroup};
          programs = if bin == null then null else groups.${groupOf bin};
        } ''
        mkdir -p $out/nix-support
        echo $hook $(cat $hook/nix-support/more-inputs) > $out/nix-support/propagated-build-inputs
        for folder in include share; do [ ! -d $group/$folder ] || ln -s $group/$folder $out/; done
        [ ! -d $group/lib ] || ln -s $group/lib $out/lib
        [ -z "''${programs:-}" ] || ln -s $programs/bin $out/bin # an input's programs are at hand, in nixpkgs too
      '';
      main = if bin == null then libs else groups.${groupOf bin} // { inherit pname version; };
    in
    main // {
      meta.mainProgram = pname;
      passthru = { };
      dev = devOutput;
      forBuilding = devOutput;
      bin = main;
      lib = libs;
      out = libs;
    };
in
{
  inherit hookFor;
  libraries = lib.mapAttrs library {
    openssl = { dev = "libssl-dev"; run = "libssl3t64"; bin = "openssl"; };
    libpq = { dev = "libpq-dev"; run = "libpq5"; };
    libmysqlclient = { dev = "libmariadb-dev"; run = "libmariadb3"; };
    mariadb-connector-c = { dev = "libmariadb-dev"; run = "libmariadb3"; };
    sqlite = { dev = "libsqlite3-dev"; run = "libsqlite3-0"; bin = "sqlite3"; };
    curl = { dev = "libcurl4-openssl-dev"; run = "libcurl4t64"; bin = "curl"; };
    libffi = { dev = "libffi-dev"; run = "libffi8"; };
    libyaml = { dev = "libyaml-dev"; run = "libyaml-0-2"; };
    libxml2 = { dev = "libxml2-dev"; run = "libxml2"; };
    libxslt = { dev = "libxslt1-dev"; run = "libxslt1.1"; };
    pcre2 = { dev = "libpcre2-dev"; run = "libpcre2-8-0"; };
    gmp = { dev = "libgmp-dev"; run = "libgmp10"; };
    readline = { dev = "libreadline-dev"; run = "libreadline8t64"; };
    ncurses = { dev = "libncurses-dev"; run = "libncursesw6"; };
    libevent = { dev = "libevent-dev"; run = "libevent-2.1-7t64"; };
    libuv = { dev = "libuv1-dev"; run = "libuv1t64"; };
    libmicrohttpd = { dev = "libmicrohttpd-dev"; };
    boehmgc = { dev = "libgc-dev"; run = "libgc1"; };
    nlohmann_json = { dev = "nlohmann-json3-dev"; };
    fmt = { dev = "libfmt-dev"; };
    spdlog = { dev = "libspdlog-dev"; };
    asio = { dev = "libasio-dev"; };
    httplib = { dev = "libcpp-httplib-dev"; };
    boost = { dev = "libboost1.83-dev"; };
  };
}
