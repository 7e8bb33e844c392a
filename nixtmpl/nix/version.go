package nix

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Version of nix. Pre-releases count as the release that they lead to.
type Version struct{ Major, Minor, Patch int }

// AtLeast says whether v is major.minor or newer.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

var versionNumber = regexp.MustCompile(`^(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?`)

// ParseVersion reads what `nix --version` prints: "nix (Nix) 2.8.0", or
// "nix (Lix, like Nix) 2.91.1" for its descendants.
func ParseVersion(text string) (Version, error) {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	words := strings.Fields(line)
	if len(words) == 0 {
		return Version{}, fmt.Errorf("parse nix version: empty output")
	}
	m := versionNumber.FindStringSubmatch(words[len(words)-1])
	if m == nil {
		return Version{}, fmt.Errorf("parse nix version: no version in %q", line)
	}
	var part [3]int
	for i, digits := range m[1:] {
		if digits == "" {
			continue
		}
		n, err := strconv.Atoi(digits)
		if err != nil {
			return Version{}, fmt.Errorf("parse nix version: %w", err)
		}
		part[i] = n
	}
	return Version{part[0], part[1], part[2]}, nil
}

func (n *Nix) askVersion(ctx context.Context) (Version, error) {
	var out bytes.Buffer
	if err := n.run(ctx, invocation{bin: n.nix, args: []string{"--version"}, stdout: &out}); err != nil {
		return Version{}, fmt.Errorf("ask nix for its version: %w", err)
	}
	return ParseVersion(out.String())
}
