package constraint

import (
	"fmt"
	"slices"
	"strings"
)

// A partial is a version as requirements write it: numbers may be missing at its end, by a wildcard or plainly.
type partial struct {
	Version
	wild bool
}

// bump is the first version after all that share the numbers of p up to i.
func (p partial) bump(i int) Version {
	nums := slices.Clone(p.nums[:i+1])
	nums[i]++
	return Version{nums: nums}
}

// family are all releases that begin with p: 1.2 is >=1.2 <1.3; nothing is everything.
func family(p partial) bounds {
	if len(p.nums) == 0 {
		return bounds{{ge, Version{}}}
	}
	return bounds{{ge, p.Version}, {lt, p.bump(len(p.nums) - 1)}}
}

// exact is p itself, or its family when it ends in a wildcard.
func exact(p partial) bounds {
	if p.wild || len(p.nums) == 0 {
		return family(p)
	}
	return bounds{{eq, p.Version}}
}

// short is p itself when it has three numbers, else its family, as npm and Composer's users mean it.
func short(p partial) bounds {
	if len(p.nums) < 3 {
		return family(p)
	}
	return exact(p)
}

// caret allows what keeps the leftmost number that is not zero.
func caret(p partial) bounds {
	if len(p.nums) == 0 {
		return family(p)
	}
	i := slices.IndexFunc(p.nums, func(n int) bool { return n != 0 })
	if i < 0 {
		i = len(p.nums) - 1
	}
	return bounds{{ge, p.Version}, {lt, p.bump(i)}}
}

// tilde allows other patches, and other minors where none is named.
func tilde(p partial) bounds {
	if len(p.nums) == 0 {
		return family(p)
	}
	return bounds{{ge, p.Version}, {lt, p.bump(min(1, len(p.nums)-1))}}
}

// pessimistic allows the last number that is named to grow: ~> 1.2 is <2, ~> 1.2.3 is <1.3.
func pessimistic(p partial) bounds {
	if len(p.nums) == 0 {
		return family(p)
	}
	return bounds{{ge, p.Version}, {lt, p.bump(max(0, len(p.nums)-2))}}
}

func plain(o op) func(partial) bounds {
	return func(p partial) bounds { return bounds{{o, p.Version}} }
}

// above and upTo take a short version for all of its releases, as npm does: >1 begins at 2, <=1 ends before it.
func above(p partial) bounds {
	if len(p.nums) == 0 || len(p.nums) >= 3 {
		return bounds{{gt, p.Version}}
	}
	return bounds{{ge, p.bump(len(p.nums) - 1)}}
}

func upTo(p partial) bounds {
	if len(p.nums) == 0 {
		return family(p)
	}
	if len(p.nums) >= 3 {
		return bounds{{le, p.Version}}
	}
	return bounds{{lt, p.bump(len(p.nums) - 1)}}
}

// unequal excludes a version; a family cannot be excluded by bounds that all hold, so that one is left in but for its first.
func unequal(p partial) bounds {
	if p.wild || len(p.nums) == 0 {
		return bounds{}
	}
	return bounds{{ne, p.Version}}
}

// A grammar is the meaning of the operators; "" is a version without one. A nil hyphen means that ranges by hyphen are unknown.
type grammar struct {
	ops    map[string]func(partial) bounds
	hyphen bool
}

func (g grammar) parse(text string) (Set, error) {
	if len(text) > maxText {
		return Set{}, fmt.Errorf("a requirement of %d bytes is too long", len(text))
	}
	if g.hyphen {
		text = strings.ReplaceAll(text, " - ", " \x00 ")
	}
	words, err := split(text)
	if err != nil {
		return Set{}, err
	}
	var s Set
	for {
		end := slices.Index(words, "||")
		clause := words
		if end >= 0 {
			clause = words[:end]
		}
		all, err := g.clause(clause)
		if err != nil {
			return Set{}, fmt.Errorf("read the requirement %q: %w", clip(strings.ReplaceAll(text, "\x00", "-")), err)
		}
		s.any = append(s.any, all)
		if end < 0 {
			return s, nil
		}
		words = words[end+1:]
	}
}

// split cuts a requirement into operators, versions, "||" and the hyphen between two versions (as a NUL).
func split(text string) ([]string, error) {
	var words []string
	for i := 0; i < len(text); {
		j := i
		switch c := text[i]; {
		case strings.IndexByte(" \t\r\n,&()", c) >= 0:
			i++
			continue
		case c == '|':
			for j < len(text) && text[j] == '|' {
				j++
			}
			words, i = append(words, "||"), j
			continue
		case strings.IndexByte("<>=!~^", c) >= 0:
			for j < len(text) && strings.IndexByte("<>=!~^", text[j]) >= 0 {
				j++
			}
		case c == 0:
			j++
		default:
			for j < len(text) && strings.IndexByte(" \t\r\n,&()|<>=!~^", text[j]) < 0 {
				if text[j] == 0 {
					return nil, fmt.Errorf("the requirement holds a NUL byte")
				}
				j++
			}
			if text[j-1] == 0 {
				return nil, fmt.Errorf("the requirement holds a NUL byte")
			}
		}
		switch w := text[i:j]; w {
		case "and":
		case "or":
			words = append(words, "||")
		default:
			words = append(words, w)
		}
		i = j
	}
	return words, nil
}

func (g grammar) clause(words []string) (bounds, error) {
	all := bounds{{ge, Version{}}}
	for i := 0; i < len(words); i++ {
		symbol := ""
		if strings.ContainsAny(words[i][:1], "<>=!~^") {
			symbol = words[i]
			i++
		}
		meaning, known := g.ops[symbol]
		if !known {
			return nil, fmt.Errorf("unknown operator %q", clip(symbol))
		}
		if i == len(words) {
			return nil, fmt.Errorf("no version after %q", symbol)
		}
		p, err := parsePartial(words[i])
		if err != nil {
			return nil, err
		}
		if symbol == "" && i+2 < len(words) && words[i+1] == "\x00" {
			high, err := parsePartial(words[i+2])
			if err != nil {
				return nil, err
			}
			all = append(append(all, bound{ge, p.Version}), upTo(high)...)
			i += 2
			continue
		}
		all = append(all, meaning(p)...)
	}
	return all, nil
}

// parsePartial reads a version that may be short or end in x, X or *.
func parsePartial(word string) (partial, error) {
	word, _, _ = strings.Cut(word, "@") // Composer's stability
	word = strings.TrimPrefix(strings.TrimPrefix(word, "v"), "V")
	wild := false
	for {
		cut, star := word, false
		for _, x := range []string{"*", "x", "X"} {
			if c, ok := strings.CutSuffix(word, x); ok && (c == "" || strings.HasSuffix(c, ".")) {
				cut, star = strings.TrimSuffix(c, "."), true
			}
		}
		if !star {
			break
		}
		word, wild = cut, true
	}
	if word == "" && wild {
		return partial{wild: true}, nil
	}
	v, err := ParseVersion(word)
	return partial{v, wild}, err
}
