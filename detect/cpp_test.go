package detect

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestParseCMake(t *testing.T) {
	got, err := parseCMake("CMakeLists.txt", []byte("SET(a \"b \\\"c\\\" # no comment\" [==[d]=]]==]) # comment\nif((A) AND b)\n#[[\n x( ]] endif()\n"))
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if a := got[0].args; len(a) != 3 || a[1] != `b "c" # no comment` || a[2] != "d]=]" || got[0].name != "set" {
		t.Errorf("%+v", got[0])
	}
	if a := got[1].args; strings.Join(a, " ") != "A AND b" || got[2].line != 4 {
		t.Errorf("%q, %+v", a, got[2])
	}
}

func FuzzParseCMake(f *testing.F) {
	f.Add([]byte("project(x)\nadd_executable(${PROJECT_NAME} \"a b\" [[c]] \\; # d\n e)"))
	f.Fuzz(func(t *testing.T, data []byte) {
		commands, err := parseCMake("CMakeLists.txt", data)
		if err != nil {
			return
		}
		line := 0
		for _, c := range commands {
			if c.name == "" || c.name != strings.ToLower(c.name) || c.line < line {
				t.Fatalf("%q gave %+v", data, c)
			}
			line = c.line
		}
	})
}

func FuzzLex(f *testing.F) {
	f.Add([]byte("a('b', [c]) # d\n'''e\nf''' \"g\\\"h\" /* i /* j */ */"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []syntax{mesonSyntax, swiftSyntax, zigSyntax} {
			line := 1
			for _, k := range lex(data, s) {
				if k.line < line || k.kind != stringToken && k.text == "" {
					t.Fatalf("%q gave %+v", data, k)
				}
				line = k.line
			}
			for _, c := range calls(lex(data, s), "a", "executable") {
				for _, a := range c.args {
					if len(a.value) == 0 && a.label == "" {
						t.Fatalf("%q gave an empty argument", data)
					}
				}
			}
		}
	})
}

// TestDetect_HostileBuildFiles reads what nests and refers to itself without end.
func TestDetect_HostileBuildFiles(t *testing.T) {
	deep := strings.Repeat("executable('a', subdir(", 40_000)
	for name, files := range map[string]string{
		"meson.build":    "project('x')\n" + deep,
		"CMakeLists.txt": "project(x)\nset(a ${a}${a}${a}x)\n" + strings.Repeat("set(a ${a}${a})\nadd_subdirectory(.)\n", 2000) + "add_executable(${a} x)",
		"Package.swift":  "let package = Package(name: \"x\", targets: [" + strings.Repeat(".executableTarget(name: [", 40_000),
		"build.zig":      strings.Repeat("b.addExecutable(.{ .name = ", 40_000),
	} {
		p, err := Detect(fstest.MapFS{name: {Data: []byte(files)}, "Procfile": {Data: []byte("web: a\n")}})
		if err == nil && p.Processes.Command("web") != "a" {
			t.Errorf("%s gave %+v", name, p.Processes)
		}
	}
}
