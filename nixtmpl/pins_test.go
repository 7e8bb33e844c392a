package nixtmpl

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hop3/detect"
	"hop3/nixtmpl/nix"
)

func TestPinFor(t *testing.T) {
	newest := Pins()[0]
	if newest.Ref != DefaultNixpkgs {
		t.Errorf("flakes name %s, the newest pin is %s", DefaultNixpkgs, newest.Ref)
	}
	for _, c := range []struct {
		nix     nix.Version
		channel string
	}{{nix.Version{Major: 2, Minor: 3}, "nixos-25.05"}, {nix.Version{Major: 2, Minor: 8}, "nixos-25.05"}, {nix.Version{Major: 2, Minor: 17, Patch: 1}, "nixos-25.05"},
		{nix.Version{Major: 2, Minor: 18}, "nixos-26.05"}, {nix.Version{Major: 2, Minor: 34, Patch: 8}, "nixos-26.05"}, {nix.Version{Major: 3}, "nixos-26.05"}} {
		p := PinFor(c.nix)
		w := p.Warning(c.nix)
		if p.channel() != c.channel || (w == "") != (p == newest) || w != "" && !(strings.Contains(w, c.nix.String()) && strings.Contains(w, c.channel)) {
			t.Errorf("nix %s: %s, %q", c.nix, p.channel(), w)
		}
	}
}

// TestLockOf_NixTakesIt: nix finds the lock whole, so that it neither asks the network nor changes it.
func TestLockOf_NixTakesIt(t *testing.T) {
	needNix(t)
	for _, p := range Pins() {
		dir := t.TempDir()
		flake, err := Render(detect.Plan{Stack: "static"}, RenderOptions{Default: p.Ref})
		if err != nil {
			t.Fatal(err)
		}
		lock := LockOf(flake)
		if err := writeFlake(dir, flake, lock); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("nix", "--extra-experimental-features", "nix-command flakes", "--offline", "flake", "metadata", "--json", "--no-registries", "path:"+dir).Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, lock)
		}
		var got struct {
			Locks struct {
				Nodes struct {
					Nixpkgs struct{ Locked map[string]any }
				}
			}
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		if l := got.Locks.Nodes.Nixpkgs.Locked; l["rev"] != p.Rev || l["narHash"] != p.NarHash || l["lastModified"] != float64(p.LastModified) {
			t.Errorf("nix reads %v", l)
		}
		if after, err := os.ReadFile(filepath.Join(dir, "flake.lock")); err != nil || !bytes.Equal(after, lock) {
			t.Errorf("nix changed the lock: %v\n%s", err, after)
		}
	}
}

// TestLockOf_Unknown: what is no pin is left to nix, and a lock of the app's does not stay.
func TestLockOf_Unknown(t *testing.T) {
	for _, ref := range []string{"github:NixOS/nixpkgs/nixos-24.05", "path:/mine", `github:NixOS/nixpkgs/nixos-26.05"; x = "`} {
		flake, err := Render(detect.Plan{Stack: "static"}, RenderOptions{Nixpkgs: ref})
		if err != nil {
			t.Fatal(err)
		}
		if lock := LockOf(flake); lock != nil {
			t.Errorf("%s: %s", ref, lock)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "flake.lock"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeFlake(dir, []byte("{ }"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "flake.lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the app's lock is there still: %v", err)
	}
}

// TestTables: each channel of a pin says what it has of each runtime, and a version that it lacks is answered with that.
func TestTables(t *testing.T) {
	for _, p := range Pins() {
		have := tables()[p.channel()]
		if have.Source == "" {
			t.Errorf("%s: it is not said where its table is from", p.channel())
		}
		for name := range runtimes() {
			if len(available(have.Versions, name)) == 0 {
				t.Errorf("%s: no %s", p.channel(), name)
			}
		}
	}
	for _, c := range []struct{ ref, want, have string }{
		{"", "23", "24 22"}, {"", "20", "24 22"}, {Pins()[1].Ref, "20", ""}, {Pins()[1].Ref, "23", "24 22 20"}, {"github:me/nixpkgs/nixos-26.05", "20", ""},
	} {
		plan := detect.Plan{Stack: "node", Node: &detect.NodeFacts{}, Runtimes: []detect.Runtime{{Name: "node", Version: c.want, From: ".nvmrc"}}}
		_, err := Resolve(plan, RenderOptions{Default: c.ref})
		missing, is := errors.AsType[*VersionError](err)
		if c.have == "" && err != nil || c.have != "" && (!is || !slices.Equal(missing.Have, strings.Fields(c.have))) {
			t.Errorf("node %s of %q: %v", c.want, c.ref, err)
		}
	}
}
