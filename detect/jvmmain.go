package detect

import (
	"path"
	"slices"
	"strings"
	"unicode"
)

const (
	maxMainFiles = 2000    // sources that are read to find a main
	maxMainBytes = 4 << 20 // of all of them
)

// A jvmMain is a class that can be started, and where it is.
type jvmMain struct {
	class string
	file  string
	line  int
}

// jvmMains finds the classes with a main in the sources below dir, tests and examples left out, sorted by class.
func (t *tree) jvmMains(dir string) []jvmMain {
	var list []jvmMain
	files, size := 0, int64(0)
	for _, f := range t.order {
		ext := path.Ext(f)
		if ext != ".java" && ext != ".kt" && ext != ".scala" || !belowDir(f, dir) || testSource(f) {
			continue
		}
		if files, size = files+1, size+t.size(f); files > maxMainFiles || size > maxMainBytes {
			break
		}
		list = append(list, mainsOf(f, t.source(f))...)
	}
	slices.SortFunc(list, func(a, b jvmMain) int { return strings.Compare(a.class+" "+a.file, b.class+" "+b.file) })
	return list
}

func belowDir(file, dir string) bool { return dir == "." || strings.HasPrefix(file, dir+"/") }

// testSource reports whether a source is no part of the app: src/test, jmh, examples.
func testSource(file string) bool {
	for el := range strings.SplitSeq(path.Dir(file), "/") {
		switch el {
		case "test", "tests", "testFixtures", "integrationTest", "jmh", "example", "examples", "buildSrc", "target", "build", "project":
			return true
		}
	}
	return false
}

// mainsOf returns the classes of one source that have a main.
func mainsOf(file string, src []byte) []jvmMain {
	s := mainScan{file: file, tokens: lexCode(src)}
	for i := range s.tokens {
		s.visit(i)
	}
	return s.found
}

// A mainScan walks over a source with the package and the class that it is in.
type mainScan struct {
	file   string
	tokens []codeToken
	pkg    string
	depth  int
	class  string // the outermost one here
	name   string // of the Kotlin file's own class, by @file:JvmName
	found  []jvmMain
}

func (s *mainScan) word(i int) string {
	if i < 0 || i >= len(s.tokens) || s.tokens[i].kind != codeWord {
		return ""
	}
	return s.tokens[i].text
}

func (s *mainScan) mark(i int, text string) bool {
	return i >= 0 && i < len(s.tokens) && s.tokens[i].kind == codeMark && s.tokens[i].text == text
}

func (s *mainScan) visit(i int) {
	switch {
	case s.mark(i, "{"):
		s.depth++
	case s.mark(i, "}"):
		s.depth = max(s.depth-1, 0)
	case s.word(i) == "package" && s.depth == 0 && s.pkg == "":
		s.pkg = s.dotted(i + 1)
	case s.word(i) == "JvmName" && s.mark(i-1, ":") && s.word(i-2) == "file" && i+2 < len(s.tokens):
		s.name = s.tokens[i+2].text
	case slices.Contains([]string{"class", "interface", "enum", "record", "object"}, s.word(i)) && s.word(i+1) != "" && !s.mark(i-1, "."):
		if s.depth == 0 && s.word(i-1) != "enum" || s.class == "" {
			s.class = s.word(i + 1)
		}
		if s.word(i) == "object" && path.Ext(s.file) == ".scala" {
			s.scalaObject(i + 1)
		}
	case s.word(i) == "main" && s.mark(i+1, "("):
		s.main(i)
	case path.Ext(s.file) == ".scala" && s.word(i) == "main" && s.mark(i-1, "@") && s.word(i+1) == "def":
		s.add(s.word(i+2), i) // Scala 3
	}
}

// main looks at what stands before main(.
func (s *mainScan) main(i int) {
	switch path.Ext(s.file) {
	case ".java":
		if s.word(i-1) == "void" && (s.word(i-2) == "static" || s.word(i-3) == "static") && s.class != "" {
			s.add(s.class, i)
		}
	case ".kt":
		switch {
		case s.word(i-1) != "fun":
		case s.depth == 0 && s.name != "":
			s.add(s.name, i)
		case s.depth == 0:
			s.add(fileClass(s.file), i)
		case s.class != "" && s.word(i-2) == "JvmStatic":
			s.add(s.class, i)
		}
	case ".scala":
		if s.word(i-1) == "def" && s.class != "" {
			s.add(s.class, i)
		}
	}
}

// scalaObject recognises objects that inherit their main.
func (s *mainScan) scalaObject(i int) {
	const near = 8 // tokens of an extends clause that are looked at
	extends := false
	for j := i + 1; j < min(i+1+near, len(s.tokens)) && !s.mark(j, "{") && !s.mark(j, ":"); j++ {
		w := s.word(j)
		extends = extends || w == "extends" || w == "with"
		if extends && slices.Contains([]string{"App", "IOApp", "ZIOApp", "ZIOAppDefault"}, w) {
			s.add(s.word(i), i)
			return
		}
	}
}

func (s *mainScan) add(class string, i int) {
	if class == "" {
		return
	}
	if s.pkg != "" {
		class = s.pkg + "." + class
	}
	if !slices.ContainsFunc(s.found, func(m jvmMain) bool { return m.class == class }) {
		s.found = append(s.found, jvmMain{class, s.file, s.tokens[i].line})
	}
}

// dotted returns the name a.b.c that begins at i.
func (s *mainScan) dotted(i int) string {
	name := s.word(i)
	for i++; s.mark(i, ".") && s.word(i+1) != ""; i += 2 {
		name += "." + s.word(i+1)
	}
	return name
}

// fileClass is the class that Kotlin makes of the functions of a file: main.kt gives MainKt.
func fileClass(file string) string {
	stem := []rune(strings.TrimSuffix(path.Base(file), ".kt"))
	for i, r := range stem {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
			stem[i] = '_'
		}
	}
	if len(stem) > 0 {
		stem[0] = unicode.ToUpper(stem[0])
	}
	return string(stem) + "Kt"
}
