package nix

import (
	"path"
	"regexp"
	"strings"
)

var (
	// Files that are fetched: the name ends where the ending begins.
	fileEnding = regexp.MustCompile(`\.(?:deb|zip|whl|gem|jar|mod|info|patch|t(?:ar\.)?(?:gz|xz|bz2|zst)|tgz|tar|nar)$`)
	// A digest that tells two lock files apart. It has a digit, or it is a word.
	digestSuffix = regexp.MustCompile(`-[0-9a-z]*[0-9][0-9a-z]*$`)
	hexDigest    = regexp.MustCompile(`-[0-9a-f]{8,64}$`)
	nixDigest    = regexp.MustCompile(`-[0-9abcdfghijklmnpqrsvwxyz]{32}$`)
	// A version as nix's own parseDrvName has it: all from the first dash before a digit.
	versionSuffix = regexp.MustCompile(`-v?[0-9][0-9A-Za-z.+_~-]*$`)
	debVersion    = regexp.MustCompile(`_[0-9].*$`)
	storeDigest   = regexp.MustCompile(`^[0-9abcdfghijklmnpqrsvwxyz]{32}-`)
)

// stepName is what a person calls a derivation or store path: its name without
// directory, hash, ending, digest and version. It is never empty for a name that
// is not.
func stepName(drv string) string {
	name := strings.TrimSuffix(path.Base(clean(drv)), ".drv")
	name = storeDigest.ReplaceAllString(name, "")
	short := fileEnding.ReplaceAllString(name, "")
	if hexDigest.MatchString(short) && digestSuffix.MatchString(short) {
		short = hexDigest.ReplaceAllString(short, "")
	}
	short = nixDigest.ReplaceAllString(short, "")
	short = debVersion.ReplaceAllString(short, "")
	short = versionSuffix.ReplaceAllString(short, "")
	if short == "" {
		short = name
	}
	return clip(strings.ReplaceAll(short, "\n", " "), 80)
}

// stdPhases are stdenv's own phases. Only the long ones are worth a line; all
// other phases are a template's, and say what it does.
var stdPhases = map[string]string{
	"unpackPhase": "", "patchPhase": "", "updateAutotoolsGnuConfigScriptsPhase": "", "configurePhase": "configure",
	"buildPhase": "build", "checkPhase": "check", "installPhase": "", "fixupPhase": "", "installCheckPhase": "check",
	"distPhase": "", "glibPreInstallPhase": "", "pythonImportsCheckPhase": "", "pythonOutputDistPhase": "",
}

// phaseName is what to show for a phase, "" for none.
func phaseName(phase string) string {
	if short, known := stdPhases[phase]; known {
		return short
	}
	return clip(strings.Join(strings.Fields(clean(phase)), " "), 80)
}

// drvName is the name that a derivation was given: its path without directory,
// hash and ending.
func drvName(drv string) string {
	return storeDigest.ReplaceAllString(strings.TrimSuffix(path.Base(drv), ".drv"), "")
}
