package sbom

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// hostile is a bill with what a lock file can bring.
func hostile() Bill {
	b := bill()
	b.Parts = append(b.Parts,
		Part{Name: "cut", Version: "1", PURL: PURL("npm", "cut", "1"), Digest: "sha512-AQID"},
		Part{Name: "unknown", Version: "1", PURL: PURL("npm", "unknown", "1"), Digest: "md9:00"},
		Part{Name: "\"<\n\u202e", Version: "${x}", PURL: PURL("gem", "\"<\n\u202e", "${x}"), Digest: ":"},
		Part{Name: "two\x00words", Version: "1 2", PURL: PURL("pypi", "two words", "1 2")},
	)
	return b
}

// TestCycloneDX_Schema validates documents against the schema that the standard's own library carries.
func TestCycloneDX_Schema(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	read := func(u *url.URL) (*jsonschema.Schema, error) {
		name := strings.Replace(filepath.Base(u.Path), "jsf-0.82.schema.json", "jsf-0.82.schemax.json", 1) // as the library calls it
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema", name))
		if err != nil {
			return nil, err
		}
		schema := &jsonschema.Schema{}
		return schema, json.Unmarshal(text, schema)
	}
	schema, err := read(&url.URL{Path: "bom-1.6.schema.json"})
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(&jsonschema.ResolveOptions{Loader: read})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]Bill{"plain": bill(), "hostile": hostile(), "empty": {App: "blog", Version: "v1"}} {
		if err := resolved.Validate(document(t, b, "cyclonedx")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := document(t, bill(), "cyclonedx")
	broken["specVersion"] = 7
	if resolved.Validate(broken) == nil {
		t.Error("the schema accepts anything")
	}
}

func document(t *testing.T, b Bill, format string) map[string]any {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, b, format); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// spdxRules are what SPDX 2.3's schema asks of the fields that are written here.
const spdxRules = `{
  "type": "object", "required": ["SPDXID", "creationInfo", "dataLicense", "documentNamespace", "name", "spdxVersion", "packages", "relationships"],
  "properties": {
    "SPDXID": { "const": "SPDXRef-DOCUMENT" }, "dataLicense": { "const": "CC0-1.0" }, "spdxVersion": { "const": "SPDX-2.3" },
    "documentNamespace": { "type": "string", "pattern": "^[a-z]+:[^#]+$" }, "name": { "type": "string" },
    "creationInfo": {
      "type": "object", "required": ["created", "creators"], "additionalProperties": false,
      "properties": {
        "created": { "type": "string", "pattern": "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z$" },
        "creators": { "type": "array", "minItems": 1, "items": { "type": "string", "pattern": "^(Tool|Person|Organization): ." } }
      }
    },
    "packages": { "type": "array", "items": {
      "type": "object", "required": ["SPDXID", "downloadLocation", "name"], "additionalProperties": false,
      "properties": {
        "SPDXID": { "type": "string", "pattern": "^SPDXRef-[a-zA-Z0-9.-]+$" }, "name": { "type": "string" }, "versionInfo": { "type": "string" },
        "downloadLocation": { "const": "NOASSERTION" }, "sourceInfo": { "type": "string" }, "filesAnalyzed": { "type": "boolean" },
        "primaryPackagePurpose": { "enum": ["APPLICATION", "LIBRARY"] },
        "checksums": { "type": "array", "items": { "type": "object", "required": ["algorithm", "checksumValue"], "additionalProperties": false,
          "properties": { "algorithm": { "enum": ["SHA1", "SHA256", "SHA384", "SHA512"] }, "checksumValue": { "type": "string", "pattern": "^[0-9a-f]{40,128}$" } } } },
        "externalRefs": { "type": "array", "items": { "type": "object", "required": ["referenceCategory", "referenceLocator", "referenceType"], "additionalProperties": false,
          "properties": { "referenceCategory": { "const": "PACKAGE-MANAGER" }, "referenceType": { "const": "purl" }, "referenceLocator": { "type": "string", "pattern": "^pkg:[a-z]+/[^ ]+$" } } } }
      } } },
    "relationships": { "type": "array", "items": { "type": "object", "required": ["spdxElementId", "relatedSpdxElement", "relationshipType"], "additionalProperties": false,
      "properties": { "spdxElementId": { "type": "string" }, "relatedSpdxElement": { "type": "string" }, "relationshipType": { "enum": ["DESCRIBES", "DEPENDS_ON"] } } } }
  }
}`

// TestSPDX_Rules validates documents against the rules of the standard, and that each relationship is between elements that are there.
func TestSPDX_Rules(t *testing.T) {
	schema := &jsonschema.Schema{}
	if err := json.Unmarshal([]byte(spdxRules), schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]Bill{"plain": bill(), "hostile": hostile(), "empty": {App: "blog", Version: "v1"}} {
		doc := document(t, b, "spdx")
		if err := resolved.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		ids := map[any]bool{doc["SPDXID"]: true}
		for _, p := range doc["packages"].([]any) {
			id := p.(map[string]any)["SPDXID"]
			if ids[id] {
				t.Errorf("%s: %v twice", name, id)
			}
			ids[id] = true
		}
		for _, r := range doc["relationships"].([]any) {
			if r := r.(map[string]any); !ids[r["spdxElementId"]] || !ids[r["relatedSpdxElement"]] {
				t.Errorf("%s: %v is not between elements of the document", name, r)
			}
		}
	}
}

// TestPURL holds the names by the rules of each type: https://github.com/package-url/purl-spec
func TestPURL(t *testing.T) {
	for _, c := range [][4]string{
		{"npm", "@scope/x", "1.0.0", "pkg:npm/%40scope/x@1.0.0"},
		{"golang", "github.com/BurntSushi/toml", "v1.0.0", "pkg:golang/github.com/burntsushi/toml@v1.0.0"},
		{"golang", "example.org/x/v2", "v2.0.0+incompatible", "pkg:golang/example.org/x/v2@v2.0.0%2Bincompatible"},
		{"pypi", "Flask_Login", "0.6.3", "pkg:pypi/flask-login@0.6.3"},
		{"gem", "rails", "7.2.2", "pkg:gem/rails@7.2.2"},
		{"maven", "com.google.guava:guava", "33.2.1-jre", "pkg:maven/com.google.guava/guava@33.2.1-jre"},
		{"cargo", "itoa", "1.0.11", "pkg:cargo/itoa@1.0.11"},
		{"composer", "Slim/Slim", "4.14.0", "pkg:composer/slim/slim@4.14.0"},
		{"nuget", "Serilog", "3.1.1", "pkg:nuget/Serilog@3.1.1"},
		{"hex", "plug", "1.16.1", "pkg:hex/plug@1.16.1"},
	} {
		if got := PURL(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("got %s, want %s", got, c[3])
		}
	}
	if got, want := DebianPURL("libstdc++6", "1:12.2.0-14~x", "amd64"), `^pkg:deb/debian/libstdc%2B%2B6@1(:|%3A)12\.2\.0-14~x\?arch=amd64$`; !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("got %s", got)
	}
}
