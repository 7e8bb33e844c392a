package config

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/BurntSushi/toml"
)

// decode reads the TOML text b of the file name over c. A key that is not
// known is an error that names its line.
func (c *Config) decode(name string, b []byte) error {
	md, err := toml.Decode(string(b), c)
	var perr toml.ParseError
	if errors.As(err, &perr) {
		return fmt.Errorf("%s:%d: %s", name, perr.Position.Line, perr.Message)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		return fmt.Errorf("%s:%d: unknown key %q", name, keyLine(b, unknown[0]), unknown[0].String())
	}
	return nil
}

// keyLine finds the line on which key is set: the parser does not tell, so it
// is asked about longer and longer beginnings of the text.
func keyLine(b []byte, key toml.Key) int {
	for line, end := 1, 0; end < len(b); line++ {
		if i := bytes.IndexByte(b[end:], '\n'); i >= 0 {
			end += i + 1
		} else {
			end = len(b)
		}
		var any map[string]any
		if md, err := toml.Decode(string(b[:end]), &any); err == nil && md.IsDefined(key...) {
			return line
		}
	}
	return 0
}
