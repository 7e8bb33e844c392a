package constraint

import (
	"fmt"
	"strings"
)

// comparisons are the operators that all grammars share.
func comparisons(more map[string]func(partial) bounds) map[string]func(partial) bounds {
	ops := map[string]func(partial) bounds{">=": plain(ge), "<": plain(lt), ">": plain(gt), "<=": plain(le), "!=": unequal, "=": exact, "==": exact}
	for k, v := range more {
		ops[k] = v
	}
	return ops
}

// NPM reads the ranges of package.json (node-semver 7): "^20 || >=22.1 <23", "18.x", "1.2 - 2".
func NPM(text string) (Set, error) {
	return grammar{hyphen: true, ops: comparisons(map[string]func(partial) bounds{
		"": short, "=": short, "==": short, ">": above, "<=": upTo, "^": caret, "~": tilde, "~>": tilde,
	})}.parse(text)
}

// codenames are Node's long-term releases as .nvmrc may name them.
func codenames() map[string]string {
	return map[string]string{
		"argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14",
		"gallium": "16", "hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24",
	}
}

// Node reads what .nvmrc and its like hold: the ranges of [NPM] and nvm's aliases (lts/*, lts/iron, lts/-1, node, stable).
func Node(text string) (Set, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	name, lts := strings.CutPrefix(text, "lts/")
	switch {
	case text == "node" || text == "latest" || text == "current" || text == "stable":
		return NPM("*")
	case codenames()[name] != "":
		return NPM(codenames()[name])
	case text == "lts" || text == "--lts" || lts && (name == "*" || strings.HasPrefix(name, "-")):
		var s Set
		for major := 4; major < 100; major += 2 { // an even major is, or becomes, a long-term release
			s.any = append(s.any, family(partial{Version: Version{nums: []int{major}}}))
		}
		return s, nil
	case lts:
		return Set{}, fmt.Errorf("%q names no long-term release of Node", clip(text))
	}
	return NPM(strings.TrimPrefix(text, "node-"))
}

// PEP440 reads Python's version specifiers: ">=3.10,<3.13", "~=3.11", "==3.12.*". "===" counts as "==".
func PEP440(text string) (Set, error) {
	return grammar{ops: comparisons(map[string]func(partial) bounds{"~=": pessimistic, "===": exact})}.parse(text)
}

// Poetry reads the constraints of [tool.poetry.dependencies]: those of PEP 440, and "^3.11", "~3.11", "3.11.*", "a || b".
func Poetry(text string) (Set, error) {
	return grammar{ops: comparisons(map[string]func(partial) bounds{
		"": exact, "~=": pessimistic, "===": exact, "^": caret, "~": tilde,
	})}.parse(text)
}

// Ruby reads Gem requirements: "~> 3.2", ">= 3.1, < 4". Crystal's shard.yml has the same.
func Ruby(text string) (Set, error) {
	return grammar{ops: comparisons(map[string]func(partial) bounds{"": exact, "~>": pessimistic})}.parse(text)
}

// Composer reads the constraints of composer.json: "^8.1 || ^8.3", "~8.2.0", "8.2 - 8.4", "8.*". A short version without an
// operator stands for its releases: "8.2" can hardly mean 8.2.0 alone where a platform is asked for.
func Composer(text string) (Set, error) {
	return grammar{hyphen: true, ops: comparisons(map[string]func(partial) bounds{
		"": short, "^": caret, "~": pessimistic, "<>": unequal,
	})}.parse(text)
}

// Cargo reads the requirements of Cargo.toml: "1.2" means "^1.2".
func Cargo(text string) (Set, error) {
	return grammar{ops: comparisons(map[string]func(partial) bounds{"": cargo, "=": short, "^": caret, "~": tilde, ">": above, "<=": upTo})}.parse(text)
}

// cargo is a version without operator: compatible, or its family with a wildcard.
func cargo(p partial) bounds {
	if p.wild {
		return family(p)
	}
	return caret(p)
}

// Hex reads the requirements of mix.exs and gleam.toml: "~> 1.15", ">= 1.14.0 and < 2.0.0 or ~> 3.0".
func Hex(text string) (Set, error) {
	return grammar{ops: comparisons(map[string]func(partial) bounds{"": exact, "~>": pessimistic})}.parse(text)
}

// Maven reads version ranges: "[17,22)", "[11,)", "(,1.8]", "[17]", and alternatives by comma. Without brackets a version is
// a minimum, as Maven recommends it.
func Maven(text string) (Set, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxText {
		return Set{}, fmt.Errorf("a requirement of %d bytes is too long", len(text))
	}
	if !strings.ContainsAny(text, "[(") {
		v, err := ParseVersion(text)
		return Set{[]bounds{{{ge, v}}}}, err
	}
	var s Set
	for text != "" {
		end := strings.IndexAny(text, ")]")
		if end < 1 || text[0] != '[' && text[0] != '(' {
			return Set{}, fmt.Errorf("%q is not a range of versions", clip(text))
		}
		all, err := interval(text[1:end], text[0] == '[', text[end] == ']')
		if err != nil {
			return Set{}, err
		}
		s.any = append(s.any, all)
		text = strings.TrimLeft(text[end+1:], " ,")
	}
	return s, nil
}

func interval(text string, fromIn, toIn bool) (bounds, error) {
	from, to, both := strings.Cut(text, ",")
	if !both {
		v, err := ParseVersion(from)
		return bounds{{eq, v}}, err
	}
	all := bounds{{ge, Version{}}}
	for i, side := range []string{from, to} {
		if side = strings.TrimSpace(side); side == "" {
			continue
		}
		v, err := ParseVersion(side)
		if err != nil {
			return nil, err
		}
		o := [2][2]op{{gt, ge}, {lt, le}}[i][boolInt([2]bool{fromIn, toIn}[i])]
		all = append(all, bound{o, v})
	}
	return all, nil
}

// Pin reads what one-line pin files hold: a version, short ones standing for all of their releases.
func Pin(text string) (Set, error) {
	p, err := parsePartial(strings.TrimSpace(text))
	if err != nil {
		return Set{}, err
	}
	return Set{[]bounds{short(p)}}, nil
}

// Minimum reads what go.mod, rust-version and swift-tools-version hold: the oldest version that will do.
func Minimum(text string) (Set, error) {
	v, err := ParseVersion(text)
	if err != nil {
		return Set{}, err
	}
	return Set{[]bounds{{{ge, v}}}}, nil
}
