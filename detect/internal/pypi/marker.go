package pypi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An Env is where packages are installed: CPython on Linux with glibc.
type Env struct {
	Python  string   // "3.13"
	Machine string   // "x86_64", "aarch64"
	Extras  []string // that are asked for, for the variable extra
}

// A Marker is a condition of PEP 508. The zero value is always true.
type Marker struct{ root *node }

// node is a comparison, or a conjunction of two conditions when and or or is set.
type node struct {
	op          string // "and", "or", or a comparison
	left, right *node
	a, b        operand
}

type operand struct {
	name  string // a variable
	value string // a literal
}

const markerDepth = 64 // parentheses: no tool writes a tenth of it

var errMarker = errors.New("is not a marker")

// ParseMarker reads what follows the semicolon of a requirement; "" is always true.
func ParseMarker(text string) (Marker, error) {
	tokens, err := markerTokens(text)
	if err != nil {
		return Marker{}, fmt.Errorf("%q %w", clip(text), err)
	}
	if len(tokens) == 0 {
		return Marker{}, nil
	}
	p := markerParser{tokens: tokens}
	root, err := p.or(0)
	if err != nil || len(p.tokens) > 0 {
		return Marker{}, fmt.Errorf("%q %w", clip(text), errMarker)
	}
	return Marker{root}, nil
}

// Holds reports whether m is true in e.
func (m Marker) Holds(e Env) bool { return m.root == nil || m.root.holds(e) }

func markerTokens(s string) ([]string, error) {
	var list []string
	for i := 0; i < len(s); {
		c := s[i]
		end := i + 1
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '\'' || c == '"':
			n := strings.IndexByte(s[i+1:], c)
			if n < 0 {
				return nil, errMarker
			}
			list = append(list, `"`+s[i+1:i+1+n]) // one leading quote tells a literal
			i += n + 2
			continue
		case strings.IndexByte("<>=!~", c) >= 0:
			for end < len(s) && strings.IndexByte("<>=!~", s[end]) >= 0 {
				end++
			}
		case c == '(' || c == ')':
		case wordByte(c):
			for end < len(s) && (wordByte(s[end]) || s[end] == '.') {
				end++
			}
		default:
			return nil, errMarker
		}
		list = append(list, s[i:end])
		i = end
	}
	return list, nil
}

func wordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

type markerParser struct{ tokens []string }

func (p *markerParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *markerParser) or(depth int) (*node, error) { return p.chain("or", depth, p.and) }

func (p *markerParser) and(depth int) (*node, error) { return p.chain("and", depth, p.term) }

// chain reads conditions that op joins.
func (p *markerParser) chain(op string, depth int, part func(int) (*node, error)) (*node, error) {
	left, err := part(depth)
	for err == nil && len(p.tokens) > 0 && p.tokens[0] == op {
		p.next()
		var right *node
		if right, err = part(depth); err == nil {
			left = &node{op: op, left: left, right: right}
		}
	}
	return left, err
}

func (p *markerParser) term(depth int) (*node, error) {
	if depth > markerDepth {
		return nil, errMarker
	}
	if len(p.tokens) > 0 && p.tokens[0] == "(" {
		p.next()
		n, err := p.or(depth + 1)
		if err == nil && p.next() != ")" {
			err = errMarker
		}
		return n, err
	}
	a, err := p.operand()
	if err != nil {
		return nil, err
	}
	op := p.next()
	if op == "not" && p.next() == "in" {
		op = "not in"
	}
	if !slices.Contains([]string{"<", "<=", ">", ">=", "==", "!=", "~=", "===", "in", "not in"}, op) {
		return nil, errMarker
	}
	b, err := p.operand()
	return &node{op: op, a: a, b: b}, err
}

func (p *markerParser) operand() (operand, error) {
	t := p.next()
	if v, ok := strings.CutPrefix(t, `"`); ok {
		return operand{value: v}, nil
	}
	name := strings.ReplaceAll(t, ".", "_") // os.name, of old
	if _, ok := (Env{}).variable(name); !ok {
		return operand{}, errMarker
	}
	return operand{name: name}, nil
}

// variable returns what a name of PEP 508 and PEP 751 stands for.
func (e Env) variable(name string) (string, bool) {
	switch name {
	case "python_version":
		return e.Python, true
	case "python_full_version", "implementation_version":
		return e.Python + ".99", true // the newest patch of it
	case "os_name":
		return "posix", true
	case "sys_platform":
		return "linux", true
	case "platform_system":
		return "Linux", true
	case "platform_machine":
		return e.Machine, true
	case "platform_python_implementation", "python_implementation":
		return "CPython", true
	case "implementation_name":
		return "cpython", true
	case "platform_release", "platform_version", "extra", "extras", "dependency_groups":
		return "", true
	}
	return "", false
}

func (n *node) holds(e Env) bool {
	switch n.op {
	case "and":
		return n.left.holds(e) && n.right.holds(e)
	case "or":
		return n.left.holds(e) || n.right.holds(e)
	}
	if n.a.name == "extra" || n.b.name == "extra" || n.b.name == "extras" || n.b.name == "dependency_groups" {
		return n.extra(e)
	}
	a, b := n.a.in(e), n.b.in(e)
	switch n.op {
	case "in":
		return strings.Contains(b, a)
	case "not in":
		return !strings.Contains(b, a)
	}
	if isVersion(n.a.name) || isVersion(n.b.name) {
		if isVersion(n.b.name) && !isVersion(n.a.name) { // '3.8' <= python_version
			return Allows(flip(n.op)+a, b)
		}
		return Allows(n.op+b, a)
	}
	switch n.op {
	case "==", "===":
		return a == b
	case "!=":
		return a != b
	case "<=":
		return a <= b
	case ">=":
		return a >= b
	case "<":
		return a < b
	case ">":
		return a > b
	}
	return false
}

// extra compares what is asked for with a literal.
func (n *node) extra(e Env) bool {
	has := slices.Contains(e.Extras, Normal(n.a.value+n.b.value))
	if n.b.name == "dependency_groups" {
		has = false // groups are for development
	}
	return has == (n.op == "==" || n.op == "in")
}

func (o operand) in(e Env) string {
	if o.name == "" {
		return o.value
	}
	v, _ := e.variable(o.name)
	return v
}

func isVersion(name string) bool {
	return name == "python_version" || name == "python_full_version" || name == "implementation_version"
}

func flip(op string) string {
	switch op {
	case "<":
		return ">"
	case ">":
		return "<"
	case "<=":
		return ">="
	case ">=":
		return "<="
	}
	return op
}
