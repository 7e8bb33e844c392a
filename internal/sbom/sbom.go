// Package sbom writes software bills of materials: what a release is made of,
// as CycloneDX or SPDX documents.
package sbom

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/package-url/packageurl-go"
)

// A Bill says what a release is made of. The same bill gives the same document.
type Bill struct {
	App     string
	Version string // of the release: "v12"
	Commit  string
	At      time.Time // when the release was made
	Tool    string    // version of hop3
	Root    string    // store path of the release
	Parts   []Part
}

// A Part is a store path of the release's closure, or a package that a lock file names.
type Part struct {
	Name, Version string
	PURL          string   // "pkg:npm/express@4.19.2"
	StorePath     string   // "" for a package of a lock file
	NarHash       string   // of the store path, as nix writes it: "sha256:…"
	Digest        string   // of the package's archive: "sha512-BASE64" or "sha256:HEX"; "" where it is not known
	Needs         []string // store paths that this one refers to
}

// Formats are the names that Write knows, the default first.
func Formats() []string { return []string{"cyclonedx", "spdx"} }

// A FormatError is a format that there is not.
type FormatError struct{ Format string }

func (e *FormatError) Error() string {
	return fmt.Sprintf("%q is no format of a bill of materials", e.Format)
}

// Hint says which there are.
func (e *FormatError) Hint() string { return "one of " + strings.Join(Formats(), ", ") }

// Write writes the bill in a format, as one JSON document with a final newline.
func Write(w io.Writer, b Bill, format string) error {
	b.Parts = slices.Clone(b.Parts)
	slices.SortFunc(b.Parts, func(x, y Part) int {
		return cmp.Or(strings.Compare(x.StorePath, y.StorePath), strings.Compare(x.PURL, y.PURL))
	})
	switch format {
	case "", "cyclonedx":
		return writeCycloneDX(w, b)
	case "spdx":
		return writeSPDX(w, b)
	}
	return &FormatError{format}
}

// PURL returns the package-url of a package by its type, as the purl specification writes it; namespaces are part of the
// name ("@scope/name", "vendor/package", a Go module's path, Maven's "group:artifact").
func PURL(kind, name, version string) string {
	if kind == packageurl.TypeMaven {
		name = strings.Replace(name, ":", "/", 1)
	}
	namespace, base := path.Split(name)
	p := packageurl.NewPackageURL(kind, strings.TrimSuffix(namespace, "/"), base, version, nil, "")
	plain := p.ToString()
	if p.Normalize() != nil { // no name by the rules of its type: as it is, it still says what is meant
		return plain
	}
	return p.ToString()
}

// DebianPURL returns the package-url of a Debian binary package.
func DebianPURL(name, version, arch string) string {
	q := packageurl.QualifiersFromMap(map[string]string{"arch": arch})
	return packageurl.NewPackageURL(packageurl.TypeDebian, "debian", name, version, q, "").ToString()
}

// StoreName splits the name of a store path into package and version: the version begins with the first digit after a dash.
func StoreName(storePath string) (name, version string) {
	_, full, _ := strings.Cut(path.Base(storePath), "-")
	for i := 1; i+1 < len(full); i++ {
		if full[i] == '-' && full[i+1] >= '0' && full[i+1] <= '9' {
			return full[:i], full[i+1:]
		}
	}
	return full, ""
}

// id names a part within its document.
func (p Part) id() string {
	if p.StorePath != "" {
		return p.StorePath
	}
	return p.PURL
}

// digestSizes are those that both formats know, in bytes.
var digestSizes = map[string]int{"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}

// digest returns the algorithm, in lower case without dashes, and the digest in hex; "" where there is none that is whole.
func (p Part) digest() (algorithm, sum string) {
	first, _, _ := strings.Cut(p.Digest, " ")
	decode := base64.StdEncoding.DecodeString
	alg, text, ok := strings.Cut(first, ":")
	if ok {
		decode = hex.DecodeString
	} else {
		alg, text, _ = strings.Cut(first, "-")
	}
	raw, err := decode(text)
	if size := digestSizes[alg]; err != nil || size == 0 || len(raw) != size {
		return "", ""
	}
	return alg, hex.EncodeToString(raw)
}

// fingerprint identifies the bill's content.
func (b Bill) fingerprint() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00", b.App, b.Version, b.Root)
	for _, p := range b.Parts {
		fmt.Fprintf(h, "%s\x00%s\x00", p.id(), p.NarHash)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
