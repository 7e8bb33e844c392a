package sshd

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSplit_Words(t *testing.T) {
	for line, want := range map[string][]string{
		"":                              nil,
		" \t\n":                         nil,
		"apps":                          {"apps"},
		`a "" b ''`:                     {"a", "", "b", ""},
		`git-receive-pack 'blog.git'`:   {"git-receive-pack", "blog.git"},
		`git-receive-pack 'it'\''s'`:    {"git-receive-pack", "it's"},
		`git-upload-pack 'a'\!'b'`:      {"git-upload-pack", "a!b"},
		`logs --grep "foo\.bar \d+"`:    {"logs", "--grep", `foo\.bar \d+`},
		`x "\$HOME \" \\ \` + "`" + `"`: {"x", `$HOME " \ ` + "`"},
		"x a\\\nb \"c\\\nd\"":           {"x", "ab", "cd"},
		"maintenance:on -m #1 down":     {"maintenance:on", "-m", "#1", "down"},
		`x $HOME * ; | & > a#b`:         {"x", "$HOME", "*", ";", "|", "&", ">", "a#b"},
		`x 'a\b'`:                       {"x", `a\b`},
		"config:set blog K='é\n€'":      {"config:set", "blog", "K=é\n€"},
	} {
		got, err := split(line)
		if err != nil || !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
}

func TestSplit_ErrorsNameThePlace(t *testing.T) {
	for line, want := range map[string]string{
		"echo it's":    "the command line has a ' that is never closed at character 8",
		`é "a 'b'`:     `the command line has a " that is never closed at character 3`,
		`echo \`:       "the command line has a backslash with nothing after it at character 6",
		"a\x00b":       "the command line has a NUL byte at character 2",
		"caf\xe9 blog": "the command line is not UTF-8",
	} {
		words, err := split(line)
		var we *WordsError
		if !errors.As(err, &we) || err.Error() != want || we.Hint() == "" || words != nil {
			t.Errorf("%q: %q, %v", line, words, err)
		}
	}
}

// A shell is asked how it splits what needs no expansion.
func TestSplit_AsAShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh to compare with")
	}
	for _, line := range []string{
		`a b  c`, `'a b' "c d"`, `a\ b`, `"\a\"\\"`, `'\'`, `"'" '"'`, `a''b""c`, `"" ''`, `a"b c"d'e f'`, "a\\\nb", "\"a\\\nb\"", `\'\"\\`, `"\d\.\("`,
	} {
		out, err := exec.Command(sh, "-c", `printf '%s\0' `+line).Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if got, err := split(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; the shell: %q", line, got, err, want)
		}
	}
}

// FuzzSplit: no line panics, an error is a WordsError with a place inside the
// line, and words, once quoted again, split into themselves.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"", "a b", "it's", `"a\"b`, `a\`, "#x", `'#' "#"`, "\x00", "\xff", "a\\\nb", `"\x"`, "$(x) `y`"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := split(line)
		if err != nil {
			var we *WordsError
			if !errors.As(err, &we) || we.At < 0 || we.At > utf8.RuneCountInString(line) || words != nil {
				t.Fatalf("%q: %q, %v", line, words, err)
			}
			return
		}
		again, err := split(quote(words))
		if err != nil || !slices.Equal(again, words) {
			t.Fatalf("%q: %q became %q, %v", line, words, again, err)
		}
	})
}

// FuzzSplitQuoted: whatever the words, quoted they come through unchanged.
func FuzzSplitQuoted(f *testing.F) {
	f.Add("a", "b c")
	f.Add("", `'"\#`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) || strings.ContainsRune(a+b, 0) {
			return
		}
		want := []string{a, b}
		if got, err := split(quote(want)); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q became %q, %v", want, got, err)
		}
	})
}

func quote(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}
