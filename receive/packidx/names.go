package packidx

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// special is a file that git reads from a checkout: its name without the dot, and what NTFS makes of it where six letters
// are taken.
type special struct{ name, short string }

var (
	gitmodules    = special{"gitmodules", "gi7eba"}
	gitattributes = special{"gitattributes", "gi7d29"}
)

// mayBeSpecial passes all names that the rules below are about, and few others.
func mayBeSpecial(name []byte) bool {
	switch name[0] {
	case '.', 'g', 'G', '~', 0xe2, 0xef: // the last two begin the letters that HFS+ ignores
		return true
	}
	return bytes.IndexByte(name, '\\') >= 0
}

// isDotGit says whether some file system takes a name for .git.
func isDotGit(name []byte) bool {
	if hfsIs(name, "git") || ntfsIsGit(name) {
		return true
	}
	for _, after, ok := bytes.Cut(name, []byte{'\\'}); ok; _, after, ok = bytes.Cut(after, []byte{'\\'}) {
		if ntfsIsGit(after) {
			return true
		}
	}
	return false
}

// isSpecial says whether some file system takes a name for that of the file. A backslash matters to .gitmodules only.
func isSpecial(name []byte, s special) bool {
	if hfsIs(name, s.name) || ntfsIs(name, s) {
		return true
	}
	if s != gitmodules {
		return false
	}
	for _, after, ok := bytes.Cut(name, []byte{'\\'}); ok; _, after, ok = bytes.Cut(after, []byte{'\\'}) {
		if ntfsIs(after, s) {
			return true
		}
	}
	return false
}

// hfsIs compares a name with one that begins with a dot, as HFS+ does: without regard to case, and to letters that it
// ignores.
func hfsIs(name []byte, want string) bool {
	want = "." + want
	for len(name) > 0 {
		r, n := utf8.DecodeRune(name)
		name = name[n:]
		switch {
		case hfsIgnores(r):
			continue
		case r == utf8.RuneError && n == 1, r == 0xfffe, r == 0xffff: // git takes what is no letter for the end
			return want == ""
		case want == "" || r > 127 || lower(byte(r)) != want[0]:
			return false
		}
		want = want[1:]
	}
	return want == ""
}

func hfsIgnores(r rune) bool {
	return 0x200c <= r && r <= 0x200f || 0x202a <= r && r <= 0x202e || 0x206a <= r && r <= 0x206f || r == 0xfeff
}

// ntfsIsGit knows .git and its short name, and that NTFS drops dots and spaces at the end and what follows a colon.
func ntfsIsGit(name []byte) bool {
	for _, s := range []string{".git", "git~1"} {
		if rest, ok := cutFold(name, s); ok {
			rest = bytes.TrimLeft(rest, ". ")
			if len(rest) == 0 || rest[0] == '\\' || rest[0] == ':' || rest[0] == '/' {
				return true
			}
		}
	}
	return false
}

// ntfsIs knows the long name, its short one with ~1 to ~4, and the one that NTFS falls back to.
func ntfsIs(name []byte, s special) bool {
	if rest, ok := cutFold(name, "."+s.name); ok && ntfsEnd(rest) {
		return true
	}
	if rest, ok := cutFold(name, s.name[:6]+"~"); ok && len(rest) > 0 && '1' <= rest[0] && rest[0] <= '4' {
		return ntfsEnd(rest[1:])
	}
	const shortName = 8
	if len(name) < shortName {
		return false
	}
	tilde := bytes.IndexByte(name[:shortName-1], '~')
	if tilde < 0 || tilde > len(s.short) || !strings.EqualFold(string(name[:tilde]), s.short[:tilde]) {
		return false
	}
	for i, c := range name[tilde+1 : shortName] {
		if c < '0' || c > '9' || i == 0 && c == '0' {
			return false
		}
	}
	return ntfsEnd(name[shortName:])
}

func ntfsEnd(rest []byte) bool {
	rest = bytes.TrimLeft(rest, ". ")
	return len(rest) == 0 || rest[0] == ':'
}

// cutFold is bytes.CutPrefix without regard to the case of ASCII letters.
func cutFold(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) {
		return nil, false
	}
	for i := range len(prefix) {
		if lower(b[i]) != lower(prefix[i]) {
			return nil, false
		}
	}
	return b[len(prefix):], true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
