package detect

// plainJSON returns JSON with comments and commas before a closing bracket blanked. Lines keep their numbers.
func plainJSON(b []byte) []byte {
	out := append([]byte(nil), b...)
	comma := -1 // of which only blanks have followed
	for i := 0; i < len(out); {
		switch c := out[i]; {
		case c == '"':
			comma = -1
			i = stringEnd(out, i)
		case c == '/' && i+1 < len(out) && (out[i+1] == '/' || out[i+1] == '*'):
			end := commentEnd(out, i)
			for ; i < end; i++ {
				if out[i] != '\n' {
					out[i] = ' '
				}
			}
		default:
			switch c {
			case ',':
				comma = i
			case ']', '}':
				if comma >= 0 {
					out[comma] = ' '
				}
				comma = -1
			case ' ', '\t', '\r', '\n':
			default:
				comma = -1
			}
			i++
		}
	}
	return out
}

// stringEnd returns the index after the string that begins at i with its quote.
func stringEnd[T []byte | string](b T, i int) int {
	quote := b[i]
	for i++; i < len(b) && b[i] != quote && b[i] != '\n'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(b))
}

func commentEnd[T []byte | string](b T, i int) int {
	line := b[i+1] == '/'
	for i += 2; i < len(b); i++ {
		if line && b[i] == '\n' {
			return i
		}
		if !line && b[i] == '*' && i+1 < len(b) && b[i+1] == '/' {
			return i + 2
		}
	}
	return len(b)
}

// plainJSON5 also puts bare names and 'single' strings into double quotes. It knows no other number than JSON's.
func plainJSON5(b []byte) []byte {
	b = plainJSON5Strings(b)
	return plainJSON(b)
}

func plainJSON5Strings(b []byte) []byte {
	var out []byte
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c == '"':
			end := stringEnd(b, i)
			out = append(out, b[i:end]...)
			i = end
		case c == '\'':
			end := stringEnd(b, i)
			out = append(out, '"')
			for j := i + 1; j < end-1; j++ {
				switch {
				case b[j] == '"':
					out = append(out, '\\', '"')
				case b[j] == '\\' && j+1 < end-1 && b[j+1] == '\'':
					out = append(out, '\'')
					j++
				default:
					out = append(out, b[j])
				}
			}
			out = append(out, '"')
			i = end
		case c == '/' && i+1 < len(b) && (b[i+1] == '/' || b[i+1] == '*'):
			end := commentEnd(b, i)
			out = append(out, b[i:end]...)
			i = end
		case wordByte(c) && (c < '0' || c > '9') || c == '$':
			end := i
			for end < len(b) && (wordByte(b[end]) || b[end] == '$') {
				end++
			}
			out = append(out, bareWord(b, i, end)...)
			i = end
		default:
			out = append(out, c)
			i++
		}
	}
	return out
}

// bareWord quotes a name that a colon follows.
func bareWord(b []byte, i, end int) []byte {
	j := end
	for j < len(b) && (b[j] == ' ' || b[j] == '\t') {
		j++
	}
	if j < len(b) && b[j] == ':' {
		return []byte(`"` + string(b[i:end]) + `"`)
	}
	return b[i:end]
}
