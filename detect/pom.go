package detect

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	maxXMLNodes = 12_000 // elements of one pom.xml; the largest seen have 3,000
	maxXMLDepth = 64
	maxModules  = 256
)

// An xmlElement is a node of an XML document, without its name space.
type xmlElement struct {
	name     string
	text     string
	line     int
	children []*xmlElement
}

// child returns the first element at the path of names, nil if there is none. It may be called on nil.
func (e *xmlElement) child(names ...string) *xmlElement {
	for _, n := range names {
		if e == nil {
			return nil
		}
		i := slices.IndexFunc(e.children, func(c *xmlElement) bool { return c.name == n })
		if i < 0 {
			return nil
		}
		e = e.children[i]
	}
	return e
}

// value returns the text of the element at the path of names.
func (e *xmlElement) value(names ...string) string {
	if c := e.child(names...); c != nil {
		return c.text
	}
	return ""
}

// all returns the elements called name in the element at the path of names.
func (e *xmlElement) all(name string, names ...string) []*xmlElement {
	parent := e.child(names...)
	if parent == nil {
		return nil
	}
	var list []*xmlElement
	for _, c := range parent.children {
		if c.name == name {
			list = append(list, c)
		}
	}
	return list
}

// find returns the first element called name anywhere below e.
func (e *xmlElement) find(name string) *xmlElement {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if c.name == name {
			return c
		}
		if hit := c.find(name); hit != nil {
			return hit
		}
	}
	return nil
}

// parseXML reads a document. The error is a [*ParseError].
func parseXML(file string, data []byte) (*xmlElement, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = latinReader
	root := &xmlElement{}
	stack := []*xmlElement{root}
	for nodes := 0; ; {
		tok, err := d.Token()
		line, _ := d.InputPos()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if se, ok := errors.AsType[*xml.SyntaxError](err); ok {
				return nil, &ParseError{File: file, Line: se.Line, Msg: se.Msg}
			}
			return nil, &ParseError{File: file, Line: line, Msg: err.Error()}
		}
		top := stack[len(stack)-1]
		switch tok := tok.(type) {
		case xml.StartElement:
			if nodes++; nodes > maxXMLNodes || len(stack) > maxXMLDepth {
				return nil, &ParseError{File: file, Line: line, Msg: fmt.Sprintf("more than %d elements, or more than %d in one another", maxXMLNodes, maxXMLDepth)}
			}
			e := &xmlElement{name: tok.Name.Local, line: line}
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			top.text = strings.TrimSpace(top.text)
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 1 {
				top.text += string(tok)
			}
		}
	}
	if len(root.children) == 0 {
		return nil, &ParseError{File: file, Msg: "holds no element"}
	}
	return root.children[0], nil
}

// latinReader reads the one-byte encodings that old files declare.
func latinReader(charset string, input io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "iso-8859-1", "latin1", "windows-1252", "us-ascii", "ascii":
	case "utf8":
		return input, nil
	default:
		return nil, fmt.Errorf("the encoding %q is not known", clip(charset))
	}
	b, err := io.ReadAll(input)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for _, c := range b {
		out.WriteRune(rune(c))
	}
	return strings.NewReader(out.String()), nil
}

// A pom is a pom.xml of the tree with its parents of the tree.
type pom struct {
	*xmlElement
	dir    string
	file   string
	parent *pom // nil where the parent is not in the tree
}

// A reactor is the poms that one run of Maven builds, the root first.
type reactor struct {
	t    *tree
	poms map[string]*pom // by file
	list []*pom          // the root and its modules, in the order in which they are declared
}

func readReactor(t *tree) (*reactor, error) {
	r := &reactor{t: t, poms: map[string]*pom{}}
	return r, r.module("pom.xml", nil)
}

// module reads a pom and the modules below it.
func (r *reactor) module(file string, from *xmlElement) error {
	if len(r.list) >= maxModules {
		return &ParseError{File: "pom.xml", Msg: fmt.Sprintf("more than %d modules", maxModules)}
	}
	p, err := r.read(file, 0)
	if err != nil {
		return err
	}
	if slices.Contains(r.list, p) {
		return nil
	}
	r.list = append(r.list, p)
	for _, m := range p.all("module", "modules") {
		f := path.Join(p.dir, m.text)
		if !strings.HasSuffix(f, ".xml") {
			f = path.Join(f, "pom.xml")
		}
		if !r.t.has(f) {
			return &ParseError{File: p.file, Line: m.line, Msg: fmt.Sprintf("module %q: no %s in the pushed tree", clip(m.text), clip(f))}
		}
		if err := r.module(f, m); err != nil {
			return err
		}
	}
	return nil
}

const maxParents = 16 // of one pom

func (r *reactor) read(file string, generation int) (*pom, error) {
	if p := r.poms[file]; p != nil {
		return p, nil
	}
	b, err := r.t.read(file)
	if err != nil {
		return nil, err
	}
	e, err := parseXML(file, b)
	if err != nil {
		return nil, err
	}
	if e.name != "project" {
		return nil, &ParseError{File: file, Line: e.line, Msg: fmt.Sprintf("the root element is %q, not project", clip(e.name))}
	}
	p := &pom{xmlElement: e, dir: path.Dir(file), file: file}
	r.poms[file] = p
	if e.child("parent") == nil || generation > maxParents {
		return p, nil
	}
	rel := "../pom.xml"
	if c := e.child("parent", "relativePath"); c != nil {
		rel = c.text
	}
	above := path.Join(p.dir, rel)
	if rel != "" && r.t.dirs[above] {
		above = path.Join(above, "pom.xml")
	}
	if rel == "" || !r.t.has(above) || above == file {
		return p, nil
	}
	q, err := r.read(above, generation+1)
	if err != nil {
		return nil, err
	}
	if q.value("artifactId") == e.value("parent", "artifactId") { // else it is another project's, and Maven fetches the parent
		p.parent = q
	}
	return p, nil
}

// chain calls f with p and its parents until f returns false.
func (p *pom) chain(f func(*pom) bool) {
	for n := 0; p != nil && n <= maxParents && f(p); n++ {
		p = p.parent
	}
}

// property returns a property of p or its parents, unexpanded, and where it stands.
func (p *pom) property(name string) (value, from string) {
	p.chain(func(q *pom) bool {
		if c := q.child("properties", name); c != nil {
			value, from = c.text, fmt.Sprintf("%s:%d %s", q.file, c.line, name)
		}
		return value == ""
	})
	return value, from
}

func (p *pom) artifact() string { return p.value("artifactId") }

func (p *pom) version() string { return cmp.Or(p.value("version"), p.value("parent", "version")) }

func (p *pom) group() string { return cmp.Or(p.value("groupId"), p.value("parent", "groupId")) }

var mavenPlaceholder = regexp.MustCompile(`\$\{([A-Za-z0-9_.-]+)\}`)

// expand fills in ${…} from properties and from the project itself. What is not known, or is only during a build, stays.
func (p *pom) expand(s string) string {
	for range 8 { // properties name each other; a circle stays as it is
		next := mavenPlaceholder.ReplaceAllStringFunc(s, func(m string) string {
			name := m[2 : len(m)-1]
			switch strings.TrimPrefix(strings.TrimPrefix(name, "project."), "pom.") {
			case "artifactId":
				return cmp.Or(p.artifact(), m)
			case "version":
				return cmp.Or(p.version(), m)
			case "groupId":
				return cmp.Or(p.group(), m)
			}
			v, _ := p.property(name)
			return cmp.Or(v, m)
		})
		const longest = 1 << 12
		if next == s || len(next) > longest {
			break
		}
		s = next
	}
	return s
}

// plugin returns the build plug-in of p or its parents, and its pom; what pluginManagement says does not run by itself.
func (p *pom) plugin(artifact string) (found *xmlElement, in *pom) {
	p.chain(func(q *pom) bool {
		for _, e := range q.all("plugin", "build", "plugins") {
			if e.value("artifactId") == artifact && found == nil {
				found, in = e, q
			}
		}
		return found == nil
	})
	return found, in
}

// configured returns a value of a plug-in's configuration, which may stand in one of its executions or in pluginManagement.
func (p *pom) configured(artifact, key string) (value, from string) {
	p.chain(func(q *pom) bool {
		for _, at := range [][]string{{"build", "plugins"}, {"build", "pluginManagement", "plugins"}} {
			for _, e := range q.all("plugin", at...) {
				if c := e.find(key); e.value("artifactId") == artifact && c != nil && c.text != "" && value == "" {
					value, from = p.expand(c.text), fmt.Sprintf("%s:%d %s", q.file, c.line, key)
				}
			}
		}
		return value == ""
	})
	return value, from
}

// dependencies are group:artifact of what p and its parents need to run.
func (p *pom) dependencies() []string {
	var list []string
	p.chain(func(q *pom) bool {
		for _, d := range q.all("dependency", "dependencies") {
			switch d.value("scope") {
			case "test", "provided", "system", "import":
			default:
				list = append(list, p.expand(d.value("groupId"))+":"+p.expand(d.value("artifactId")))
			}
		}
		return true
	})
	return list
}
