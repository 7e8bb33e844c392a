package detect

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// An msbuildProject is a project file, or one of the files that all projects below it take in.
type msbuildProject struct {
	file       string
	sdk        string
	properties map[string]string // the last value of each, conditions not looked at
	packages   []string          // PackageReference
	projects   []string          // ProjectReference, as paths of the tree
	line       map[string]int    // of a property
	from       map[string]string // the file of an inherited one
	sdkLine    int
}

// property returns a value with its own project's references to other properties left as they are.
func (p *msbuildProject) property(name string) string { return p.properties[name] }

const msbuildDepth = 100 // nested elements

// parseMSBuild reads a project file. The error is a [*ParseError] with the line.
func parseMSBuild(file string, data []byte) (*msbuildProject, error) {
	p := &msbuildProject{file: file, properties: map[string]string{}, line: map[string]int{}, from: map[string]string{}}
	var stack []string
	var text strings.Builder
	err := walkXML(file, data, func(tok xml.Token, line int) error {
		switch tok := tok.(type) {
		case xml.StartElement:
			if len(stack) == 0 && tok.Name.Local != "Project" {
				return &ParseError{File: file, Line: line, Msg: "the root is " + clip(tok.Name.Local) + ", not Project"}
			}
			if len(stack) > msbuildDepth {
				return &ParseError{File: file, Line: line, Msg: "nested too deep"}
			}
			stack = append(stack, tok.Name.Local)
			text.Reset()
			p.element(tok)
			if p.sdk != "" && p.sdkLine == 0 {
				p.sdkLine = line
			}
			p.line[tok.Name.Local] = line
		case xml.CharData:
			text.Write(tok)
		case xml.EndElement:
			if len(stack) >= 3 && stack[len(stack)-2] == "PropertyGroup" {
				p.properties[tok.Name.Local] = strings.TrimSpace(text.String())
			}
			stack = stack[:max(len(stack)-1, 0)]
		}
		return nil
	})
	return p, err
}

func (p *msbuildProject) element(e xml.StartElement) {
	switch e.Name.Local {
	case "Project", "Sdk", "Import":
		name := xmlAttr(e, "Sdk")
		if e.Name.Local == "Sdk" {
			name = xmlAttr(e, "Name")
		}
		if name != "" && p.sdk == "" {
			p.sdk, _, _ = strings.Cut(name, "/")
		}
	case "PackageReference":
		if name := xmlAttr(e, "Include"); name != "" {
			p.packages = append(p.packages, name)
		}
	case "ProjectReference":
		if name := xmlAttr(e, "Include"); name != "" {
			p.projects = append(p.projects, path.Join(path.Dir(p.file), strings.ReplaceAll(name, `\`, "/")))
		}
	}
}

func xmlAttr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// walkXML calls f for each token with its line. The error is f's, or a [*ParseError].
func walkXML(file string, data []byte, f func(tok xml.Token, line int) error) error {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, bom)))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // names and paths are ASCII
	for {
		tok, err := d.Token()
		line, _ := d.InputPos()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if se, ok := errors.AsType[*xml.SyntaxError](err); ok {
				return &ParseError{File: file, Line: se.Line, Msg: clip(se.Msg)}
			}
			return &ParseError{File: file, Line: line, Msg: clip(err.Error())}
		}
		if err := f(tok, line); err != nil {
			return err
		}
	}
}

// slnProject is a line of a solution: Project("{kind}") = "Web", "src\Web\Web.csproj", "{id}".
var slnProject = regexp.MustCompile(`^\s*Project\("\{[0-9A-Fa-f-]+\}"\)\s*=\s*"[^"]*"\s*,\s*"([^"]+)"\s*,`)

// solutionProjects returns the project files that a solution names, as paths of the tree.
func solutionProjects(t *tree, file string) ([]string, error) {
	data, err := t.read(file)
	if err != nil {
		return nil, err
	}
	var list []string
	add := func(name string, line int) error {
		name = path.Join(path.Dir(file), strings.ReplaceAll(name, `\`, "/"))
		if !isProject(name) {
			return nil // a folder of the solution
		}
		if !t.has(name) {
			return &ParseError{File: file, Line: line, Msg: clip(name) + " is not in the pushed tree"}
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
		return nil
	}
	if path.Ext(file) == ".slnx" {
		return list, walkXML(file, data, func(tok xml.Token, line int) error {
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "Project" {
				return add(xmlAttr(e, "Path"), line)
			}
			return nil
		})
	}
	n := 0
	for l := range strings.Lines(string(bytes.TrimPrefix(data, bom))) {
		n++
		if m := slnProject.FindStringSubmatch(l); m != nil {
			if err := add(m[1], n); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

func isProject(file string) bool {
	return slices.Contains([]string{".csproj", ".fsproj", ".vbproj"}, path.Ext(file))
}

// inherit takes in what Directory.Build.props and Directory.Packages.props of the project's folders say, of each the nearest
// one only, as MSBuild does.
func (p *msbuildProject) inherit(t *tree) error {
	for _, name := range []string{"Directory.Build.props", "Directory.Packages.props"} {
		f := nearestAbove(t, path.Dir(p.file), name)
		if f == "" {
			continue
		}
		data, err := t.read(f)
		if err != nil {
			return err
		}
		props, err := parseMSBuild(f, data)
		if err != nil {
			return err
		}
		for k, v := range props.properties {
			if _, own := p.properties[k]; !own {
				p.properties[k], p.from[k], p.line[k] = v, f, props.line[k]
			}
		}
		p.packages = append(p.packages, props.packages...)
	}
	return nil
}

// nearestAbove is the file of that name in a folder or the nearest of those around it, "" if there is none.
func nearestAbove(t *tree, dir, name string) string {
	for ; ; dir = path.Dir(dir) {
		if f := path.Join(dir, name); t.has(f) {
			return f
		}
		if dir == "." {
			return ""
		}
	}
}

// readMSBuild reads a project and what it takes in.
func readMSBuild(t *tree, file string) (*msbuildProject, error) {
	data, err := t.read(file)
	if err != nil {
		return nil, err
	}
	p, err := parseMSBuild(file, data)
	if err != nil {
		return nil, err
	}
	for _, r := range p.projects {
		if !t.has(r) {
			return nil, &ParseError{File: file, Line: p.line["ProjectReference"], Msg: fmt.Sprintf("ProjectReference %s is not in the pushed tree", clip(r))}
		}
	}
	return p, p.inherit(t)
}
