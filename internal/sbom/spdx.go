package sbom

import (
	"fmt"
	"io"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

const noAssertion = "NOASSERTION" // SPDX's word for "nobody has looked"

// writeSPDX writes version 2.3.
func writeSPDX(w io.Writer, b Bill) error {
	sum := b.fingerprint()
	doc := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      b.App + " " + b.Version,
		DocumentNamespace: fmt.Sprintf("urn:hop3:%s:%s:%x", b.App, b.Version, sum[:16]),
		CreationInfo: &spdx.CreationInfo{
			Created:  b.At.UTC().Format(time.RFC3339),
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "hop3-" + b.Tool}},
		},
	}
	ids := map[string]common.ElementID{b.Root: "App"}
	doc.Packages = append(doc.Packages, &spdx.Package{
		PackageName: b.App, PackageSPDXIdentifier: "App", PackageVersion: b.Version, PackageDownloadLocation: noAssertion,
		PackageSourceInfo: "commit " + b.Commit + ", " + b.Root, PrimaryPackagePurpose: "APPLICATION",
	})
	for n, p := range b.Parts {
		if p.StorePath == b.Root {
			continue
		}
		ids[p.id()] = common.ElementID(fmt.Sprintf("Part-%d", n))
		doc.Packages = append(doc.Packages, p.spdx(ids[p.id()]))
	}
	relate := func(from common.ElementID, kind string, to common.ElementID) {
		doc.Relationships = append(doc.Relationships, &spdx.Relationship{RefA: common.MakeDocElementID("", string(from)), Relationship: kind, RefB: common.MakeDocElementID("", string(to))})
	}
	relate("DOCUMENT", common.TypeRelationshipDescribe, "App")
	for _, need := range *b.direct() {
		if to, ok := ids[need]; ok {
			relate("App", common.TypeRelationshipDependsOn, to)
		}
	}
	for _, p := range b.Parts {
		for _, need := range p.others() {
			if to, ok := ids[need]; ok && p.StorePath != b.Root {
				relate(ids[p.id()], common.TypeRelationshipDependsOn, to)
			}
		}
	}
	if err := spdxjson.Write(doc, w, spdxjson.Indent("  "), spdxjson.EscapeHTML(false)); err != nil {
		return fmt.Errorf("write SPDX: %w", err)
	}
	return nil
}

func (p Part) spdx(id common.ElementID) *spdx.Package {
	out := &spdx.Package{
		PackageName: p.Name, PackageSPDXIdentifier: id, PackageVersion: p.Version, PackageDownloadLocation: noAssertion, PrimaryPackagePurpose: "LIBRARY",
	}
	if p.PURL != "" {
		out.PackageExternalReferences = []*spdx.PackageExternalReference{{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: p.PURL}}
	}
	if p.StorePath != "" {
		out.PackageSourceInfo = strings.TrimSpace(p.StorePath + " " + p.NarHash)
	}
	known := map[string]common.ChecksumAlgorithm{"sha1": common.SHA1, "sha256": common.SHA256, "sha384": common.SHA384, "sha512": common.SHA512}
	if alg, sum := p.digest(); known[alg] != "" {
		out.PackageChecksums = []common.Checksum{{Algorithm: known[alg], Value: sum}}
	}
	return out
}
