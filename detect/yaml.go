package detect

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line ([0-9]+): `)

// decodeYAML reads a YAML file into v. The error is a [*ParseError].
func decodeYAML(file string, data []byte, v any) error {
	if err := checkYAML(file, data); err != nil {
		return err
	}
	err := yaml.Unmarshal(bytes.TrimPrefix(data, bom), v)
	if err == nil {
		return nil
	}
	msg, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1]) // too many digits for a line leave it unknown
		msg = strings.TrimPrefix(msg, m[0])
	}
	return &ParseError{File: file, Line: line, Msg: clip(msg)}
}

// A yamlPair is a key of a mapping with its value and its line.
type yamlPair struct {
	key   string
	line  int
	value *yaml.Node
}

// pairs returns the entries of a mapping in order, none if n is something else.
func pairs(n *yaml.Node) []yamlPair {
	for n != nil && (n.Kind == yaml.AliasNode || n.Kind == yaml.DocumentNode && len(n.Content) == 1) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		} else {
			n = n.Content[0]
		}
	}
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var list []yamlPair
	for i := 0; i+1 < len(n.Content); i += 2 {
		list = append(list, yamlPair{n.Content[i].Value, n.Content[i].Line, n.Content[i+1]})
	}
	return list
}

// lookup returns the value under a path of keys, nil if there is none.
func lookup(n *yaml.Node, keys ...string) *yaml.Node {
	for _, k := range keys {
		var next *yaml.Node
		for _, p := range pairs(n) {
			if p.key == k {
				next = p.value
			}
		}
		if next == nil {
			return nil
		}
		n = next
	}
	return n
}

// scalar returns the text of a scalar, "" for anything else.
func scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}
