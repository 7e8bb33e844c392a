package nixtmpl

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hop3/nixtmpl/nix"
)

// A Pin is a revision of nixpkgs that this binary knows, as flake.lock names it.
type Pin struct {
	Ref          string // of inputs.nixpkgs: "github:NixOS/nixpkgs/nixos-26.05"
	Rev, NarHash string
	LastModified int64       // of the revision's commit, in seconds since 1970
	Nix          nix.Version // the oldest that can evaluate it
}

// Pins are the known revisions, newest first. That a hash belongs to its revision rests on independent lock files that agree:
//
//   - 5880666f, nixos-26.05 of 2026-08-20: nix-community/home-manager, nix-community/nixvim, and a fetchTarball of a third project.
//   - ac62194c, the last nixos-25.05, of 2026-01-02: nix-community/NixOS-WSL, nix-community/nixvim, and fetchTarballs of others.
//
// lib/minfeatures.nix asks for nix 2.18 from 25.11 on; lib/minver.nix of 25.05 for 2.3.17, flakes need 2.4.
func Pins() []Pin {
	return []Pin{
		{DefaultNixpkgs, "5880666fd9eb563038431edb35c2d0aa595884e6", "sha256-OURZPknrTjQrlNyxPdqzyqmU/81Wes1CUP/Ft1Rv/YI=", 1787204541, nix.Version{Major: 2, Minor: 18}},
		{"github:NixOS/nixpkgs/nixos-25.05", "ac62194c3917d5f474c1a844b6fd6da2db95077d", "sha256-16KkgfdYqjaeRGBaYsNrhPRRENs0qzkQVUooNHtoy2w=", 1767313136, nix.Version{Major: 2, Minor: 4}},
	}
}

// PinFor returns the newest revision that a nix can evaluate; the oldest known where none is.
func PinFor(v nix.Version) Pin {
	list := Pins()
	i := slices.IndexFunc(list, func(p Pin) bool { return v.AtLeast(p.Nix.Major, p.Nix.Minor) })
	if i < 0 {
		i = len(list) - 1
	}
	return list[i]
}

// Warning says what is lost by a nix that cannot evaluate the newest revision, "" where nothing is.
func (p Pin) Warning(v nix.Version) string {
	newest := Pins()[0]
	if p == newest {
		return ""
	}
	return fmt.Sprintf("nix %s cannot evaluate %s, which needs nix %d.%d: builds use %s, which gets no updates any more; install a newer nix",
		v, newest.channel(), newest.Nix.Major, newest.Nix.Minor, p.channel())
}

// channel is the last part of the reference: "nixos-26.05".
func (p Pin) channel() string { return p.Ref[strings.LastIndex(p.Ref, "/")+1:] }

var nixpkgsInput = regexp.MustCompile(`(?m)^  inputs\.nixpkgs\.url = "([^"\\$]+)";`)

// LockOf returns flake.lock for a flake that Render gave, nil where its nixpkgs is none of Pins: nix locks that itself.
func LockOf(flake []byte) []byte {
	m := nixpkgsInput.FindSubmatch(flake)
	if m == nil {
		return nil
	}
	list := Pins()
	i := slices.IndexFunc(list, func(p Pin) bool { return p.Ref == string(m[1]) })
	if i < 0 {
		return nil
	}
	return list[i].lock()
}

// lock writes what nix flake lock would.
func (p Pin) lock() []byte {
	type object = map[string]any
	parts := strings.Split(strings.TrimPrefix(p.Ref, "github:"), "/") // owner, repository, branch
	b, err := json.MarshalIndent(object{
		"nodes": object{
			"nixpkgs": object{
				"locked": object{
					"lastModified": p.LastModified, "narHash": p.NarHash, "owner": parts[0], "repo": parts[1], "rev": p.Rev, "type": "github",
				},
				"original": object{"owner": parts[0], "ref": parts[2], "repo": parts[1], "type": "github"},
			},
			"root": object{"inputs": object{"nixpkgs": "nixpkgs"}},
		},
		"root": "root", "version": 7,
	}, "", "  ")
	if err != nil {
		panic("encode flake.lock: " + err.Error()) // plain strings and numbers
	}
	return append(b, '\n')
}
