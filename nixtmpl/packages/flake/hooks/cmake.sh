# cmake configures, and finds what the build's inputs have.
for _input in ${buildInputs:-} ${propagatedBuildInputs:-} ${nativeBuildInputs:-}; do
  CMAKE_PREFIX_PATH=${CMAKE_PREFIX_PATH:-}${CMAKE_PREFIX_PATH:+:}$_input
done
export CMAKE_PREFIX_PATH
unset _input
NIX_LDFLAGS="${NIX_LDFLAGS:-} -rpath $out/lib"

cmakeConfigurePhase() {
  runHook preConfigure
  if [ -z "${dontUseCmakeBuildDir:-}" ]; then
    mkdir -p "${cmakeBuildDir:-build}"
    cd "${cmakeBuildDir:-build}"
    cmakeDir=${cmakeDir:-..}
  fi
  cmake "${cmakeDir:-.}" -DCMAKE_BUILD_TYPE="${cmakeBuildType:-Release}" -DCMAKE_INSTALL_PREFIX="$out" -DCMAKE_INSTALL_LIBDIR=lib \
    -DCMAKE_SKIP_RPATH=ON -DCMAKE_LIBRARY_ARCHITECTURE=x86_64-linux-gnu -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF ${cmakeFlags:-}
  runHook postConfigure
}
if [ -z "${dontUseCmakeConfigure:-}" ] && [ -z "${configurePhase:-}" ]; then configurePhase=cmakeConfigurePhase; fi
