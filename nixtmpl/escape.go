package nixtmpl

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"
)

// escapers are the only ways for a value to enter a flake: every action of a template ends in one of them, which
// TestTemplates_EveryActionEscapes checks. None of them is right inside an indented string.
var escapers = template.FuncMap{
	"nix":       quote,
	"list":      quoteList,
	"attr":      attr,
	"attrPath":  attrPath,
	"package":   packageExpr,
	"packageIn": packageIn,
	"comment":   comment,
}

// quote returns s as a double-quoted Nix string. A NUL byte and invalid UTF-8 cannot be written in Nix.
func quote(s string) (string, error) {
	if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		return "", fmt.Errorf("quote %q: a Nix string holds neither NUL bytes nor invalid UTF-8", s)
	}
	return `"` + nixEscaper.Replace(s) + `"`, nil
}

// nixEscaper escapes every $, not only ${: enough, and nothing to get wrong.
var nixEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

func quoteList(list []string) (string, error) {
	var b strings.Builder
	b.WriteString("[")
	for _, s := range list {
		q, err := quote(s)
		if err != nil {
			return "", err
		}
		b.WriteString(" " + q)
	}
	return b.String() + " ]", nil
}

var (
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_'-]*$`)
	pathName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*$`)
	keywords   = []string{"assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"}
)

// attr returns s as the name of an attribute, bare where Nix allows it.
func attr(s string) (string, error) {
	if identifier.MatchString(s) && !slices.Contains(keywords, s) {
		return s, nil
	}
	return quote(s)
}

// attrPath returns s, which must be a path of plain attribute names: "python3.pkgs.pip".
func attrPath(s string) (string, error) {
	if !pathName.MatchString(s) {
		return "", fmt.Errorf("%q is not the name of a package", s)
	}
	var parts []string
	for p := range strings.SplitSeq(s, ".") {
		q, err := attr(p)
		if err != nil {
			return "", err
		}
		parts = append(parts, q)
	}
	return strings.Join(parts, "."), nil
}

// packageExpr returns the package of [build] packages that s names: of the package set, or INPUT#PATH of an input.
func packageExpr(s string) (string, error) {
	input, path, other := strings.Cut(s, "#")
	if !other {
		path = s
	}
	p, err := attrPath(path)
	if err != nil || !other {
		return "pkgs." + p, err
	}
	name, err := attr(input)
	return "inputs." + name + ".packages.${pkgs.stdenv.hostPlatform.system}." + p, err
}

// packageIn is packageExpr for the inside of a string.
func packageIn(s string) (string, error) {
	e, err := packageExpr(s)
	return "${" + e + "}", err
}

// comment returns s on one line.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
