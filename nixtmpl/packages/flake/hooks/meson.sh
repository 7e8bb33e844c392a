# meson configures; ninja, its hook, builds.
mesonConfigurePhase() {
  runHook preConfigure
  meson setup "${mesonBuildDir:-build}" --prefix="$out" --libdir=lib --buildtype="${mesonBuildType:-plain}" --wrap-mode=nodownload ${mesonFlags:-}
  cd "${mesonBuildDir:-build}"
  runHook postConfigure
}
if [ -z "${dontUseMesonConfigure:-}" ] && [ -z "${configurePhase:-}" ]; then configurePhase=mesonConfigurePhase; fi
