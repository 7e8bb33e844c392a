# gcc with the folders of the C library, which it expects in /usr.
{ lock, groups, interpreter, bash, runCommand, ... }:
let
  gcc = runCommand "gcc-wrapper-${lock.groups.gcc14.version}"
    {
      meta.mainProgram = "gcc";
      wrapper = ../build/cc-wrapper.sh;
      shell = "${bash}/bin/bash";
      inherit interpreter;
      compiler = groups.gcc14;
      binutils = groups.binutils-x86-64-linux-gnu;
      libc = groups.glibc;
      libcDev = groups.libc6-dev;
      libcxx = groups."libstdc++6";
    } ''
    mkdir -p $out/bin $out/nix-support
    for tool in $binutils/bin/x86_64-linux-gnu-*; do ln -s $tool $out/bin/''${tool##*/x86_64-linux-gnu-}; done
    make() {
      substitute $wrapper $out/bin/$1 --subst-var shell --subst-var interpreter --subst-var compiler --subst-var libc --subst-var libcDev \
        --subst-var libcxx --subst-var out --subst-var-by program x86_64-linux-gnu-$2-14
      chmod +x $out/bin/$1
    }
    make gcc gcc
    make g++ g++
    make cpp cpp
    ln -s gcc $out/bin/cc
    ln -s g++ $out/bin/c++
    echo 'export CC=gcc CXX=g++ AR=ar LD=ld RANLIB=ranlib STRIP=strip NM=nm' > $out/nix-support/setup-hook
  '';
  # As nixpkgs has it: the run-time library of the compiler is stdenv.cc.cc.lib.
  named = gcc // { cc = gcc // { lib = groups."libstdc++6"; }; };
in
{ gcc = named; gcc14 = named; }
