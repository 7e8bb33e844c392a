package packages

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// lockTools pins the newest release of each line of the tools that are npm
// packages. A tool that fails keeps its pins; the errors of all are joined.
func (s *Set) lockTools(ctx context.Context, w *web, next *lock) error {
	pins := maps.Clone(next.Npm)
	if pins == nil {
		pins = map[string]map[string]npmPin{}
	}
	var failed []error
	for _, tool := range slices.Sorted(maps.Keys(s.spec.Npm)) {
		addr, err := s.address(ctx, w, sourceNpm)
		if err != nil {
			return fmt.Errorf("npm tools: %w", err)
		}
		lines, err := lockTool(ctx, w, addr, s.spec.Npm[tool], pins[tool])
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", tool, err))
			continue
		}
		pins[tool] = lines
	}
	next.Npm = pins
	return errors.Join(failed...)
}

func lockTool(ctx context.Context, w *web, registry string, tool npmSpec, old map[string]npmPin) (map[string]npmPin, error) {
	meta, err := npmMetadata(ctx, w, registry, tool.Package)
	if err != nil {
		return nil, err
	}
	pins := map[string]npmPin{}
	for _, line := range tool.Lines {
		v := newestOf(meta, line)
		if v == "" {
			return nil, fmt.Errorf("the registry has no %s %s", tool.Package, line)
		}
		if pins[line], err = pinNpm(ctx, w, registry, tool.Package, v, meta, old[line]); err != nil {
			return nil, err
		}
	}
	return pins, nil
}

// newestOf returns the newest release of a major, "" if there is none.
func newestOf(m npmMeta, major string) string {
	best := ""
	for v := range m.Versions {
		n := numbers(v)
		if len(n) != 3 || strconv.Itoa(n[0]) != major || (best != "" && slices.Compare(n, numbers(best)) <= 0) {
			continue
		}
		best = v
	}
	return best
}

// npmFile names a package's tarball in the registry and in the store; the name
// of a scoped one is that of its scope and its own.
func npmFile(name, version string) (where, file string) {
	where = fmt.Sprintf("%s/-/%s-%s.tgz", name, path.Base(name), version)
	file = fmt.Sprintf("%s-%s.tgz", strings.ReplaceAll(strings.TrimPrefix(name, "@"), "/", "-"), version)
	return where, file
}
