package sbom

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
	spdxjson "github.com/spdx/tools-golang/json"
)

func bill() Bill {
	const store = "/nix/store/"
	app, glibc, python := store+strings.Repeat("a", 32)+"-blog-0", store+strings.Repeat("b", 32)+"-glibc-2.41", store+strings.Repeat("c", 32)+"-python313-3.13.5"
	return Bill{
		App: "blog", Version: "v3", Commit: "3f2c1aa", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Tool: "1.0.0", Root: app,
		Parts: []Part{
			{Name: "blog", StorePath: app, Needs: []string{app, python}},
			{Name: "python313", Version: "3.13.5", StorePath: python, NarHash: "sha256:1b", PURL: DebianPURL("python3.13", "3.13.5-2", "amd64"), Needs: []string{glibc, python}},
			{Name: "glibc", Version: "2.41", StorePath: glibc, Needs: []string{glibc}},
			{Name: "@scope/x&y", Version: "1.0.0", PURL: PURL("npm", "@scope/x", "1.0.0"), Digest: "sha512-" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1, 2, 3, 4}, 16))},
			{Name: "golang.org/x/mod", Version: "v0.1.0", PURL: PURL("golang", "golang.org/x/mod", "v0.1.0")},
		},
	}
}

func TestCycloneDX(t *testing.T) {
	var one, two bytes.Buffer
	if err := errors.Join(Write(&one, bill(), ""), Write(&two, bill(), "cyclonedx")); err != nil {
		t.Fatal(err)
	}
	if one.String() != two.String() {
		t.Error("the same bill gave two documents")
	}
	var doc cdx.BOM
	if err := cdx.NewBOMDecoder(&one, cdx.BOMFileFormatJSON).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if doc.SpecVersion != cdx.SpecVersion1_6 || doc.Metadata.Component.Name != "blog" || len(*doc.Components) != 4 || !strings.HasPrefix(doc.SerialNumber, "urn:uuid:") {
		t.Errorf("%s", two.String())
	}
	refs := map[string]bool{"blog": true}
	for _, c := range *doc.Components {
		refs[c.BOMRef] = true
		if c.PackageURL != "" {
			if _, err := packageurl.FromString(c.PackageURL); err != nil {
				t.Errorf("%s: %v", c.PackageURL, err)
			}
		}
	}
	for _, d := range *doc.Dependencies {
		if d.Dependencies == nil {
			continue
		}
		for _, to := range *d.Dependencies {
			if !refs[to] {
				t.Errorf("%s depends on %s, which is no component", d.Ref, to)
			}
		}
	}
	for _, want := range []string{`"pkg:npm/%40scope/x@1.0.0"`, `"pkg:deb/debian/python3.13@3.13.5-2?arch=amd64"`, `"pkg:golang/golang.org/x/mod@v0.1.0"`, `"0102030401020304`, `x&y`} {
		if !strings.Contains(two.String(), want) {
			t.Errorf("no %s in\n%s", want, two.String())
		}
	}
}

func TestSPDX(t *testing.T) {
	var out bytes.Buffer
	if err := Write(&out, bill(), "spdx"); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	doc, err := spdxjson.Read(&out)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Packages) != 5 || len(doc.Relationships) != 1+3+1 {
		t.Errorf("%d packages, %d relationships in\n%s", len(doc.Packages), len(doc.Relationships), text)
	}
	for _, want := range []string{`"SPDX-2.3"`, `"SPDXRef-DOCUMENT"`, `"pkg:npm/%40scope/x@1.0.0"`, `"SHA512"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestWrite_UnknownFormat(t *testing.T) {
	var wrong *FormatError
	if err := Write(&bytes.Buffer{}, bill(), "xml"); !errors.As(err, &wrong) {
		t.Error(err)
	}
}

func TestStoreName(t *testing.T) {
	for in, want := range map[string][2]string{
		"/nix/store/x-glibc-2.41":            {"glibc", "2.41"},
		"/nix/store/x-python3-flask-3.1.1-1": {"python3-flask", "3.1.1-1"},
		"/nix/store/x-source":                {"source", ""},
		"/nix/store/x":                       {"", ""},
		"/nix/store/x-a-":                    {"a-", ""},
	} {
		if name, version := StoreName(in); name != want[0] || version != want[1] {
			t.Errorf("%s: %q %q", in, name, version)
		}
	}
}
