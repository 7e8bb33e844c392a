package detect

import (
	"fmt"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"
)

// CrystalFacts are what the Crystal template needs beyond the plan.
type CrystalFacts struct {
	Targets    []CrystalTarget // programs, in the order of shard.yml
	Manifests  []string        // shard.yml and shard.lock: what decides about the shards
	Locked     bool            // shard.lock is there
	LockDigest string          // of Manifests, hex; "" when no shard has to be fetched
}

// A CrystalTarget is a program and its main source.
type CrystalTarget struct{ Name, Main string }

func claimCrystal(t *tree) []Evidence {
	if t.has("shard.yml") {
		return []Evidence{{File: "shard.yml", Why: "manifest"}}
	}
	return nil
}

func planCrystal(t *tree, p *Plan) error {
	facts := &CrystalFacts{Manifests: []string{"shard.yml"}, Locked: t.has("shard.lock")}
	p.Crystal = facts
	p.Tool = Tool{Name: "shards", From: "shard.yml"}
	var shard yaml.Node
	b, err := t.read("shard.yml")
	if err != nil {
		return err
	}
	if err := decodeYAML("shard.yml", b, &shard); err != nil {
		return err
	}
	p.Runtimes = []Runtime{runtime("crystal", append(append([]request{p.asked("crystal"), pinned(t, ".crystal-version")},
		polyglot(t, "crystal")...), request{scalar(lookup(&shard, "crystal")), "shard.yml crystal"}), "")}
	deps := pairs(lookup(&shard, "dependencies"))
	for _, d := range deps {
		if slices.Contains([]string{"amber", "athena", "grip", "kemal", "lucky", "marten", "spider-gazelle"}, d.key) {
			p.Frameworks = append(p.Frameworks, d.key)
		}
	}
	if err := facts.lock(t, p, deps); err != nil {
		return err
	}
	return startCrystal(t, p, &shard)
}

// lock decides whether shards are fetched: not if there are none, or if lib/ is part of the push.
func (f *CrystalFacts) lock(t *tree, p *Plan, deps []yamlPair) (err error) {
	if f.Locked {
		p.Tool.From = "shard.lock"
		f.Manifests = append(f.Manifests, "shard.lock")
		var lock yaml.Node
		b, err := t.read("shard.lock")
		if err != nil {
			return err
		}
		if err := decodeYAML("shard.lock", b, &lock); err != nil {
			return err
		}
		for _, d := range deps {
			if lookup(&lock, "shards", d.key) == nil {
				return &ParseError{File: "shard.lock", Msg: fmt.Sprintf("it does not have %s, which shard.yml:%d names; run shards install and commit it", clip(d.key), d.line)}
			}
		}
	}
	if len(deps) == 0 || t.has("lib/.shards.info") {
		return nil
	}
	if !f.Locked {
		p.warn("shard.lock is not committed: the shards of the first build are kept until shard.yml changes; run shards install and commit it")
	}
	f.LockDigest, err = t.digest(f.Manifests)
	return err
}

// startCrystal finds the programs: the targets of shard.yml, else the source that is called like the shard.
func startCrystal(t *tree, p *Plan, shard *yaml.Node) error {
	name := scalar(lookup(shard, "name"))
	var programs []program
	for _, target := range pairs(lookup(shard, "targets")) {
		source := path.Clean(scalar(lookup(target.value, "main")))
		if !programName.MatchString(target.key) || !t.has(source) {
			return &ParseError{File: "shard.yml", Line: target.line, Msg: fmt.Sprintf("target %q: main is not a file of the tree", clip(target.key))}
		}
		p.Crystal.Targets = append(p.Crystal.Targets, CrystalTarget{target.key, source})
		programs = append(programs, program{target.key, fmt.Sprintf("shard.yml:%d targets", target.line)})
	}
	if f := "src/" + name + ".cr"; len(programs) == 0 && programName.MatchString(name) && t.has(f) {
		p.Crystal.Targets = []CrystalTarget{{name, f}}
		programs = []program{{name, f}}
	}
	before := len(p.Processes)
	p.startPrograms("targets of shard.yml", programs, name)
	if slices.Contains(p.Frameworks, "kemal") {
		for i := range p.Processes[before:] {
			if q := &p.Processes[before+i]; q.Name == "web" {
				q.Command += " --port $PORT"
				q.From += ", which Kemal serves"
			}
		}
	}
	return nil
}
