package detect

import "strings"

// A configured is a setting in a configuration file that is a program. Only what its syntax shows is known.
type configured struct {
	file, key string
	line      int
	value     string // of a string, number or boolean
	dynamic   bool   // it is set to something that is computed
}

// setting returns the first `key: literal` in the first of files that is there. file is "" when there is no such key.
func setting(t *tree, key string, files ...string) configured {
	f := t.first(files...)
	if f == "" {
		return configured{}
	}
	tokens := jsTokens(string(t.source(f)))
	for i := 0; i+2 < len(tokens); i++ {
		if tokens[i].text != key || tokens[i].kind == jsPunct || tokens[i+1].text != ":" || tokens[i+1].kind != jsPunct {
			continue
		}
		c := configured{file: f, key: key, line: tokens[i].line}
		after := ","
		if i+3 < len(tokens) {
			after = tokens[i+3].text
		}
		if v := tokens[i+2]; v.kind != jsPunct && (after == "," || after == "}" || after == ";") && (v.kind == jsString || v.text == "true" || v.text == "false") {
			c.value = v.text
		} else {
			c.dynamic = true
		}
		return c
	}
	return configured{}
}

type jsKind int

const (
	jsPunct jsKind = iota
	jsWord
	jsString
)

type jsToken struct {
	kind jsKind
	text string
	line int
}

// jsTokens splits JavaScript or TypeScript into words, strings and single characters, without comments. A template with a
// computed part and a regular expression are not told from what they look like: nothing here is run.
func jsTokens(src string) []jsToken {
	var list []jsToken
	line := 1
	for i := 0; i < len(src) && len(list) < maxTokens; {
		c := src[i]
		end := i + 1
		switch {
		case c == '\n':
			line++
			i++
			continue
		case c == ' ' || c == '\t' || c == '\r':
			i++
			continue
		case c == '/' && i+1 < len(src) && (src[i+1] == '/' || src[i+1] == '*'):
			end = commentEnd(src, i)
		case c == '"' || c == '\'' || c == '`':
			end = stringEnd(src, i)
			text := strings.Trim(src[i:end], string(c))
			kind := jsString
			if c == '`' && strings.Contains(text, "${") {
				kind = jsPunct
			}
			list = append(list, jsToken{kind, text, line})
		case wordByte(c) || c == '$' || c >= 0x80:
			for end < len(src) && (wordByte(src[end]) || src[end] == '$' || src[end] >= 0x80) {
				end++
			}
			list = append(list, jsToken{jsWord, src[i:end], line})
		default:
			list = append(list, jsToken{jsPunct, string(c), line})
		}
		line += strings.Count(src[i:end], "\n")
		i = end
	}
	return list
}
