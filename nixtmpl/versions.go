package nixtmpl

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hop3/detect"
)

// A VersionError is a runtime that the package set does not have in a version that the app accepts.
type VersionError struct {
	Runtime, Want, From string
	Have                []string // newest first
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s %s (%s) is not in this package set; it has %s", e.Runtime, e.Want, e.From, strings.Join(e.Have, ", "))
}

// Hint says what to do.
func (e *VersionError) Hint() string {
	return fmt.Sprintf("ask for another version in %s, or add it with hop3 packages update", e.From)
}

// available returns the versions of a runtime, newest first.
func available(have map[string][]string, runtime string) []string {
	list := slices.DeleteFunc(slices.Clone(have[runtime]), func(v string) bool { return numbers(v) == nil })
	slices.SortFunc(list, func(a, b string) int { return compare(numbers(b), numbers(a)) })
	return slices.Compact(list)
}

type choice struct{ version, attr, warning string }

// pick chooses the version of a runtime among have, which is newest first.
func pick(r detect.Runtime, have []string) (choice, error) {
	rule, known := runtimes()[r.Name]
	got := ""
	if known {
		got = rule.choose(r.Version, have)
	}
	if got == "" {
		return choice{}, &VersionError{Runtime: r.Name, Want: r.Version, From: r.From, Have: have}
	}
	c := choice{version: got, attr: rule.attr(numbers(got))}
	want, is := numbers(strings.TrimPrefix(r.Version, "v")), numbers(got)
	if !rule.minimum && (len(want) > len(is) || len(want) == 3 && compare(want, is) != 0) {
		c.warning = fmt.Sprintf("%s %s (%s) is served by %s %s of the package set", r.Name, r.Version, r.From, r.Name, got)
	}
	return c, nil
}

// newest fills a version up: "22" stands for the newest 22.
func newest(v string) string {
	n := numbers(v)
	for len(n) < 3 {
		n = append(n, 9999)
	}
	return fmt.Sprintf("%d.%d.%d", n[0], n[1], n[2])
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// numbers returns the parts of a version of one to four plain numbers, nil for anything else.
func numbers(v string) []int {
	const longest = 4
	parts := strings.Split(v, ".")
	if len(parts) > longest {
		return nil
	}
	var list []int
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || p[0] == '+' {
			return nil
		}
		list = append(list, n)
	}
	return list
}

func at(n []int, i int) int {
	if i < len(n) {
		return n[i]
	}
	return 0
}

// compare orders versions; missing parts count as 0.
func compare(a, b []int) int {
	for i := range max(len(a), len(b)) {
		if c := cmp.Compare(at(a, i), at(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

// satisfies reports whether a version meets every clause of a PEP 440 specifier. Versions that are not plain numbers meet none.
func satisfies(version, spec string) bool {
	if spec == "" {
		return true
	}
	have := numbers(version)
	if have == nil {
		return false
	}
	for clause := range strings.SplitSeq(spec, ",") {
		if clause != "" && !satisfiesClause(have, clause) {
			return false
		}
	}
	return true
}

func satisfiesClause(have []int, clause string) bool {
	op := clause[:len(clause)-len(strings.TrimLeft(clause, "=<>!~"))]
	text := strings.TrimSpace(clause[len(op):])
	prefix, star := strings.CutSuffix(text, ".*")
	want := numbers(prefix)
	if want == nil {
		return false
	}
	same := slices.Equal(have[:min(len(have), len(want))], want)
	c := compare(have, want)
	switch op {
	case "==", "===":
		return c == 0 || star && same
	case "!=":
		return c != 0 && !(star && same)
	case ">=":
		return c >= 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case "<":
		return c < 0
	case "~=":
		head := want[:max(len(want)-1, 0)]
		return c >= 0 && len(head) > 0 && slices.Equal(have[:min(len(have), len(head))], head)
	}
	return false
}

// choosePrefix takes the newest version that agrees with as many numbers as both have: "3.0.9" is served by 3.0. An empty
// request takes the newest.
func choosePrefix(want string, have []string) string {
	if want == "" {
		return first(have)
	}
	w := numbers(want)
	for _, v := range have {
		is := numbers(v)
		n := min(len(w), len(is))
		if n > 0 && slices.Equal(w[:n], is[:n]) {
			return v
		}
	}
	return ""
}
