package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const treeShown = 24 // names of the top of the tree in an error

// unknown explains why nothing claimed t.
func unknown(t *tree) *UnknownError {
	e := &UnknownError{Tree: t.top(treeShown), Supported: Stacks()}
	known := []string{"requirements.txt", "package.json", "go.mod", "Procfile", "index.html", "flake.nix", "hop3.toml", "Staticfile"}
	for _, f := range t.in(".") {
		if best := nearest(f, known); best != "" && best != f {
			e.Hints = append(e.Hints, fmt.Sprintf("%s looks like a misspelt %s", f, best))
		}
	}
	if t.has("Dockerfile") {
		e.Hints = append(e.Hints, "a Dockerfile is not used: hop3 builds with Nix; add a Procfile, or a flake.nix with packages.<system>.default")
	}
	for _, d := range []string{"__pycache__", ".venv", "venv"} {
		if t.dirs[d] {
			e.Hints = append(e.Hints, d+"/ says Python, but there is no requirements.txt")
			break
		}
	}
	if t.dirs["node_modules"] {
		e.Hints = append(e.Hints, "node_modules/ is committed, but package.json is not")
	}
	for _, dir := range appDirs(t) {
		e.Hints = append(e.Hints, fmt.Sprintf("the app seems to be in %s/: set root = %q under [build] in hop3.toml", dir, dir))
	}
	return e
}

// appDirs returns the folders directly below the root that a stack would claim, at most three.
func appDirs(t *tree) []string {
	var list []string
	for d := range t.dirs {
		if d == "." || strings.Contains(d, "/") || skipDir(d) {
			continue
		}
		for _, f := range []string{"go.mod", "package.json", "requirements.txt", "Procfile", "flake.nix"} {
			if t.has(path.Join(d, f)) {
				list = append(list, d)
				break
			}
		}
	}
	slices.Sort(list)
	return list[:min(len(list), 3)]
}

// onlyFolder returns the name of the single folder below dir ("" for the root), not counting those that tools make or hide;
// "" if there are none or several.
func onlyFolder(t *tree, dir string) string {
	only, prefix := "", ""
	if dir != "" {
		prefix = dir + "/"
	}
	for d := range t.dirs {
		name, below := strings.CutPrefix(d, prefix)
		if !below || d == "." || strings.Contains(name, "/") || skipDir(name) || name[0] == '.' {
			continue
		}
		if only != "" {
			return ""
		}
		only = name
	}
	return only
}

// didYouMean returns `; did you mean "x"?` or "".
func didYouMean(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// nearest returns the known word closest to word when it is close enough to be meant, else "".
func nearest(word string, known []string) string {
	best, dist := "", 3
	if len(word) > 64 {
		return ""
	}
	for _, k := range known {
		limit := min(dist, 1+len(k)/4)
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < dist && d <= limit {
			best, dist = k, d
		}
	}
	return best
}

// distance is the number of insertions, deletions and replacements between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
