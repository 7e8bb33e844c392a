package detect

import (
	"bytes"
	"fmt"
	"strings"

	lean "github.com/pelletier/go-toml/v2"
)

// What parsers of others may cost is bounded before they read. BurntSushi/toml takes the third power of how deep keys lie in
// each other, a second for 8 KiB of dots; it and yaml take about a microsecond a sign.
const (
	maxSigns      = 20_000  // of TOML or YAML that people write; a pyproject.toml of 1,500 lines has 6,000
	maxYAMLLock   = 40_000  // of a small lock file in YAML: 300 packages of Dart have 18,000
	maxLockSigns  = 250_000 // of a lock file in TOML: a megabyte of uv.lock has 45,000
	maxKeyDepth   = 32      // brackets and parts of keys inside each other; people write 5
	maxLockLines  = 150_000 // of a lock file that is read line by line; 1.4 MB of pnpm-lock.yaml have 20,000
	maxJSONSigns  = 100_000 // of JSON: 750 KB of composer.lock have 20,000, 380 KB of bun.lock 30,000
	maxNpmSigns   = 250_000 // of package-lock.json: 2.6 MB have 100,000
	maxNpmApps    = 20_000  // packages of package-lock.json
	maxLockedApps = 50_000  // packages of a lock file; the largest seen have 5,000
)

// checkTOML refuses TOML that would cost its parser more than files ever do. The error is a [*ParseError].
func checkTOML(file string, data []byte, most int) error {
	text := string(data)
	var open []int // the depth behind each open bracket
	signs, depth, line := 0, 0, 1
	base := func() int {
		if len(open) == 0 {
			return 0
		}
		return open[len(open)-1]
	}
	for i := 0; i < len(text); {
		end, sign := i+1, true
		switch text[i] {
		case '"', '\'':
			end = tomlString(text, i)
			line += strings.Count(text[i:end], "\n")
		case '#':
			end, sign = i+codeLineEnd(data[i:]), false
		case '[', '{':
			depth++
			open = append(open, depth)
		case ']', '}':
			open = open[:max(len(open)-1, 0)]
			depth = base()
		case '.':
			depth++
		case ',':
			depth = base()
		case '\n':
			depth = base()
			line++
		case '=':
		default:
			sign = false
		}
		if sign {
			signs++
		}
		if depth > maxKeyDepth {
			return &ParseError{File: file, Line: line, Msg: fmt.Sprintf("keys and brackets lie more than %d deep in each other", maxKeyDepth)}
		}
		if signs > most {
			return tooLong(file, line, most)
		}
		i = end
	}
	return nil
}

// checkYAML does the same for YAML.
func checkYAML(file string, data []byte) error {
	most := maxSigns
	if strings.HasSuffix(file, ".lock") {
		most = maxYAMLLock
	}
	signs, line := 0, 1
	for _, c := range data {
		switch c {
		case '\n':
			line++
			signs++
		case ':', '-', '[', ']', '{', '}', ',', '&', '*', '?', '!', '"', '\'', '#':
			signs++
		}
		if signs > most {
			return tooLong(file, line, most)
		}
	}
	return nil
}

// checkJSON does the same for JSON.
func checkJSON(file string, data []byte, most int) error {
	signs := 0
	for i := 0; i < len(data); {
		end := i + 1
		switch data[i] {
		case '"':
			end = stringEnd(data, i)
		case '{', '[', ',', ':':
			signs++
		}
		if signs > most {
			return tooLong(file, 1+bytes.Count(data[:i], []byte("\n")), most)
		}
		i = end
	}
	return nil
}

func tooLong(file string, line, most int) error {
	return &ParseError{File: file, Line: line, Msg: fmt.Sprintf("more than %d signs of syntax up to here: no file of its kind has as many", most)}
}

// decodeLockTOML reads a lock file in TOML, which is long and has no comments to keep, into v. The error is a [*ParseError].
func decodeLockTOML(file string, data []byte, v any) error {
	data = bytes.TrimPrefix(data, bom)
	if err := checkTOML(file, data, maxLockSigns); err != nil {
		return err
	}
	switch err := lean.Unmarshal(data, v).(type) {
	case nil:
		return nil
	case *lean.DecodeError:
		line, _ := err.Position()
		return &ParseError{File: file, Line: line, Msg: strings.TrimPrefix(err.Error(), "toml: ")}
	default:
		return &ParseError{File: file, Msg: strings.TrimPrefix(err.Error(), "toml: ")}
	}
}
