# ninja builds and installs where a folder has its files.
ninjaBuildPhase() {
  runHook preBuild
  ninja -j"$NIX_BUILD_CORES" ${ninjaFlags:-}
  runHook postBuild
}
ninjaInstallPhase() {
  runHook preInstall
  ninja ${ninjaFlags:-} ${installTargets:-install}
  runHook postInstall
}
if [ -z "${dontUseNinjaBuild:-}" ] && [ -z "${buildPhase:-}" ]; then buildPhase=ninjaBuildPhase; fi
if [ -z "${dontUseNinjaInstall:-}" ] && [ -z "${installPhase:-}" ]; then installPhase=ninjaInstallPhase; fi
