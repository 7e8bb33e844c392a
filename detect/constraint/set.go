package constraint

import "slices"

// A Set is the versions that a requirement allows: one of several alternatives, each a list of bounds that all hold. The
// zero Set allows none.
type Set struct{ any []bounds }

type bounds []bound

type bound struct {
	op op
	v  Version
}

type op int

const (
	eq op = iota
	ne
	lt
	le
	gt
	ge
)

func (b bound) holds(v Version) bool {
	c := v.Compare(b.v)
	switch b.op {
	case eq:
		return c == 0
	case ne:
		return c != 0
	case lt:
		return c < 0
	case le:
		return c <= 0
	case gt:
		return c > 0
	}
	return c >= 0
}

// Allows reports whether s allows a version. One of fewer than three numbers stands for all of its releases: "22" is allowed
// when some 22.x.y is. A pre-release is allowed only where a bound names one of the same release, as npm has it.
func (s Set) Allows(version string) bool {
	v, err := ParseVersion(version)
	if err != nil {
		return false
	}
	if len(v.nums) < 3 && v.pre == nil {
		return s.Overlaps(Set{[]bounds{family(partial{Version: v})}})
	}
	return slices.ContainsFunc(s.any, func(all bounds) bool { return all.allows(v) })
}

// Holds is Allows for a version that somebody has chosen already: a pre-release counts like any other version.
func (s Set) Holds(version string) bool {
	v, err := ParseVersion(version)
	if err != nil || v.pre == nil {
		return err == nil && s.Allows(version)
	}
	return slices.ContainsFunc(s.any, func(all bounds) bool {
		return !slices.ContainsFunc(all, func(b bound) bool { return !b.holds(v) })
	})
}

func (all bounds) allows(v Version) bool {
	named := v.pre == nil
	for _, b := range all {
		if !b.holds(v) {
			return false
		}
		named = named || b.v.pre != nil && slices.Equal(trim(b.v.nums), trim(v.nums))
	}
	return named
}

func trim(nums []int) []int {
	for len(nums) > 0 && nums[len(nums)-1] == 0 {
		nums = nums[:len(nums)-1]
	}
	return nums
}

// Newest returns the newest of have that s allows, "" if it allows none.
func (s Set) Newest(have []string) string {
	best := ""
	for _, v := range have {
		if s.Allows(v) && (best == "" || Compare(v, best) > 0) {
			best = v
		}
	}
	return best
}

// Overlaps reports whether some version may be in both. Single excluded versions are not looked at.
func (s Set) Overlaps(other Set) bool {
	for _, a := range s.any {
		for _, b := range other.any {
			if !empty(append(slices.Clone(a), b...)) {
				return true
			}
		}
	}
	return false
}

// empty reports whether no version can hold all bounds.
func empty(all bounds) bool {
	low, high := bound{op: ge}, bound{}
	open := true // no upper bound yet
	for _, b := range all {
		if b.op == eq || b.op == ge || b.op == gt {
			if c := b.v.Compare(low.v); c > 0 || c == 0 && b.op == gt {
				low = bound{b.op, b.v}
			}
		}
		if b.op == eq || b.op == le || b.op == lt {
			if open || b.v.Compare(high.v) < 0 || b.v.Compare(high.v) == 0 && b.op == lt {
				high, open = bound{b.op, b.v}, false
			}
		}
	}
	if open {
		return false
	}
	c := low.v.Compare(high.v)
	return c > 0 || c == 0 && (low.op == gt || high.op == lt)
}
