package pypi

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestMarker_Holds(t *testing.T) {
	e := Env{Python: "3.13", Machine: "x86_64", Extras: []string{"async"}}
	for text, want := range map[string]bool{
		"":                               true,
		"python_version >= '3.9'":        true,
		"python_version < \"3.9\"":       false,
		"'3.9' <= python_version":        true,
		"python_version == '3.*'":        true,
		"python_full_version < '3.13.2'": false,
		"sys_platform == 'win32' or os_name == 'posix'":    true,
		"sys_platform == 'win32' and (os_name == 'posix')": false,
		"extra == 'async'":                                             true,
		"extra == 'tests'":                                             false,
		"platform_machine in 'x86_64 aarch64'":                         true,
		"platform_machine not in 'x86_64'":                             false,
		"platform_python_implementation != 'PyPy'":                     true,
		"implementation_name == 'cpython' and 'linux' in sys_platform": true,
		"'dev' in dependency_groups":                                   false,
		"'async' in extras":                                            true,
	} {
		m, err := ParseMarker(text)
		if err != nil || m.Holds(e) != want {
			t.Errorf("%q: %v, %v", text, m.Holds(e), err)
		}
	}
	for _, bad := range []string{"x", "python_version", "python_version >", "nothing == 'a'", "(os_name == 'a'", "os_name == 'a' or", "os_name = 'a'", "os_name == 'a", strings.Repeat("(", 1000)} {
		if _, err := ParseMarker(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		want, python, machine string
		names                 []string
	}{
		{"a-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "3.13", "x86_64", []string{"a-1.tar.gz", "a-1-cp312-cp312-manylinux2014_x86_64.whl", "a-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "a-1-cp313-cp313t-manylinux2014_x86_64.whl", "a-1-cp313-cp313-musllinux_1_2_x86_64.whl", "a-1-py3-none-any.whl"}},
		{"a-1-cp313-cp313-manylinux2014_aarch64.whl", "3.13", "aarch64", []string{"a-1-cp313-cp313-manylinux2014_x86_64.whl", "a-1-cp313-cp313-manylinux2014_aarch64.whl", "a-1-cp313-cp313-win_amd64.whl", "a-1-cp313-cp313-macosx_11_0_arm64.whl"}},
		{"a-1-cp39-abi3-manylinux_2_34_x86_64.whl", "3.11", "x86_64", []string{"a-1-cp37-abi3-manylinux_2_17_x86_64.whl", "a-1-cp39-abi3-manylinux_2_28_x86_64.whl", "a-1-cp39-abi3-manylinux_2_34_x86_64.whl", "a-1-cp312-abi3-manylinux_2_28_x86_64.whl", "a-1-cp39-abi3-manylinux_2_99_x86_64.whl"}},
		{"a-1-py2.py3-none-any.whl", "3.13", "x86_64", []string{"a-1.zip", "a-1-py2.py3-none-any.whl", "a-1-py2-none-any.whl"}},
		{"a-1-2-py3-none-manylinux1_x86_64.whl", "3.13", "x86_64", []string{"a-1-2-py3-none-manylinux1_x86_64.whl", "a-1-py3-none-any.whl"}},
		{"a-1.tar.gz", "3.13", "x86_64", []string{"a-1.tar.gz", "a-1-cp312-cp312-manylinux2014_x86_64.whl"}},
		{"", "3.13", "x86_64", []string{"a-1-cp312-cp312-manylinux2014_x86_64.whl", "a-1.exe", "a.whl", "a-1-py314-none-any.whl"}},
	} {
		var files []File
		for _, n := range c.names {
			files = append(files, File{Name: n})
		}
		got, ok := Choose(files, Env{Python: c.python, Machine: c.machine})
		slices.Reverse(files)
		again, _ := Choose(files, Env{Python: c.python, Machine: c.machine})
		if got.Name != c.want || ok != (c.want != "") || again != got {
			t.Errorf("%q: %q, %q", c.names, got.Name, again.Name)
		}
	}
}

func TestConstraint(t *testing.T) {
	for text, want := range map[string]string{
		"^3.1": ">=3.1,<4", "^0.4.1": ">=0.4.1,<0.5", "^0.0.3": ">=0.0.3,<0.0.4", "~1.4.2": ">=1.4.2,<1.5", "~1": ">=1,<2", "*": "", "1.2.3": "==1.2.3",
		">=1, <2": ">=1,<2", "^1 || ^2": ">=1,<2|>=2,<3", "=1.2": "==1.2", "~=1.4": "~=1.4", "^3.12 <3.14": ">=3.12,<4,<3.14", "": "",
	} {
		if got := strings.Join(Constraint(text), "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

const sum = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

const poetryDoc = `
[[package]]
name = "fastapi"
version = "0.115.0"
optional = false
files = [{file = "fastapi-0.115.0-py3-none-any.whl", hash = "` + sum + `"}]
[package.dependencies]
starlette = ">=0.37"
uvicorn = {version = ">=0.12", extras = ["standard"], optional = true, markers = "extra == \"standard\""}
tomli = {version = "*", markers = "python_version < \"3.11\""}
[package.extras]
standard = ["uvicorn[standard] (>=0.12)"]
[[package]]
name = "starlette"
version = "0.38"
[[package]]
name = "uvicorn"
version = "0.30"
[package.dependencies]
uvloop = {version = "*", optional = true, markers = "sys_platform != \"win32\" and extra == \"standard\""}
[package.extras]
standard = ["uvloop ; sys_platform != \"win32\""]
[[package]]
name = "uvloop"
version = "0.21"
[[package]]
name = "pytest"
version = "8"
[[package]]
name = "tomli"
version = "2"
[metadata]
python-versions = "^3.10"
`

func selected(t *testing.T, l Lock, python string) string {
	t.Helper()
	list, err := l.Select(Env{Python: python, Machine: "x86_64"})
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
	}
	return strings.Join(names, " ")
}

func TestParsePoetry(t *testing.T) {
	l, err := ParsePoetry([]byte(poetryDoc))
	if err != nil || l.Packages[0].Files[0].SHA256 == "" || l.Packages[1].Line == 0 {
		t.Fatal(l, err)
	}
	l.Roots = []Dep{{Name: "fastapi"}}
	if got := selected(t, l, "3.13"); got != "fastapi starlette" {
		t.Error(got)
	}
	l.Roots[0].Extras = []string{"standard"}
	if got := selected(t, l, "3.10"); got != "fastapi starlette tomli uvicorn uvloop" {
		t.Error(got)
	}
	l.Roots = []Dep{{Name: "nowhere"}}
	if got := selected(t, l, "3.10"); got != "the app needs nowhere, which the lock file does not have" {
		t.Error(got)
	}
	old, err := ParsePoetry([]byte("[[package]]\nname = \"Six_x\"\nversion = \"1\"\ncategory = \"main\"\n[metadata.files]\nSix_x = [{file = \"six-1.tar.gz\", hash = \"" + sum + "\"}]\n"))
	if err != nil || len(old.Packages[0].Files) != 1 || old.Packages[0].Name != "six-x" {
		t.Error(old, err)
	}
}

func TestParseUV(t *testing.T) {
	l, err := ParseUV([]byte(`version = 1
[[package]]
name = "shop"
version = "0"
source = { editable = "." }
dependencies = [{ name = "numpy", version = "1.26", marker = "python_version < '3.12'" }, { name = "numpy", version = "2", marker = "python_version >= '3.12'" }, { name = "lib" }]
[package.dev-dependencies]
dev = [{ name = "pytest" }]
[[package]]
name = "lib"
version = "0"
source = { editable = "packages/lib" }
dependencies = [{ name = "httpx", extra = ["http2"] }]
[[package]]
name = "numpy"
version = "1.26"
resolution-markers = ["python_version < '3.12'"]
[[package]]
name = "numpy"
version = "2"
resolution-markers = ["python_version >= '3.12' and sys_platform == 'linux'", "python_version >= '3.12' and sys_platform != 'linux'"]
[[package]]
name = "httpx"
version = "0.27"
wheels = [{ url = "https://x/a%2B1/httpx-0.27%2Bcpu-py3-none-any.whl", hash = "` + sum + `" }]
[package.optional-dependencies]
http2 = [{ name = "h2" }]
[[package]]
name = "h2"
version = "4"
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := selected(t, l, "3.13"); got != "h2 httpx lib numpy shop" {
		t.Error(got)
	}
	list, _ := l.Select(Env{Python: "3.11"})
	if i := slices.IndexFunc(list, func(p Package) bool { return p.Name == "numpy" }); i < 0 || list[i].Version != "1.26" {
		t.Errorf("%+v", list)
	}
	if f := l.Packages[4].Files[0]; f.Name != "httpx-0.27+cpu-py3-none-any.whl" || l.Packages[1].Path != "packages/lib" {
		t.Errorf("%+v", l.Packages)
	}
}

func TestParsePDM(t *testing.T) {
	l, err := ParsePDM([]byte(`[metadata]
groups = ["default", "dev"]
[[package]]
name = "uvicorn"
version = "0.30"
groups = ["default"]
dependencies = ["h11>=0.8", "tomli ; python_version < '3.11'"]
files = [{file = "uvicorn-0.30-py3-none-any.whl", hash = "` + sum + `"}]
[[package]]
name = "uvicorn"
version = "0.30"
extras = ["standard"]
groups = ["default"]
dependencies = ["uvicorn==0.30", "uvloop"]
[[package]]
name = "uvloop"
version = "1"
groups = ["default"]
marker = "platform_python_implementation != 'PyPy'"
[[package]]
name = "h11"
version = "1"
groups = ["default"]
[[package]]
name = "pytest"
version = "1"
groups = ["dev"]
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := selected(t, l, "3.13"); got != "h11 uvicorn uvloop" {
		t.Error(got)
	}
	l.Roots = []Dep{{Name: "uvicorn", Extras: []string{"standard"}}}
	if got := selected(t, l, "3.13"); got != "h11 uvicorn uvloop" {
		t.Error(got)
	}
}

func TestParsePylock(t *testing.T) {
	l, err := ParsePylock([]byte("lock-version = '1.0'\n[[packages]]\nname = 'a'\nversion = '1'\nwheels = [{name = 'a-1-py3-none-any.whl', url = 'https://x/y', hashes = {sha256 = '" + strings.TrimPrefix(sum, "sha256:") + "'}}]\n[[packages]]\nname = 'w'\nmarker = \"sys_platform == 'win32'\"\n"))
	if err != nil || selected(t, l, "3.13") != "a" || l.Packages[0].Files[0].Name != "a-1-py3-none-any.whl" || l.Packages[0].Files[0].SHA256 == "" {
		t.Error(l, err)
	}
}

func FuzzLocks(f *testing.F) {
	f.Add([]byte(poetryDoc))
	f.Add([]byte("[[package]]\nname='a'\nsource={virtual='.'}\ndependencies=[{name='b',extra=['x'],marker='extra'}]\n[[packages]]\nname='a'\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) (Lock, error){ParseUV, ParsePoetry, ParsePDM, ParsePylock} {
			l, err := parse(data)
			if err != nil {
				if _, ok := errors.AsType[*SyntaxError](err); !ok {
					t.Fatalf("%T %v", err, err)
				}
				continue
			}
			for _, p := range l.Packages {
				l.Roots = append(l.Roots, Dep{Name: p.Name})
			}
			list, err := l.Select(Env{Python: "3.13", Machine: "x86_64"})
			if err == nil && len(list) > len(l.Packages) {
				t.Fatal(list)
			}
			for _, p := range list {
				Choose(p.Files, Env{Python: "3.13", Machine: "x86_64"})
			}
		}
	})
}

func FuzzRequirement(f *testing.F) {
	f.Add("flask[async] (>=3,<4) ; python_version < '3' and (os_name == \"x\")")
	f.Add("^1.2 || ~0.4, !=3")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseRequirement(text); err == nil && (r.Name == "" || r.Name != Normal(r.Name)) {
			t.Fatalf("%q gave %+v", text, r)
		}
		for _, spec := range Constraint(text) {
			Allows(spec, "1.0")
		}
		Allows(text, text)
		pythonMarker(text)
	})
}
