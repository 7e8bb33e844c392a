package nixtmpl

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"

	"hop3/detect"
)

// tablesJSON says which versions of each runtime the channels of Pins have; what has known vulnerabilities counts as missing,
// for nixpkgs refuses to evaluate it. No tool makes it yet: each source in it says how far it can be trusted.
//
//go:embed nixpkgs.json
var tablesJSON []byte

// A table is what one channel has, and how that is known.
type table struct {
	Source   string
	Versions map[string][]string
}

// tables are by channel: "nixos-26.05".
var tables = sync.OnceValue(func() map[string]table {
	var t map[string]table
	if err := json.Unmarshal(tablesJSON, &t); err != nil {
		panic("read nixpkgs.json: " + err.Error()) // it is part of the program
	}
	return t
})

// versions returns the versions of a runtime that the package set has, newest first. Of an unknown nixpkgs hop3 believes what
// any of its channels has: nix says so if that is wrong.
func (o RenderOptions) versions(p detect.Plan, runtime string) []string {
	if o.Available != nil {
		return available(o.Available, runtime)
	}
	if ref := nixpkgsRef(p, o); strings.HasPrefix(ref, "github:NixOS/nixpkgs/") {
		if t, is := tables()[ref[strings.LastIndex(ref, "/")+1:]]; is {
			return available(t.Versions, runtime)
		}
	}
	all := map[string][]string{}
	for _, t := range tables() {
		all[runtime] = append(all[runtime], t.Versions[runtime]...)
	}
	return available(all, runtime)
}
