package packidx

import (
	"bytes"
	"strings"
)

// maxAttributesLine is git's limit for a line of .gitattributes.
const maxAttributesLine = 2048

// checkFile judges what stands in a .gitmodules or .gitattributes.
func checkFile(l link, data []byte) error {
	why := ""
	if l.want&wantModules != 0 {
		why = checkModules(data)
	}
	if l.want&wantAttributes != 0 && why == "" {
		why = checkAttributes(data)
	}
	if why != "" {
		return &Error{What: "blob " + l.id.String(), Why: why}
	}
	return nil
}

func checkAttributes(data []byte) string {
	data, _, _ = bytes.Cut(data, []byte{0}) // where git stops reading
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSuffix(line, []byte{'\n'})) >= maxAttributesLine {
			return "gitattributesLineLength: .gitattributes has too long lines to parse"
		}
	}
	return ""
}

// checkModules looks for submodules whose name, place or origin git would trip over. A file that cannot be parsed is
// judged by what stands before the fault.
func checkModules(data []byte) (why string) {
	if bytes.IndexByte(data, 0) >= 0 {
		return "gitmodulesParse: .gitmodules has a NUL byte"
	}
	readConfig(data, func(section, name, key string, value *string) bool {
		if section != "submodule" {
			return true
		}
		why = checkModule(name, key, value)
		return why == ""
	})
	return why
}

func checkModule(name, key string, value *string) string {
	if !goodModuleName(name) {
		return "gitmodulesName: disallowed submodule name: " + name
	}
	if value == nil {
		return ""
	}
	switch {
	case key == "url" && !goodModuleURL(*value):
		return "gitmodulesUrl: disallowed submodule url: " + *value
	case key == "path" && strings.HasPrefix(*value, "-"):
		return "gitmodulesPath: disallowed submodule path: " + *value
	case key == "update" && strings.HasPrefix(*value, "!"):
		return "gitmodulesUpdate: disallowed submodule update setting: " + *value
	}
	return ""
}

func goodModuleName(name string) bool {
	for part := range strings.FieldsFuncSeq(name, isSeparator) {
		if part == ".." {
			return false
		}
	}
	return name != ""
}

func isSeparator(r rune) bool { return r == '/' || r == '\\' }

// goodModuleURL refuses what git would take for an option, and what a percent sign or dots turn into another host.
func goodModuleURL(url string) bool {
	if strings.HasPrefix(url, "-") {
		return false
	}
	rest, up := url, 0
	for {
		if after, ok := cutSeparated(rest, ".."); ok {
			rest, up = after, up+1
		} else if after, ok := cutSeparated(rest, "."); ok {
			rest = after
		} else {
			break
		}
	}
	if len(rest) < len(url) || strings.HasPrefix(url, "git://") {
		return !strings.Contains(decodePercent(url), "\n") && (up == 0 || rest == "" || rest[0] != ':' && rest[0] != '/')
	}
	for _, scheme := range []string{"http", "https", "ftp", "ftps"} {
		if after, ok := strings.CutPrefix(url, scheme+"::"); ok {
			return goodWebURL(after)
		}
		if strings.HasPrefix(url, scheme+"://") {
			return goodWebURL(url)
		}
	}
	return true
}

func cutSeparated(s, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || rest == "" || !isSeparator(rune(rest[0])) {
		return s, false
	}
	return rest[1:], true
}

// goodWebURL wants a scheme and a host, and no line feed: it would end a line of the credential protocol.
func goodWebURL(url string) bool {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok || scheme == "" || strings.Contains(decodePercent(url), "\n") {
		return false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if at := strings.IndexByte(rest, '@'); at >= 0 && at < end {
		return at+1 < end
	}
	return end > 0
}

// decodePercent leaves alone what is no escape.
func decodePercent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := hexValue(s[i+1]), hexValue(s[i+2])
			if hi >= 0 && lo >= 0 && hi|lo != 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
