package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"hop3/internal/command"
	"hop3/internal/manual"
)

var update = flag.Bool("update", false, "write docs/commands.md, docs/man and docs/schema")

const (
	docs = "../../docs/"

	// below is what separates the hand-written part of docs/commands.md.
	below = "<!-- Below is made of the command table: go test ./cmd/hop3 -run Reference -update -->\n"
)

// TestReference holds the command table and what is made of it together.
func TestReference(t *testing.T) {
	b := book(t.Context())
	for _, e := range append(b.Local, b.Remote...) {
		if e.Short == "" || e.Example == "" || e.Role != "" && len(e.Flags) == 0 || !strings.HasPrefix(e.Example, e.Name) {
			t.Errorf("%s: the table lacks a line, an example or flags: %+v", e.Name, e)
		}
	}
	files := map[string][]byte{"man/hop3.1": b.Roff(command.Exits()), "matrices.md": matrices()}
	page, err := os.ReadFile(docs + "commands.md")
	if err != nil {
		t.Fatal(err)
	}
	own, _, _ := bytes.Cut(page, []byte(below))
	files["commands.md"] = append(append(own, below...), b.Markdown()...)
	for _, c := range command.Table() {
		if len(c.Answers) > 0 {
			files["schema/"+manual.SchemaFile(c.Name)] = schemaText(t, "hop3 "+c.Name+" --json", c.Short, c.Answers)
		}
	}
	files["schema/error.json"] = schemaText(t, "hop3 COMMAND --json", "what every command answers where it fails", []any{command.ErrorAnswer{}})
	if *update {
		if err := os.RemoveAll(docs + "schema"); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range files {
		file := filepath.FromSlash(docs + name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/%s does not say what the command table says; write it anew: go test ./cmd/hop3 -run Reference -update", name)
		}
	}
	for _, old := range glob(t, docs+"schema/*") {
		if files["schema/"+filepath.Base(old)] == nil {
			t.Errorf("%s is of no command; go test ./cmd/hop3 -run Reference -update", old)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// schemaText is the published schema of a command's answers. It allows keys
// that it does not name: later versions may have more.
func schemaText(t *testing.T, title, about string, answers []any) []byte {
	t.Helper()
	s, err := answerSchema(answers)
	if err != nil {
		t.Fatalf("%s: %v", title, err)
	}
	s.Schema, s.Title, s.Description = "https://json-schema.org/draft/2020-12/schema", title, about
	allow(s)
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// answerSchema is the schema of what a command writes with --json. It refuses
// keys that are not in it.
func answerSchema(answers []any) (*jsonschema.Schema, error) {
	var shapes []*jsonschema.Schema
	for _, a := range answers {
		s, err := jsonschema.ForType(reflect.TypeOf(a), nil)
		if err != nil {
			return nil, err
		}
		if len(s.PropertyOrder) == 0 || s.PropertyOrder[0] != "version" {
			return nil, fmt.Errorf("%T does not begin with version", a)
		}
		one := any(1)
		s.Properties["version"].Const = &one
		noNulls(s)
		shapes = append(shapes, s)
	}
	if len(shapes) == 1 {
		return shapes[0], nil
	}
	return &jsonschema.Schema{OneOf: shapes}, nil
}

// noNulls takes null away from lists: an empty one is written as [].
func noNulls(s *jsonschema.Schema) {
	if s.Items != nil && len(s.Types) > 0 {
		s.Type, s.Types = "array", nil
	}
	each(s, noNulls)
}

// allow lets objects have more keys.
func allow(s *jsonschema.Schema) {
	if s.AdditionalProperties != nil && s.AdditionalProperties.Not != nil {
		s.AdditionalProperties = nil
	}
	each(s, allow)
}

func each(s *jsonschema.Schema, f func(*jsonschema.Schema)) {
	for _, p := range s.Properties {
		f(p)
	}
	for _, p := range s.OneOf {
		f(p)
	}
	if s.Items != nil {
		f(s.Items)
	}
	if s.AdditionalProperties != nil {
		f(s.AdditionalProperties)
	}
}
