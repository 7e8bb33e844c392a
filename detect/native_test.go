package detect

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func FuzzParseZon(f *testing.F) {
	f.Add([]byte(".{ .name = .@\"a b\", .deps = .{ .x = .{ .url = \"u\", .hash = \"h\" } }, .paths = .{ \"\" } }"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := parseZon("build.zig.zon", data)
		if err == nil && len(v.fields) == 0 {
			t.Fatalf("%q has no field and no error", data)
		}
		for _, q := range zigPrograms(data, "x") {
			if q.name == "" {
				t.Fatalf("%q gave a program without a name", data)
			}
		}
	})
}

func FuzzSwift(f *testing.F) {
	f.Add([]byte("// swift-tools-version:5.3\nlet p = Package(name: \"x\", targets: [.target(name: \"a\", path: \"/../b\"), .executableTarget(name: \"c\")])"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Detect(fstest.MapFS{"Package.swift": {Data: data}, "Sources/a/main.swift": {}})
		if err == nil && p.Swift != nil && len(p.Swift.Products) == 0 {
			t.Fatalf("%q has a web process of no product: %+v", data, p.Processes)
		}
	})
}

func FuzzReadCobol(f *testing.F) {
	f.Add([]byte("       PROGRAM-ID. A.\n      * c\n       CALL \"B\" CALL 'C'. *> d\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := readCobol(data)
		if s.id != strings.ToUpper(s.id) || slices.ContainsFunc(s.calls, func(c string) bool { return c != strings.ToUpper(c) }) {
			t.Fatalf("%q gave %+v", data, s)
		}
	})
}

func TestReadCobol(t *testing.T) {
	got := readCobol([]byte("000100 IDENTIFICATION DIVISION.\n000200 PROGRAM-ID. Main.\n      * CALL \"X\"\n       CALL \"sub\" CALL DYNAMIC CALL 'other'. *> CALL 'Y'\n       DISPLAY \"CALL 'Z'\".                                                CALL \"W\"\n"))
	if got.free || got.id != "MAIN" || !slices.Equal(got.calls, []string{"SUB", "OTHER"}) {
		t.Errorf("%+v", got)
	}
}
