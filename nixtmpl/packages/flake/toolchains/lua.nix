# Lua and its modules. An environment is a wrapper that puts its folders behind
# those of the user and before the defaults.
{ lib, lock, groups, closureOf, runCommand, bash, ... }:
let
  version = lib.head (lib.splitString "-" lock.groups.lua54.version);
  modules = lib.mapAttrs (pname: group: groups.${group} // { inherit pname group; inherit (lock.groups.${group}) version; meta.mainProgram = pname; }) lock.languages.lua
    // { inherit luarocks; lua = lua; };

  environment = chosen: runCommand "lua-${version}${lib.optionalString (chosen != [ ]) "-env"}"
    {
      meta.mainProgram = "lua";
      base = groups.lua54;
      dev = groups."liblua5.4-dev";
      shell = "${bash}/bin/bash";
      packages = map (g: groups.${g}) (lib.unique (lib.concatMap (p: [ p.group ] ++ closureOf p.group) chosen));
    } ''
    share=$out/share/lua/5.4 native=$out/lib/lua/5.4
    mkdir -p $out/bin $share $native
    for package in $packages; do
      # what is written in Lua is often packaged for an older one only
      for from in 5.4 5.3 5.2 5.1; do
        [ -d $package/share/lua/$from ] || continue
        cp -rsn --no-preserve=mode $package/share/lua/$from/. $share/
        break
      done
      [ ! -d $package/lib/x86_64-linux-gnu/lua/5.4 ] || cp -rsn --no-preserve=mode $package/lib/x86_64-linux-gnu/lua/5.4/. $native/
    done
    printf '#!%s\nexport LUA_PATH="%s/?.lua;%s/?/init.lua;''${LUA_PATH-;}" LUA_CPATH="%s/?.so;''${LUA_CPATH-;}"\nexec %s/bin/lua5.4 "$@"\n' $shell $share $share $native $base > $out/bin/lua
    chmod +x $out/bin/lua
    ln -s $base/bin/luac5.4 $out/bin/luac
    ln -s $base/bin/lua5.4 $out/bin/.lua-unwrapped
  '';
  make = chosen: environment chosen // {
    pname = "lua";
    inherit version;
    luaversion = "5.4";
    luaOnBuild = lua;
    pkgs = modules;
    passthru = { };
    dev = groups."liblua5.4-dev";
    LuaPathSearchPaths = [ "share/lua/5.4/?.lua" "share/lua/5.4/?/init.lua" ];
    LuaCPathSearchPaths = [ "lib/lua/5.4/?.so" ];
    withPackages = choose: make (choose modules);
  };
  lua = make [ ];

  luarocks = runCommand "luarocks-${lib.head (lib.splitString "+" lock.groups.luarocks.version)}"
    {
      meta.mainProgram = "luarocks";
      pname = "luarocks";
      rocks = groups.luarocks;
      inherit (groups) coreutils;
      shell = "${bash}/bin/bash";
      inherit lua;
      luaDev = groups."liblua5.4-dev";
      luaLib = groups."liblua5.4-0";
    } ''
    mkdir -p $out/bin $out/share $out/etc
    cp -r $rocks/share/lua $out/share/
    chmod -R u+w $out
    cat > $out/etc/config-5.4.lua <<END
    lua_interpreter = "lua"
    variables = {
      LUA_DIR = "$lua", LUA_BINDIR = "$lua/bin", LUA = "$lua/bin/lua", LUA_INCDIR = "$luaDev/include/lua5.4", LUA_LIBDIR = "$luaLib/lib/x86_64-linux-gnu",
      CC = "cc", LD = "cc", MD5SUM = "$coreutils/bin/md5sum", CFLAGS = "-O2 -fPIC -I$luaDev/include",
    }
    END
    for tool in luarocks luarocks-admin; do
      tail -n +2 $rocks/bin/$tool > $out/share/$tool
      printf '#!%s\nexport LUA_PATH="%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua;''${LUA_PATH-;}" LUAROCKS_CONFIG="''${LUAROCKS_CONFIG-%s}"\nexec %s/bin/lua %s "$@"\n' $shell $out $out $out/etc/config-5.4.lua $lua $out/share/$tool > $out/bin/$tool
      chmod +x $out/bin/$tool
    done
  '';
in
{
  inherit lua luarocks;
  lua5_4 = lua;
  lua5 = lua;
  luaPackages = modules;
  lua54Packages = modules;
}
