package detect

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// schema is as much of JSON Schema as docs/plan.schema.json uses.
type schema struct {
	Ref        string            `json:"$ref"`
	Defs       map[string]schema `json:"$defs"`
	Type       string            `json:"type"`
	Const      any               `json:"const"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
	Additional json.RawMessage   `json:"additionalProperties"`
	Items      *schema           `json:"items"`
}

// TestSchema holds docs/plan.schema.json and what is printed together, over the whole corpus.
func TestSchema(t *testing.T) {
	b, err := os.ReadFile("../docs/plan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root schema
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	for name, tree := range corpus(t) {
		p, err := Detect(tree)
		def, text := "plan", []byte(nil)
		if err != nil {
			def, text = "failure", ErrorJSON(err)
		} else if text, err = p.JSON(); err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		if err := root.Defs[def].check(root.Defs, "$", doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (s schema) check(defs map[string]schema, at string, doc any) error {
	if s.Ref != "" {
		return defs[strings.TrimPrefix(s.Ref, "#/$defs/")].check(defs, at, doc)
	}
	if s.Const != nil && s.Const != doc {
		return fmt.Errorf("%s is %v, want %v", at, doc, s.Const)
	}
	switch doc := doc.(type) {
	case string:
		return s.is("string", at)
	case bool:
		return s.is("boolean", at)
	case float64:
		return s.is("integer", at)
	case []any:
		for i, e := range doc {
			if err := s.Items.check(defs, fmt.Sprintf("%s[%d]", at, i), e); err != nil {
				return err
			}
		}
		return s.is("array", at)
	case map[string]any:
		return s.object(defs, at, doc)
	}
	return fmt.Errorf("%s is a %T", at, doc)
}

func (s schema) is(kind, at string) error {
	if s.Type != kind {
		return fmt.Errorf("%s is a %s, want %q", at, kind, s.Type)
	}
	return nil
}

func (s schema) object(defs map[string]schema, at string, doc map[string]any) error {
	for _, key := range s.Required {
		if _, ok := doc[key]; !ok {
			return fmt.Errorf("%s has no %q", at, key)
		}
	}
	for key, value := range doc {
		part, known := s.Properties[key]
		if !known {
			if string(s.Additional) == "false" || json.Unmarshal(s.Additional, &part) != nil {
				return fmt.Errorf("%s has an unknown %q; known are %v", at, key, slices.Sorted(maps.Keys(s.Properties)))
			}
		}
		if err := part.check(defs, at+"."+key, value); err != nil {
			return err
		}
	}
	return s.is("object", at)
}
