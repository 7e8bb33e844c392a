package sbom

import (
	"fmt"
	"io"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// writeCycloneDX writes version 1.6, which the tools of today read.
func writeCycloneDX(w io.Writer, b Bill) error {
	doc := cdx.NewBOM()
	doc.SerialNumber = b.serial()
	root := cdx.Component{BOMRef: b.App, Type: cdx.ComponentTypeApplication, Name: b.App, Version: b.Version, Properties: properties("commit", b.Commit, "store-path", b.Root)}
	doc.Metadata = &cdx.Metadata{
		Timestamp: b.At.UTC().Format(time.RFC3339),
		Tools:     &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: "hop3", Version: b.Tool}}},
		Component: &root,
	}
	components, needs := []cdx.Component{}, []cdx.Dependency{{Ref: b.App, Dependencies: b.direct()}}
	for _, p := range b.Parts {
		if p.StorePath == b.Root {
			continue // the app itself
		}
		components = append(components, p.component())
		if p.StorePath != "" {
			refs := p.others()
			needs = append(needs, cdx.Dependency{Ref: p.id(), Dependencies: &refs})
		}
	}
	doc.Components, doc.Dependencies = &components, &needs
	if err := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetEscapeHTML(false).SetPretty(true).EncodeVersion(doc, cdx.SpecVersion1_6); err != nil {
		return fmt.Errorf("write CycloneDX: %w", err)
	}
	return nil
}

func (p Part) component() cdx.Component {
	c := cdx.Component{
		BOMRef: p.id(), Type: cdx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, PackageURL: p.PURL,
		Properties: properties("store-path", p.StorePath, "nar-hash", p.NarHash),
	}
	known := map[string]cdx.HashAlgorithm{"sha1": cdx.HashAlgoSHA1, "sha256": cdx.HashAlgoSHA256, "sha384": cdx.HashAlgoSHA384, "sha512": cdx.HashAlgoSHA512}
	if alg, sum := p.digest(); known[alg] != "" {
		c.Hashes = &[]cdx.Hash{{Algorithm: known[alg], Value: sum}}
	}
	return c
}

// properties makes hop3's own ones of pairs of name and value; empty values are left out.
func properties(pairs ...string) *[]cdx.Property {
	var list []cdx.Property
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, cdx.Property{Name: "hop3:" + pairs[i], Value: pairs[i+1]})
		}
	}
	if list == nil {
		return nil
	}
	return &list
}

// others are the store paths that p refers to, but for itself.
func (p Part) others() []string {
	out := []string{}
	for _, n := range p.Needs {
		if n != p.StorePath {
			out = append(out, n)
		}
	}
	return out
}

// direct is what the app itself needs: the references of its store path, and all that its lock files name.
func (b Bill) direct() *[]string {
	out := []string{}
	for _, p := range b.Parts {
		if p.StorePath == b.Root {
			out = append(out, p.others()...)
		} else if p.StorePath == "" {
			out = append(out, p.id())
		}
	}
	return &out
}

// serial is a UUID of the bill's content, in the form of version 8 (RFC 9562).
func (b Bill) serial() string {
	sum := b.fingerprint()
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return strings.ToLower(fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}
