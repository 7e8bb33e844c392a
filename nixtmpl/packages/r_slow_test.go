//go:build slow

package packages

import "testing"

func TestContract_R(t *testing.T) {
	hello(t, Need{Stack: "r", Native: true, Packages: map[string][]string{"r": {"httpuv", "plumber", "shiny"}}}, `
	let env = pkgs.rWrapper.override { packages = [ pkgs.rPackages.httpuv pkgs.rPackages.plumber pkgs.rPackages.shiny ]; }; in
	pkgs.stdenv.mkDerivation { name = "r-hello"; dontUnpack = true; nativeBuildInputs = [ pkgs.R ]; buildPhase = ''
	  export HOME=$TMPDIR
	  [ "$(Rscript -e 'cat(solve(matrix(c(2, 0, 0, 2), 2))[1], R.version$major)')" = "0.5 4" ]
	  R --version; [ "$(Rscript -e 'cat(R.home())')" = "$(cd "$(Rscript -e 'cat(R.home())')" && pwd)" ]
	  mkdir -p pk/R pk/src; printf 'Package: pk\nVersion: 1.0\nTitle: P\nDescription: P.\nLicense: MIT\n' > pk/DESCRIPTION; printf 'useDynLib(pk)\nexport(f)\n' > pk/NAMESPACE
	  printf 'f <- function() .Call("f_", PACKAGE = "pk")\n' > pk/R/f.R
	  printf '#include <Rinternals.h>\nSEXP f_(void) { return Rf_ScalarInteger(42); }\n' > pk/src/f.c
	  mkdir lib; R CMD INSTALL --no-docs -l lib pk; [ "$(R_LIBS_SITE=lib Rscript -e 'cat(pk::f())')" = 42 ]
	  ${env}/bin/Rscript -e 'library(httpuv); library(plumber); library(shiny); cat(as.character(packageVersion("shiny")), "\n")'
	''; installPhase = "echo ${env} > $out"; }`)
}
