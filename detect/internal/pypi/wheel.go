package pypi

import (
	"slices"
	"strconv"
	"strings"
)

// newestGlibc is the newest glibc that wheels may ask for: what the oldest supported nixpkgs has (24.05: 2.39).
const newestGlibc = 39

// A File is one file of a package, as a lock file has it.
type File struct {
	Name   string // "flask-3.1.1-py3-none-any.whl"
	URL    string // "" where the lock names no address
	SHA256 string // hex
}

// Wheel reports whether f is a wheel rather than a source archive.
func (f File) Wheel() bool { return strings.HasSuffix(f.Name, ".whl") }

// Native reports whether f is a wheel for one platform: it holds machine code.
func (f File) Native() bool { return f.Wheel() && !strings.HasSuffix(f.Name, "-any.whl") }

// Choose returns the file to install in e: the wheel that fits best (PEP 425), else the source archive. It is false when
// there is neither.
func Choose(files []File, e Env) (File, bool) {
	best, score := File{}, 0
	for _, f := range files {
		if s := rank(f.Name, e); s > score || s == score && s > 0 && f.Name < best.Name {
			best, score = f, s
		}
	}
	return best, score > 0
}

// rank says how well a file fits, 0 if it does not. A source archive fits worst.
func rank(name string, e Env) int {
	if stem, ok := strings.CutSuffix(name, ".whl"); ok {
		parts := strings.Split(stem, "-")
		if len(parts) != 5 && len(parts) != 6 { // name-version[-build]-python-abi-platform
			return 0
		}
		tags := parts[len(parts)-3:]
		python, platform := rankPython(tags[0], tags[1], e), rankPlatform(tags[2], e)
		if python == 0 || platform == 0 {
			return 0
		}
		return 10 + 1000*python + platform
	}
	for _, suffix := range []string{".tar.gz", ".zip", ".tar.bz2", ".tgz"} {
		if strings.HasSuffix(name, suffix) {
			return 1
		}
	}
	return 0
}

// rankPython compares the tags of interpreter and interface, each of which may name several.
func rankPython(pythons, abis string, e Env) int {
	minor, ok := minorOf(e.Python)
	if !ok {
		return 0
	}
	exact := "cp3" + strconv.Itoa(minor)
	best := 0
	for abi := range strings.SplitSeq(abis, ".") {
		for python := range strings.SplitSeq(pythons, ".") {
			score := 0
			switch n, isCP := tagMinor(python, "cp3"); {
			case python == exact && abi == exact:
				score = 400
			case abi == "abi3" && isCP && n <= minor:
				score = 200 + n
			case abi != "none":
			case python == exact:
				score = 100
			case python == "py3":
				score = 2
			default:
				if n, ok := tagMinor(python, "py3"); ok && n <= minor {
					score = 3 + n
				}
			}
			best = max(best, score)
		}
	}
	return best
}

// minorOf is 13 for "3.13".
func minorOf(python string) (int, bool) {
	return tagMinor(python, "3.")
}

func tagMinor(tag, prefix string) (int, bool) {
	text, ok := strings.CutPrefix(tag, prefix)
	n, err := strconv.Atoi(text)
	return n, ok && err == nil && n >= 0
}

func rankPlatform(platforms string, e Env) int {
	best := 0
	for p := range strings.SplitSeq(platforms, ".") {
		if p == "any" {
			best = max(best, 1)
			continue
		}
		kind, ok := strings.CutSuffix(p, "_"+e.Machine)
		if !ok {
			continue
		}
		if i := slices.Index([]string{"linux", "manylinux1", "manylinux2010", "manylinux2014"}, kind); i >= 0 {
			best = max(best, []int{2, 5, 12, 17}[i]) // the glibc that each stands for, PEP 600
		}
		if n, ok := tagMinor(kind, "manylinux_2_"); ok && n <= newestGlibc {
			best = max(best, n)
		}
	}
	return best
}
