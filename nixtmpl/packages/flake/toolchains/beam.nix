# Erlang, Elixir and rebar3. Debian's Erlang is many packages that need each
# other's files in one tree; releases copy parts of it.
{ lib, lock, groups, runCommand, bash, ... }:
let
  versionOf = group: lib.head (builtins.split "[+]dfsg|[.]dfsg|-" lock.groups.${group}.version);
  erlang = runCommand "erlang-${versionOf "erlang27"}" { pname = "erlang"; version = versionOf "erlang27"; meta.mainProgram = "erl"; from = groups.erlang27; } ''
    mkdir -p $out/bin
    ln -s $from/lib/erlang $out/lib
    for program in erl erlc escript epmd run_erl to_erl; do ln -s $from/lib/erlang/bin/$program $out/bin/; done
  '';

  # Elixir runs the erl that it finds.
  elixir = runCommand "elixir-${versionOf "elixir"}"
    { pname = "elixir"; version = versionOf "elixir"; meta.mainProgram = "elixir"; from = groups.elixir; inherit erlang; shell = "${bash}/bin/bash"; passthru = { inherit erlang; }; } ''
    mkdir -p $out/bin
    ln -s $from/lib/elixir/lib $out/lib
    for program in elixir elixirc iex mix; do
      printf '#!%s\nexport PATH=%s/bin:%s/lib/elixir/bin:$PATH\nexec %s/lib/elixir/bin/%s "$@"\n' $shell $erlang $from $from $program > $out/bin/$program
      chmod +x $out/bin/$program
    done
  '';
  rebar3 = groups.rebar3 // { pname = "rebar3"; version = versionOf "rebar3"; meta.mainProgram = "rebar3"; };
  minor = lib.versions.majorMinor (versionOf "elixir");
  attribute = "elixir_" + lib.replaceStrings [ "." ] [ "_" ] minor;
  beamPackages = { inherit erlang elixir rebar3; ${attribute} = elixir; };
  major = lib.versions.major (versionOf "erlang27");
in
{
  inherit erlang elixir rebar3 beamPackages;
  ${attribute} = elixir;
  "erlang_${major}" = erlang;
  beam.packages = { "erlang_${major}" = beamPackages; erlang = beamPackages; };
}
