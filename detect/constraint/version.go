// Package constraint reads what the ecosystems write when they ask for versions ("^20 || >=22", "~> 3.2", "[17,22)") and
// says which versions that allows.
//
// All grammars become the same [Set], so that a pin of one file can be compared with a demand of another. It is pure, and
// bounded by the length of the text.
package constraint

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	maxText  = 1024 // bytes of a requirement; the longest seen in manifests have some 200
	maxParts = 8    // numbers of a version
	maxDigit = 9    // digits of a number, so that it fits an int everywhere
)

// A Version is a release: numbers, then what comes before it (rc.1) or after it (post1). Missing numbers count as 0.
type Version struct {
	nums []int
	pre  []string // identifiers, lower case; nil for a final release
	post int
}

// ParseVersion reads "22.11.0", "v1.2", "3.13.0rc1", "2.1.5p273", "1.18.0-rc.0+build". What follows a + does not count.
func ParseVersion(text string) (Version, error) {
	text = strings.TrimSpace(text)
	bad := fmt.Errorf("%q is not a version", clip(text))
	if len(text) > maxText {
		return Version{}, bad
	}
	rest, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(text), "v"), "="), "+")
	if epoch, after, ok := strings.Cut(rest, "!"); ok && epoch == "0" {
		rest = after
	}
	var v Version
	for {
		n := digits(rest)
		if n == 0 || n > maxDigit || len(v.nums) == maxParts {
			return Version{}, bad
		}
		num, err := strconv.Atoi(rest[:n])
		if err != nil {
			return Version{}, bad
		}
		v.nums, rest = append(v.nums, num), rest[n:]
		if len(rest) < 2 || rest[0] != '.' || digits(rest[1:]) == 0 {
			break
		}
		rest = rest[1:]
	}
	return v, v.suffix(rest, bad)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// suffix reads what stands behind the numbers.
func (v *Version) suffix(text string, bad error) error {
	for len(text) > 0 {
		switch c := text[0]; {
		case strings.IndexByte(".-_~", c) >= 0:
			text = text[1:]
		case digits(text) > 0:
			v.pre, text = append(v.pre, text[:digits(text)]), text[digits(text):]
		case c >= 'a' && c <= 'z':
			n := 0
			for n < len(text) && text[n] >= 'a' && text[n] <= 'z' {
				n++
			}
			word := text[:n]
			text = text[n:]
			switch word {
			case "post", "rev", "r", "p": // 1.0.post1 of Python, 2.1.5p273 of Ruby
				number := strings.TrimLeft(text, ".-_")
				n := digits(number)
				if n > maxDigit {
					return bad
				}
				v.post, _ = strconv.Atoi("0" + number[:n]) // digits only
				v.post++
				text = number[n:]
			case "final", "ga", "release":
			case "dev":
				v.pre = append(v.pre, "-", "dev") // before alpha
			default:
				v.pre = append(v.pre, word)
			}
		default:
			return bad
		}
	}
	return nil
}

// Compare is negative when v comes before w, 0 when they are the same release.
func (v Version) Compare(w Version) int {
	for i := range max(len(v.nums), len(w.nums)) {
		if c := cmp.Compare(v.at(i), w.at(i)); c != 0 {
			return c
		}
	}
	if (v.pre == nil) != (w.pre == nil) {
		if v.pre == nil {
			return 1
		}
		return -1
	}
	if c := slices.CompareFunc(v.pre, w.pre, compareIdentifiers); c != 0 {
		return c
	}
	return cmp.Compare(v.post, w.post)
}

// compareIdentifiers orders as semantic versioning does: numbers by value and before words.
func compareIdentifiers(a, b string) int {
	x, y := digits(a) == len(a), digits(b) == len(b)
	switch {
	case x && y:
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if len(a) != len(b) {
			return cmp.Compare(len(a), len(b))
		}
	case x:
		return -1
	case y:
		return 1
	}
	return strings.Compare(a, b)
}

func (v Version) at(i int) int {
	if i < len(v.nums) {
		return v.nums[i]
	}
	return 0
}

// Compare orders two versions given as text; what is no version comes first.
func Compare(a, b string) int {
	v, verr := ParseVersion(a)
	w, werr := ParseVersion(b)
	if verr != nil || werr != nil {
		return cmp.Compare(boolInt(verr == nil), boolInt(werr == nil))
	}
	return v.Compare(w)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func clip(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
